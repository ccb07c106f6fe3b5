"""What an archive holds: its months, each with its root, and its files, each with its digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.base.errors import LedgerError, NotFoundError
from stargate.base.time import Instant

FILE = "manifest.json"
FORMAT = "stargate-ledger-archive"
VERSION = 1


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a month."""

    table: str
    path: str
    """Under the archive's folder."""
    rows: int
    size_bytes: int
    sha256: str


class Closing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came on record with the close of a month, since the one before."""

    month: str
    closed_at: Instant
    root: str
    """Of the month, in hexadecimal."""
    block: str
    """The hash of the block that closed it, in hexadecimal: it covers all that the archive holds up to here."""
    upto: dict[str, int]
    """By table: the last number that is in the archive with this month."""
    files: tuple[File, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    format: str = FORMAT
    version: int = VERSION
    closings: tuple[Closing, ...] = ()
    """In the order of their months."""


def read(folder: Path) -> Manifest:
    """An archive's manifest. Raises NotFoundError and LedgerError."""
    path = folder / FILE
    try:
        found = wire.from_json(path.read_bytes(), Manifest)
    except FileNotFoundError:
        raise NotFoundError(
            f"there is no archive in {folder}", f"Write one: stargate ledger archive {folder}"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise LedgerError(
            f"{path} cannot be read: {error}", "Take it from a copy, or write the archive anew."
        ) from None
    if found.format != FORMAT or found.version != VERSION:
        raise LedgerError(
            f"{path} is of format {found.format} {found.version}; this program reads {FORMAT} {VERSION}",
            "Use the Stargate that wrote it.",
        )
    return found


def write(folder: Path, manifest: Manifest) -> None:
    """Replace an archive's manifest, all of it or nothing."""
    partial = folder / f".{FILE}.partial"
    with partial.open("wb") as stream:
        stream.write(msgspec.json.format(wire.to_json(manifest), indent=1) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(folder / FILE)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
