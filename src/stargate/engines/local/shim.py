"""The small process that stands over one rank of a job, so that nothing of it is ever orphaned.

It starts the rank's phases (`setup`, then `run` when told to go on), copies their output to capped
log files, passes signals on, and takes everything down with it: on Linux it is the subreaper of its
rank, so even a grandchild that made its own session stays below it. When the agent dies, the control
pipe closes at once and the shim kills all that is below it; when the shim dies, the rank's first
process dies with it (PR_SET_PDEATHSIG) and the agent, itself a subreaper, kills the rest.

Only the standard library is used, and it is started by path (`python -I -S shim.py`), because there is
one shim per rank and it should cost milliseconds. The agent writes four bytes of length and a `Spec` as
JSON to its standard input, then single bytes:

    g  go on to the next phase      t  SIGTERM to every process group of the rank
    k  SIGKILL to all of it         (end of input: as k, and leave)

and reads lines of JSON from its standard output: `started` (phase, pid), `ended` (phase, code) and, last,
`exit` (phase, code), after which nothing of the rank is left. A negative code is a signal's number.
On systems without subreapers (macOS) a process that leaves the rank's session *and* is orphaned escapes.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TICK_S = 1.0
"""How often the shim looks whether its agent still is its parent, should the pipe not have told."""
LEFTOVER_S = 1.0
"""What a rank leaves running in the background after it ended has this long after SIGTERM."""
KILL_LIMIT_S = 10.0
"""A process that outlives SIGKILL for this long hangs in the kernel; nothing more can be done."""
TAIL_BYTES = 65_536
"""Of a log that passed its limit, this much of the end is kept as well."""
_CHUNK = 65_536
_HANDLED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Phase(TypedDict):
    """One command of the rank, as an argument list."""

    name: str
    argv: list[str]


class Spec(TypedDict):
    """All that a shim needs to know about its rank."""

    agent: int
    """The agent's process id; when it is no longer the parent, the rank ends."""
    phases: list[Phase]
    env: dict[str, str]
    cwd: str
    log: str
    shared_log: str
    """One file for all ranks, each line with `prefix`; empty: none."""
    prefix: str
    log_limit_bytes: int
    exit_file: str


def _linux_prctl() -> Callable[[int, int], int] | None:
    """The system call of that name, or None where it does not exist."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # noqa: PLC0415 - costs 10 ms and is of use on Linux only

    libc = ctypes.CDLL(None, use_errno=True)

    def prctl(option: int, value: int) -> int:
        return int(libc.prctl(option, value, 0, 0, 0))

    return prctl


def become_subreaper() -> bool:
    """Orphans below this process become its children instead of init's. False where the system cannot."""
    prctl = _linux_prctl()
    return prctl is not None and prctl(PR_SET_CHILD_SUBREAPER, 1) == 0


def _parents() -> Iterator[tuple[int, int]]:
    """(process, its parent) of every live process: zombies have nothing left to kill."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib costs a third of the start-up time
        with os.popen("ps -axo pid=,ppid=,state=") as listing:  # noqa: S605, S607 - a constant
            for line in listing:
                pid, parent, state = line.split()
                if not state.startswith("Z"):
                    yield int(pid), int(parent)
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                fields = file.read().rpartition(b") ")[2].split()
        except OSError:
            continue
        if fields and fields[0] != b"Z":
            yield int(name), int(fields[1])


def descendants(root: int, spare: Container[int] = ()) -> list[int]:
    """Every live process below `root`, nearest first, without `root`, `spare` and what is below those."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        if pid not in spare:
            children.setdefault(parent, []).append(pid)
    found = list(children.get(root, ()))
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to each; those already gone are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


class Log:
    """A log file that cannot fill the disk: its beginning up to the limit, a notice, and its last part."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self._left = limit_bytes
        self._tail = b""
        self._dropped = 0

    def write(self, data: bytes) -> None:
        """Append, or keep for the end when the limit is reached. A full disk loses output, never the job."""
        head, rest = data[: self._left], data[self._left :]
        if head:
            try:
                self._left -= os.write(self._fd, head)
            except OSError:
                self._dropped += len(head)
        if rest:
            kept = self._tail + rest
            self._tail = kept[-TAIL_BYTES:]
            self._dropped += len(kept) - len(self._tail)

    def close(self) -> None:
        """Write what was kept of the end."""
        with suppress(OSError):
            if self._dropped:
                os.write(self._fd, b"\n[... %d bytes left out: the log limit ...]\n" % self._dropped)
            os.write(self._fd, self._tail)
        os.close(self._fd)


class Shim:
    """One rank under supervision, from the first phase to the last process."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._prctl = _linux_prctl()
        self._me = os.getpid()
        self._main = 0
        self._status: int | None = None
        self._childless = True
        self._go = False
        self._stopping = False
        self._signalled = False
        self._log = Log(spec["log"], spec["log_limit_bytes"])
        self._shared = Log(spec["shared_log"], spec["log_limit_bytes"]) if spec["shared_log"] else None
        self._line = b""
        self._log_reader, self._log_writer = os.pipe()
        self._wake_reader, wake_writer = os.pipe()
        for fd in (self._log_reader, self._wake_reader, wake_writer, 0):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._heard)
        for ignored in (signal.SIGHUP, signal.SIGINT):
            signal.signal(ignored, lambda *_: None)
        self._poll = select.poll()
        for fd in (0, self._log_reader, self._wake_reader):
            self._poll.register(fd, select.POLLIN)

    def run(self) -> None:
        """All phases; then nothing of the rank is left and the agent has been told how it ended."""
        name, code = "", 0
        for index, phase in enumerate(self._spec["phases"]):
            name = phase["name"]
            if index:
                while not self._go and not self._stopping:
                    self._wait(TICK_S)
            if self._stopping:
                code = -signal.SIGTERM
                break
            self._go = False
            code = self._execute(phase)
            _tell(event="ended", phase=name, code=code)
            if code:
                break
        self._clear()
        self._drain()
        _write_exit(self._spec["exit_file"], name, code)
        _tell(event="exit", phase=name, code=code)

    def _execute(self, phase: Phase) -> int:
        """One phase to its end: of its first process, or of everything once it was told to stop."""
        self._start(phase)
        while True:
            self._wait(TICK_S)
            if self._status is not None and not (self._stopping and self._left()):
                return self._status

    def _start(self, phase: Phase) -> None:
        self._status = None
        self._childless = False
        # A signal that comes before the command has begun must find the default action, not this one's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        self._main = os.fork()
        if self._main == 0:
            self._become(phase)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        _tell(event="started", phase=phase["name"], pid=self._main)

    def _become(self, phase: Phase) -> None:
        """In the child: its own session, default signals, output to the log pipe, and the command."""
        try:
            os.setsid()
            if self._prctl is not None:
                self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != self._me:
                    os._exit(125)
            for number in (*_HANDLED, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self._log_writer, 1)
            os.dup2(self._log_writer, 2)
            os.chdir(self._spec["cwd"])
            os.execvpe(phase["argv"][0], phase["argv"], self._spec["env"])  # noqa: S606 - its very purpose
        except OSError as error:
            os.write(2, f"cannot start {phase['argv'][0]!r}: {error}\n".encode())
        finally:
            os._exit(127)

    def _heard(self, *_: object) -> None:
        """SIGTERM from outside is passed on; not from here, where anything may be under way."""
        self._signalled = True

    def _left(self) -> bool:
        """Whether anything of the rank is alive."""
        if not self._childless:
            return True
        return self._prctl is None and self._signal_group(0)

    def _signal_group(self, number: int) -> bool:
        """Signal the session that the rank began in. False when nothing of it is left."""
        if not self._main:
            return False
        try:
            os.killpg(self._main, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _wait(self, timeout_s: float) -> None:
        """Handle whatever happens next, for at most `timeout_s`."""
        for fd, _ in self._poll.poll(timeout_s * 1000):
            if fd == 0:
                self._control()
            elif fd == self._log_reader:
                self._copy()
            else:
                with suppress(BlockingIOError):
                    os.read(self._wake_reader, _CHUNK)
        self._reap()
        if self._signalled:
            self._signalled = False
            self._command(b"t")
        if os.getppid() != self._spec["agent"]:
            self._leave()

    def _control(self) -> None:
        try:
            commands = os.read(0, _CHUNK)
        except BlockingIOError:
            return
        if not commands:
            self._leave()
        for value in commands:
            self._command(bytes([value]))

    def _command(self, command: bytes) -> None:
        if command == b"g":
            self._go = True
        elif command == b"t":
            self._stopping = True
            self._terminate()
        elif command == b"k":
            self._stopping = True
            self._kill()

    def _terminate(self) -> None:
        """SIGTERM to every process group of the rank, so that shells and what they started both hear it."""
        if self._prctl is None:
            self._signal_group(signal.SIGTERM)
        groups, mine = set(), os.getpgrp()
        for pid in descendants(self._me):
            with suppress(ProcessLookupError, PermissionError):
                group = os.getpgid(pid)
                groups.add(group)
                if group == mine:  # Forked, and not yet in a session of its own.
                    os.kill(pid, signal.SIGTERM)
        for group in groups - {mine}:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGTERM)

    def _kill(self) -> None:
        """SIGKILL until nothing is left: what forks between two looks is found by the next one."""
        deadline = time.monotonic() + KILL_LIMIT_S
        while self._left() and time.monotonic() < deadline:
            signal_all(descendants(self._me), signal.SIGKILL)
            if self._prctl is None:
                self._signal_group(signal.SIGKILL)
            time.sleep(0.002)
            self._reap()

    def _clear(self) -> None:
        """Nothing that the rank started outlives it."""
        self._reap()
        if not self._left():
            return
        self._terminate()
        deadline = time.monotonic() + LEFTOVER_S
        while self._left() and time.monotonic() < deadline:
            self._wait(0.05)
        self._kill()

    def _leave(self) -> None:
        """The agent is gone: so is this rank."""
        self._kill()
        os._exit(1)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._main:
                self._status = os.waitstatus_to_exitcode(status)

    def _copy(self) -> bool:
        """Move one piece of output into the logs. False when there is none."""
        try:
            data = os.read(self._log_reader, _CHUNK)
        except BlockingIOError:
            return False
        self._log.write(data)
        if self._shared is not None:
            whole, newline, self._line = (self._line + data).rpartition(b"\n")
            if newline:
                self._share(whole)
            elif len(self._line) > TAIL_BYTES:
                self._share(self._line)
                self._line = b""
        return bool(data)

    def _share(self, lines: bytes) -> None:
        """Whole lines in one write: appending writes of several ranks do not mix within a line."""
        assert self._shared is not None, "called with a shared log only"
        prefix = self._spec["prefix"].encode()
        self._shared.write(b"".join(prefix + line + b"\n" for line in lines.split(b"\n")))

    def _drain(self) -> None:
        while self._copy():
            pass
        self._log.close()
        if self._shared is not None:
            if self._line:
                self._share(self._line)
            self._shared.close()


def _tell(**event: object) -> None:
    """One event to the agent; if it is gone, the control pipe will say so."""
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(event).encode() + b"\n")


def _write_exit(path: str, phase: str, code: int) -> None:
    """The exit code, whole or not at all."""
    fresh = f"{path}.new"
    with suppress(OSError):
        with open(fresh, "w", encoding="ascii") as file:  # noqa: PTH123 - see above
            json.dump({"phase": phase, "code": code}, file)
        os.replace(fresh, path)  # noqa: PTH105 - see above


def frame(spec: Spec) -> bytes:
    """What the agent writes first."""
    body = json.dumps(spec).encode()
    return len(body).to_bytes(4, "big") + body


def _read(count: int) -> bytes:
    """Exactly so many bytes of standard input; without them there is nothing to stand over."""
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            os._exit(1)
        data += piece
    return data


def main() -> None:
    """Entry of the process."""
    spec: Spec = json.loads(_read(int.from_bytes(_read(4), "big")))
    become_subreaper()
    Shim(spec).run()


if __name__ == "__main__":
    main()
