"""The end of an epoch, where frames are appended: each write whole and durable, or not there.

Blocking, and for one thread at a time: the spool's own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from stargate.base import wire
from stargate.gateway.metering.epoch import (
    DURABLE,
    Far,
    pack_far,
    segment_path,
    size_bytes,
    sync_folder,
    write_at,
)
from stargate.gateway.metering.frame import Header, body, frame, seed


def first_frame(header: Header) -> bytes:
    """What a segment begins with."""
    return frame(body([wire.pack(header)]), seed(header.epoch, header.segment), 0)


class Tail:
    """Appends to the folder of an epoch. Raises OSError where it cannot; then the write has left nothing."""

    def __init__(self, folder: Path, far: Far, admitted: int, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment, self._offset, self._settled = far
        self._admitted = admitted
        self._seed = seed(folder.name, far.segment)
        self._torn = True
        """There may be bytes after `_offset` that nobody may find."""
        self._unsynced = False
        """A sync has failed. Linux then forgets what it could not write, so this segment takes no more."""
        self._file = os.open(segment_path(folder, far.segment), os.O_RDWR | os.O_CLOEXEC)
        self._far_file = os.open(folder / DURABLE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._elsewhere_bytes = 0
        self.free_bytes = 0
        """Of the disk, as of the last write or survey."""
        self._mend()
        self._say()
        self.survey()

    @property
    def spool_bytes(self) -> int:
        """What the segments of all epochs take, as of the last survey, and what was appended here since."""
        return self._elsewhere_bytes + self._offset

    def survey(self) -> None:
        """Look what the other segments of all epochs take, which go when they are acknowledged, and what is free."""
        self._look()
        self._elsewhere_bytes = max(0, size_bytes(self._folder.parent) - self._offset)

    def append(self, records: Sequence[bytes], admitted: int, settled: int) -> None:
        """Packed records as one frame, durable on return; so many of them are admissions and settlements."""
        if self._torn:
            self._mend()
        if self._offset >= self._segment_bytes or self._unsynced:
            self._begin_segment()
        data = frame(body(records), self._seed, self._offset)
        self._torn = True
        try:
            write_at(self._file, data, self._offset)
            self._sync()
        except OSError:
            with suppress(OSError):  # else the next write begins with it
                self._mend()
            raise
        self._torn = False
        self._offset += len(data)
        self._admitted += admitted
        self._settled += settled
        self._say()
        self._look()

    def close(self) -> None:
        """Cut what a failed write may have left, and close the files."""
        with suppress(OSError):
            if self._torn:
                self._mend()
        os.close(self._file)
        os.close(self._far_file)

    def _sync(self) -> None:
        try:
            os.fdatasync(self._file)
        except OSError:
            self._unsynced = True
            raise

    def _mend(self) -> None:
        os.ftruncate(self._file, self._offset)
        os.fdatasync(self._file)
        self._torn = False

    def _begin_segment(self) -> None:
        header = Header(1, self._folder.name, self._segment + 1, self._admitted, self._settled)
        data = first_frame(header)
        path = segment_path(self._folder, header.segment)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_at(file, data, 0)
            os.fdatasync(file)
            sync_folder(self._folder)
        except OSError:
            os.close(file)
            with suppress(OSError):
                path.unlink()
            raise
        os.close(self._file)
        self._file, self._segment, self._offset = file, header.segment, len(data)
        self._seed = seed(self._folder.name, self._segment)
        self._unsynced = False
        self.survey()

    def _look(self) -> None:
        status = os.fstatvfs(self._file)
        self.free_bytes = status.f_bavail * status.f_frsize

    def _say(self) -> None:
        # For readers beside us. Not synced: with the machine goes its reader, and after that the segments count.
        with suppress(OSError):
            os.pwrite(self._far_file, pack_far(Far(self._segment, self._offset, self._settled)), 0)
