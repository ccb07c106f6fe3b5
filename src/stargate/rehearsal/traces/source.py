"""Where a trace is read from: a file, plain or gzipped, a tar archive, or a folder.

What a file is shows in its first bytes, never in its name alone. Nothing is read whole: lines come one by one.
"""

from __future__ import annotations

import codecs
import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

from stargate.base.errors import InputError, Problem

LONGEST_LINE = 1024 * 1024
"""Bytes of one line; the rest of a longer one is passed over."""
LONGEST_MEMBER = 256 * 1024 * 1024
"""Bytes of one archive member that is read whole."""
MOST_MEMBERS = 100_000
DEEPEST = 8
"""Folders below a folder that are looked into."""
HEAD = 64 * 1024
"""Bytes that are looked at to tell what a file is."""

_BROKEN = (OSError, EOFError, zlib.error, tarfile.TarError)
_SUFFIXES = (".gz", ".tgz", ".tar")


class Source:
    """A file, archive or folder that holds a trace. Raises InputError where there is none to read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_folder = path.is_dir()
        self.packed = self.archive = False
        self.member = ""
        if self.is_folder:
            return
        start = self._start()
        if start[:2] == b"PK":
            raise refused(path, "this is a zip archive", "Unpack it and name the file inside.")
        self.packed = start[:2] == b"\x1f\x8b"
        with self.opened(raw=True) as stream:
            block = stream.read(512)
        self.archive = block[257:262] == b"ustar"
        if self.archive:
            self.member = self._first_member()

    def _start(self) -> bytes:
        try:
            with self.path.open("rb") as stream:
                return stream.read(2)
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            raise refused(
                self.path, f"the trace cannot be read: {reason}", "Check the path and its permissions."
            ) from None

    @property
    def name(self) -> str:
        """The file's name as its publisher gave it: without what packing added."""
        name = Path(self.member).name if self.member else self.path.name
        while Path(name).suffix in _SUFFIXES:
            name = Path(name).stem
        return name

    @contextmanager
    def opened(self, *, raw: bool = False) -> Iterator[IO[bytes]]:
        """The unpacked bytes; of an archive those of its first file, unless `raw`."""
        try:
            with self.path.open("rb") as file:
                stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if self.packed else file
                if raw or not self.archive:
                    yield stream
                    return
                with tarfile.open(fileobj=stream, mode="r|") as archive:
                    for entry in archive:
                        if entry.name == self.member:
                            inside = archive.extractfile(entry)
                            assert inside is not None
                            yield inside
                            return
        except _BROKEN as error:
            remedy = "Fetch the file again: it is damaged or cut short."
            raise refused(self.path, f"the data ends or breaks off: {error}", remedy) from None

    def head(self) -> str:
        """The beginning, as text."""
        with self.opened() as stream:
            return stream.read(HEAD).decode("utf-8-sig", errors="replace")

    def lines(self) -> Iterator[tuple[int, str]]:
        """Numbered lines without their ends; of one that is too long, its beginning.

        Bytes that are not UTF-8 become U+FFFD: the row then fails where it matters.
        """
        with self.opened() as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE):
                number += 1
                rest = line
                while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                    rest = stream.readline(LONGEST_LINE)
                text = line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")
                yield number, text.rstrip("\r\n")

    def chunks(self) -> Iterator[str]:
        """The text in pieces of no particular size, for what has no lines."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with self.opened() as stream:
            while piece := stream.read(HEAD):
                yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)

    def members(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Wanted files of a folder or archive, whole, in a stable order, by their path inside.

        Files of more than `LONGEST_MEMBER` are passed over.
        """
        if self.is_folder:
            for name in filter(wanted, self.names()):
                path = self.path / name
                if path.stat().st_size <= LONGEST_MEMBER:
                    yield name, path.read_bytes()
            return
        for archive, entry in self._entries():
            if entry.isfile() and entry.size <= LONGEST_MEMBER and wanted(entry.name):
                inside = archive.extractfile(entry)
                assert inside is not None
                yield entry.name, inside.read()

    def names(self) -> tuple[str, ...]:
        """The paths of the files inside a folder (to some depth, links not followed) or archive, at most many."""
        if self.is_folder:
            return tuple(islice(self._walked(), MOST_MEMBERS))
        return tuple(entry.name for _, entry in self._entries() if entry.isfile())

    def _walked(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.path):
            inside = Path(folder).relative_to(self.path)
            folders[:] = sorted(folders) if len(inside.parts) < DEEPEST else []
            for name in sorted(files):
                yield str(inside / name)

    def _entries(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        with self.opened(raw=True) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in islice(archive, MOST_MEMBERS):
                yield archive, entry

    def _first_member(self) -> str:
        for _, entry in self._entries():
            if entry.isfile() and not Path(entry.name).name.startswith((".", "LICENSE", "README")):
                return entry.name
        raise refused(self.path, "the archive holds no file", "Name another one.")

    def beside(self, *names: str) -> Source | None:
        """The first of these files, plain or packed, that stands beside this one (or in this folder)."""
        folder = self.path if self.is_folder else self.path.parent
        for name in names:
            for suffix in ("", ".gz"):
                path = folder / f"{name}{suffix}"
                if path.is_file():
                    return Source(path)
            packed = folder / f"{Path(name).stem}.tar.gz"
            if packed.is_file():
                return Source(packed)
        return None


def refused(path: Path, message: str, remedy: str, line: int = 0) -> InputError:
    """An InputError about a trace's file."""
    return InputError((Problem(message=message, remedy=remedy, file=str(path), line=line),))
