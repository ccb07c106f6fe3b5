"""What must be true before a gang's processes start: a place to work in, its secrets, the fence raised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stargate.base.errors import EngineError
from stargate.engines.local.fence import raise_epoch

if TYPE_CHECKING:
    from stargate.engines.local.layout import Layout
    from stargate.engines.local.verdict import Fault
    from stargate.engines.local.wire import Job


class UnfitError(EngineError):
    """The attempt cannot start; `failure` says whose fault that is."""

    def __init__(self, failure: Fault, message: str, remedy: str) -> None:
        self.failure: Fault = failure
        super().__init__(message, remedy)


class Ground(msgspec.Struct, frozen=True):
    """What a gang starts from."""

    cwd: Path
    checkpoint: Path
    secrets: dict[str, str]


def prepare(job: Job, layout: Layout) -> Ground:
    """Check and set up. Raises UnfitError, OSError. May wait for a moment: call it off the event loop."""
    cwd = _working_directory(job, layout)
    secrets = {variable: _secret(name, layout) for variable, name in job.secrets.items()}
    checkpoint = layout.checkpoint(job.workload, job.slot)
    epoch = raise_epoch(checkpoint, job.epoch)
    if epoch > job.epoch:
        text = f"attempt number {epoch} of {job.workload} has started, so number {job.epoch} may not"
        raise UnfitError("infrastructure", text, "Start a newer one.")
    return Ground(cwd, checkpoint, secrets)


def _working_directory(job: Job, layout: Layout) -> Path:
    if job.mounts:
        text = f"local nodes do not mount files, and `file_mounts` asks for {', '.join(job.mounts)}"
        raise UnfitError("user", text, "They see this machine's files: use those, or set `workdir`.")
    if not job.workdir:
        return layout.home(job.attempt).path
    if "://" in job.workdir:
        text = f"local nodes do not clone `workdir` {job.workdir}"
        raise UnfitError("user", text, "Clone it and give the folder.")
    folder = Path(job.workdir).expanduser()
    if not folder.is_absolute() or not folder.is_dir():
        text = f"`workdir` {job.workdir} is not a folder on this machine"
        raise UnfitError("user", text, "Give the absolute path of one that is.")
    return folder


def _secret(name: str, layout: Layout) -> str:
    path = layout.secret(name)
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        text = f"secret {name!r} cannot be read ({type(error).__name__})"
        raise UnfitError("user", text, f"Put its value into {path}.") from error
