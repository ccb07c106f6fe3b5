"""Where everything of the local engine lies below its root, and how a file is replaced without tearing.

    agents/<provider>.json          where its agent listens, and its token (0600)
    agents/<provider>.lock          held by the agent as long as it lives
    agents/<provider>.log           what the agent has to say
    agents/<provider>.attempts/     one empty file per attempt that this agent may still report on
    attempts/<attempt>/             made whole by one rename: its existence means "started once"
        job.json  outcome.json  address  progress  rank-<n>.log  all.log  exit-<n>  checkpoint-request
    secrets/<name>                  values that workloads name in `secrets` (0600, put there by people or the server)
    work/<workload>/checkpoint/     what the program saves; seen by all providers, as object storage is
        EPOCH                       the number of the newest attempt; lower ones may no longer write

Everything is readable by the owner only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec

from stargate.base.errors import EngineError
from stargate.base.ids import is_name

_WRITES = count()


class Home(msgspec.Struct, frozen=True):
    """The directory of one attempt."""

    path: Path

    @property
    def job(self) -> Path:
        """What was to be run."""
        return self.path / "job.json"

    @property
    def outcome(self) -> Path:
        """How it ended; written once."""
        return self.path / "outcome.json"

    @property
    def progress(self) -> Path:
        """What the program says about itself."""
        return self.path / "progress"

    @property
    def checkpoint_request(self) -> Path:
        """Touched when the program should save its state."""
        return self.path / "checkpoint-request"

    @property
    def address(self) -> Path:
        """`host:port` of a service's first rank."""
        return self.path / "address"

    def log(self, rank: int | None) -> Path:
        """The output of one rank, or of all together."""
        return self.path / ("all.log" if rank is None else f"rank-{rank}.log")

    def exit(self, rank: int) -> Path:
        """How a rank ended."""
        return self.path / f"exit-{rank}"


class Layout:
    """Paths below the root. Names are checked here, so no name can lead anywhere else."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def home(self, attempt: str) -> Home:
        """The directory of an attempt, whether it exists or not."""
        return Home(self.root / "attempts" / _safe(attempt, "attempt"))

    def agent(self, provider: str, suffix: str) -> Path:
        """A file of a provider's agent: `json`, `lock` or `log`."""
        return self.root / "agents" / f"{_safe(provider, 'provider')}.{suffix}"

    def index(self, provider: str) -> Path:
        """The directory that lists the attempts an agent may still report on."""
        return self.agent(provider, "attempts")

    def checkpoint(self, workload: str, slot: int) -> Path:
        """Where a run, or one replica of a service, keeps its state."""
        name = "checkpoint" if slot == 0 else f"checkpoint-{slot}"
        return self.root / "work" / _safe(workload, "workload") / name

    def secret(self, name: str) -> Path:
        """The file that holds a secret's value."""
        return self.root / "secrets" / _safe(name, "secret")

    def make(self, provider: str) -> None:
        """Create what an agent needs. Raises EngineError when the root cannot be written."""
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for path in (self.root, self.root / "attempts", self.root / "agents", self.index(provider)):
                path.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise EngineError(
                f"the local engine cannot write below {self.root}: {error}",
                "Give it a data directory that you may write to.",
            ) from error


def keep_secret(root: Path, name: str, text: str | None) -> None:
    """Let workloads name a secret from now on; None: no longer. Raises EngineError where it cannot be written."""
    path = Layout(root).secret(name)
    try:
        if text is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, text.encode(), durable=True)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be written: {error}", "Check free space and permissions."
        ) from error


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part. Mode 0600."""
    fresh = _fresh(path)
    try:
        _fill(fresh, data, durable=durable)
        fresh.replace(path)
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()
    if durable:
        sync_directory(path.parent)


def write_once(path: Path, data: bytes) -> bool:
    """Create a file with this content unless it exists; the first writer wins. Durable. True if it was this one."""
    fresh = _fresh(path)
    try:
        _fill(fresh, data, durable=True)
        try:
            os.link(fresh, path)
        except FileExistsError:
            return False
    finally:
        with suppress(FileNotFoundError):
            fresh.unlink()
    sync_directory(path.parent)
    return True


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _fresh(path: Path) -> Path:
    """A name beside it that no other writer uses, in this process or another."""
    return path.with_name(f".{path.name}.{os.getpid()}.{next(_WRITES)}")


def _fill(path: Path, data: bytes, *, durable: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())


def _safe(name: str, what: str) -> str:
    if not is_name(name):
        raise EngineError(
            f"{what} name {name!r} is not safe in a path",
            "Use letters, digits, dot, dash and underscore.",
        )
    return name
