"""What the runs of a sweep came to, on disk: an interrupted sweep goes on where it was."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

import stargate
from stargate.base import wire
from stargate.rehearsal.sweep.run import Ran

RUNS = "runs.jsonl"


class _Kept(msgspec.Struct, frozen=True):
    program: str
    ran: Ran


class Folder:
    """A line for each run, written as it ends. Runs count if this very program made them, from the same input.

    A context manager. Raises OSError where it may not write. A line that was torn by a crash is passed over.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._program = program_digest()
        self._runs: dict[str, Ran] = {}
        file = path / RUNS
        whole = file.read_bytes() if file.exists() else b""
        for line in whole.splitlines():
            try:
                kept = wire.from_json(line, _Kept)
            except msgspec.DecodeError:
                continue
            if kept.program == self._program:
                self._runs[kept.ran.input_digest] = kept.ran
        self._out = file.open("ab")
        if whole and not whole.endswith(b"\n"):
            self._out.write(b"\n")

    def __len__(self) -> int:
        return len(self._runs)

    def find(self, digest: str) -> Ran | None:
        """The run with this input, if it was kept."""
        return self._runs.get(digest)

    def keep(self, ran: Ran) -> None:
        """Write it down."""
        self._runs[ran.input_digest] = ran
        self._out.write(wire.to_json(_Kept(self._program, ran)) + b"\n")
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.close()


def program_digest() -> str:
    """Of every file of this package: two programs that differ may decide differently."""
    root = Path(stargate.__file__).parent
    summed = blake2b(digest_size=16)
    for file in sorted(root.rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            summed.update(f"{file.relative_to(root).as_posix()}\n{file.stat().st_size}\n".encode())
            summed.update(file.read_bytes())
    return summed.hexdigest()
