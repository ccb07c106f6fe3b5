"""Cases that failed, as files: to be run for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.rehearsal.swarm.case import Case
from stargate.rehearsal.swarm.run import Result


def keep(result: Result, folder: Path, commit: str) -> Path:
    """Write a failing case down: `<seed>.json`, with what was violated and the commit where it was."""
    case = msgspec.structs.replace(result.case, found=result.violations[0], commit=commit)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.seed}.json"
    path.write_bytes(msgspec.json.format(wire.to_json(case), indent=1) + b"\n")
    return path


def kept(path: Path) -> Case:
    """A case that was written down."""
    return wire.from_json(path.read_bytes(), Case)
