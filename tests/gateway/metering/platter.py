"""What a disk may hold after a loss of power: what was synced for sure, of the rest any part.

It listens to `fsync` and `fdatasync`. A file that was synced holds what it held then; what was written since may be
there, may be cut, may be a hole. A folder that was synced has the names that it had then; of what was made, renamed and
removed since any part, in any order, but a file that takes another's name does so at once.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

Listing = dict[str, int]


class Platter:
    def __init__(self, root: Path, patch: pytest.MonkeyPatch, before: Callable[[], None]) -> None:
        self._root = root
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, Listing] = {root.stat().st_ino: {}}
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._listening(getattr(os, name), before))

    def _listening(self, real: Callable[[int], None], before: Callable[[], None]) -> Callable[[int], None]:
        def sync(file: int) -> None:
            before()  # the power may go while it is being synced
            real(file)
            status = os.fstat(file)
            path = Path(f"/proc/self/fd/{file}").readlink()
            if stat.S_ISDIR(status.st_mode):
                self._folders[status.st_ino] = listing(path)
            else:
                self._files[status.st_ino] = path.read_bytes()

        return sync

    def image(self, target: Path, chance: random.Random) -> None:
        """Write what may be left."""
        self._folder(self._root.stat().st_ino, self._root, target, chance)

    def _folder(self, inode: int, now: Path | None, target: Path, chance: random.Random) -> None:
        target.mkdir()
        current = listing(now) if now is not None and now.exists() else {}
        synced = self._folders.get(inode, {})
        names = self._names(synced, current, chance)
        where = {child: name for name, child in current.items()}  # it may have another name by now
        for name, child in names.items():
            path = now / where[child] if now is not None and child in where else None
            if child in self._folders or (path is not None and path.is_dir()):
                self._folder(child, path, target / name, chance)
            else:
                written = path.read_bytes() if path is not None else b""
                (target / name).write_bytes(self._left(self._files.get(child, b""), written, chance))

    def _names(self, synced: Listing, current: Listing, chance: random.Random) -> Listing:
        was = {child: name for name, child in synced.items()}
        names = {name: child for name, child in current.items() if was.get(child) == name}
        for name, child in current.items():
            if name not in names:  # made, or renamed
                if chance.random() < 0.5:
                    names[name] = child
                elif child in was:
                    names[was[child]] = child
        for name, child in synced.items():
            if (
                child not in current.values()
                and name not in names
                and (name in current or chance.random() < 0.5)
            ):
                names[name] = child  # removed, or replaced
        return names

    def _left(self, synced: bytes, written: bytes, chance: random.Random) -> bytes:
        """Of a file: what was synced, then any part of what was written since."""
        if not written.startswith(synced):  # cut, or written over, as a whole
            return chance.choice((synced, written)) if written else synced
        rest = written[len(synced) :]
        cut = chance.randint(0, len(rest))
        left = (rest, rest[:cut], b"", rest[:cut] + bytes(len(rest) - cut), bytes(cut) + rest[cut:])
        return synced + chance.choice(left)


def listing(folder: Path) -> Listing:
    """Names and inodes."""
    with os.scandir(folder) as entries:
        return {entry.name: entry.inode() for entry in entries}
