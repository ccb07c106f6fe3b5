"""The lock of the one writer: a file beside the journal, held with flock as long as the process lives.

The operating system releases it when the process ends in any way, SIGKILL included, so a lock is never
stale. The file itself stays: removing it would let two processes lock two different files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from stargate.base.errors import JournalError, StateConflictError

_NOTE_LIMIT_BYTES = 512


class WriterLock:
    """Held from construction to `release`. Raises StateConflictError while another process holds it."""

    def __init__(self, journal: Path) -> None:
        self.path = journal.with_name(journal.name + "-lock")
        try:
            journal.parent.mkdir(parents=True, exist_ok=True)
            # Close-on-exec: the processes of running attempts outlive the server and must not keep its lock.
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"the lock file {self.path} cannot be opened: {error.strerror}",
                "The server needs to create files in the directory of its journal.",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, _NOTE_LIMIT_BYTES, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StateConflictError(
                f"the journal {journal} is being written by another server ({holder or 'not yet named'})",
                "Stop that server, or give this one a journal of its own. "
                "`stargate journal` commands can read it meanwhile.",
            ) from None
        self._note(
            f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n"
        )

    def _note(self, text: str) -> None:
        # For the message to the next one only; a full disk must not stop a server that could otherwise start.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode()[:_NOTE_LIMIT_BYTES], 0)

    def release(self) -> None:
        """Let another process write. Releasing twice is harmless."""
        if self._file >= 0:
            self._note("")
            os.close(self._file)
            self._file = -1
