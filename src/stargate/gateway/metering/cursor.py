"""How far the receiver has acknowledged an epoch: a file in its folder, replaced as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from stargate.base import wire
from stargate.base.errors import SpoolError
from stargate.gateway.metering.epoch import segments, sync_folder, write_new
from stargate.gateway.metering.frame import Place
from stargate.gateway.metering.reading import BEGIN, missing

FILE = "cursor"


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an epoch is acknowledged up to."""

    version: Literal[1] = 1
    place: Place = BEGIN
    settled: int = 0
    """Settlements before it, all acknowledged."""
    open: tuple[int, ...] = ()
    """Admissions before it that are settled later, if ever. Their segments are kept."""


def read_cursor(folder: Path) -> Cursor:
    """The cursor; that of the beginning where nothing was acknowledged yet. Raises SpoolError, OSError."""
    path = folder / FILE
    try:
        return wire.from_json(path.read_bytes(), Cursor)
    except FileNotFoundError:
        if segments(folder)[:1] not in ([], [1]):
            raise missing(path) from None
        return Cursor()
    except msgspec.DecodeError as error:
        raise SpoolError(
            f"{path} cannot be read: {error}",
            "Put it back from a copy. While the epoch still has every segment from the first on, it may be removed "
            "instead: then all is sent again, and the ledger takes each only once",
        ) from error


def write_cursor(folder: Path, cursor: Cursor) -> None:
    """Replace it, durably. Raises OSError; then the old one stands."""
    path = folder / FILE
    fresh = path.with_suffix(".new")
    write_new(fresh, wire.to_json(cursor))
    fresh.replace(path)
    sync_folder(folder)
