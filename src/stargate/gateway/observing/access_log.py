"""The access log: one line of JSON for each request, without its prompt, its answer and its headers.

Lines are gathered on the event loop and written by a thread each second, whole lines at a time: several workers share
one file. Where it was renamed or removed by who rotates it, a new one is begun within a second.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from stargate.gateway.observing.passage import Passage
from stargate.gateway.record import Tokens

STDOUT = "-"
GATHERED_LIMIT_BYTES = 8 << 20
"""Not yet written; what comes beyond is dropped, and counted."""
PIECE_BYTES = 4_096
"""As much as a pipe takes at once without another's line in between."""
NAME_LIMIT = 128
_JSON = msgspec.json.Encoder()
_NOTHING = Tokens()


class Line(msgspec.Struct, frozen=True, gc=False):
    """One request. Times in milliseconds are from its arrival."""

    time: datetime
    """When it was over."""
    request: str
    """Its id, as in `stargate explain`."""
    key: str
    key_name: str
    product: str
    team: str
    client: str
    """Address and port that it came from: a proxy's, where there is one."""
    operation: str
    model: str
    """The one that answered; else as the client wrote it, cut after NAME_LIMIT characters."""
    stream: bool
    endpoint: str
    provider: str
    attempts: int
    outcome: str
    """Of the attempt that is charged, else of the last; empty: nobody was asked."""
    status: int
    """What the client was told; 0: it left before."""
    code: str
    """Why it was refused."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    counted: str
    """Who counted them."""
    first_byte_ms: float
    """0: none was sent."""
    total_ms: float
    received_bytes: int
    sent_bytes: int


class AccessLog:
    """One worker's lines, to a file or to standard output. `put` is for a thread, the others for the event loop."""

    def __init__(self, path: str) -> None:
        self._path = None if path == STDOUT else Path(path)
        self._file = -1
        self._lines: list[bytes] = []
        self._gathered_bytes = 0
        self._torn = False
        self.dropped_lines = 0

    def write(self, passage: Passage, now_us: int, client: str) -> None:
        """A request is over."""
        if self._gathered_bytes >= GATHERED_LIMIT_BYTES:
            self.dropped_lines += 1
            return
        line = _JSON.encode(line_of(passage, now_us, client)) + b"\n"
        self._lines.append(line)
        self._gathered_bytes += len(line)

    def gathered(self) -> list[bytes]:
        """What is to be written next."""
        lines, self._lines, self._gathered_bytes = self._lines, [], 0
        return lines

    def put(self, lines: list[bytes]) -> None:
        """Write them. What cannot be written is dropped, and counted: serving does not wait for it."""
        done = 0
        try:
            for data, count in _pieces(lines):
                self._put(data)
                done += count
        except OSError:
            self.dropped_lines += len(lines) - done

    def _put(self, data: bytes) -> None:
        file = self._opened()
        if self._torn:
            data = b"\n" + data
        written = os.write(file, data)
        while written < len(data):  # a disk that is nearly full takes a part, and says so only at the next
            self._torn = True
            written += os.write(file, data[written:])
        self._torn = False

    def _opened(self) -> int:
        if self._path is None:
            return 1
        if self._file >= 0:
            mine = os.fstat(self._file)
            try:
                there = self._path.stat()
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_ino, there.st_dev) == (mine.st_ino, mine.st_dev):
                return self._file
            os.close(self._file)
            self._file = -1
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return self._file


def line_of(passage: Passage, now_us: int, client: str) -> Line:
    """What is said of a request."""
    application, settled, admitted, endpoint = (
        passage.application,
        passage.settled,
        passage.admitted,
        passage.endpoint,
    )
    scope = application.scope if application is not None else None
    used = settled.tokens if settled is not None else _NOTHING
    return Line(
        time=datetime.fromtimestamp(now_us / 1e6, UTC),
        request=passage.request,
        key=application.id if application is not None else "",
        key_name=application.name if application is not None else "",
        product=scope.product if scope is not None else "",
        team=scope.team if scope is not None else "",
        client=client,
        operation=passage.operation,
        model=admitted.model if admitted is not None else passage.asked_model[:NAME_LIMIT],
        stream=passage.stream,
        endpoint=endpoint.id if endpoint is not None else "",
        provider=endpoint.provider if endpoint is not None else "",
        attempts=passage.tries,
        outcome=settled.outcome if settled is not None else "",
        status=passage.status,
        code=passage.code,
        input_tokens=used.input_tokens,
        cached_tokens=used.cached_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.reasoning_tokens,
        counted=settled.counted if settled is not None else "none",
        first_byte_ms=(passage.first_us - passage.began_us) / 1_000 if passage.first_us else 0.0,
        total_ms=(now_us - passage.began_us) / 1_000,
        received_bytes=passage.received_bytes,
        sent_bytes=passage.sent_bytes,
    )


def _pieces(lines: list[bytes]) -> list[tuple[bytes, int]]:
    """Whole lines, joined to about PIECE_BYTES, and how many each piece holds."""
    pieces: list[tuple[bytes, int]] = []
    start = size = 0
    for index, line in enumerate(lines):
        if size and size + len(line) > PIECE_BYTES:
            pieces.append((b"".join(lines[start:index]), index - start))
            start, size = index, 0
        size += len(line)
    if start < len(lines):
        pieces.append((b"".join(lines[start:]), len(lines) - start))
    return pieces
