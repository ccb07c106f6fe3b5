"""Server-sent events on their way through: only what tells usage, an error or the end is read.

Half an event is kept until its other half comes: no client can do anything with it. The end (`[DONE]`, or the
event that completes a response) is held back until what was used is on record.
"""

from __future__ import annotations

import re

import msgspec

from stargate.gateway.record import Tokens
from stargate.gateway.serving.usage import usage_in

EVENT_LIMIT_BYTES = 8 << 20
"""Of one event."""
_NOTABLE = re.compile(
    rb'"usage"\s*:\s*\{|\[DONE\]|"error"\s*:\s*[{"]|"response\.(?:completed|incomplete|failed)"'
)
_GAP = re.compile(rb"(?<=\n)\r?\n")
_ENDS = frozenset({b'"response.completed"', b'"response.incomplete"', b'"response.failed"'})


class _Event(msgspec.Struct, gc=False):
    type: msgspec.Raw = msgspec.Raw(b"null")
    choices: list[msgspec.Raw] | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_EVENT = msgspec.json.Decoder(_Event)


class OversizedEventError(Exception):
    """An event is larger than what is kept of one."""


class Scanner:
    """One stream. `feed` gives what may go on to the client now; `ended` is what is held back to the last."""

    __slots__ = ("_hide", "_last", "_partial", "_seen", "ended", "error", "events", "said", "tokens")

    def __init__(self, *, hide_usage: bool) -> None:
        self._hide = hide_usage
        """The client did not ask for usage: an event that tells nothing else is kept from it."""
        self._partial = bytearray()
        self._seen = 0
        """Bytes of the partial event in which no gap begins."""
        self._last = False
        """Usage was told by an event that tells nothing else."""
        self.tokens: Tokens | None = None
        self.said = b""
        """Usage as it was written."""
        self.error = b""
        """The first event that tells an error."""
        self.ended = b""
        """The event that ends the stream, and what came after it."""
        self.events = 0
        """Events with data that went on."""

    @property
    def whole(self) -> bool:
        """Whether it came to its end, or told its usage alone, which comes last."""
        return bool(self.ended) or self._last

    def feed(self, chunk: bytes) -> bytes:
        """What of the stream may go on now. Raises OversizedEventError."""
        partial = self._partial
        if partial:
            partial += chunk
            cut = _last_gap(partial, self._seen)
            if cut < 0:
                self._seen = max(0, len(partial) - 3)
                if len(partial) > EVENT_LIMIT_BYTES:
                    raise OversizedEventError
                return b""
            events = bytes(partial[:cut])
            del partial[:cut]
            self._seen = 0
        elif chunk.endswith(b"\n\n"):
            events = chunk
        else:
            cut = _last_gap(chunk, 0)
            cut = max(cut, 0)
            events = chunk[:cut]
            partial += chunk[cut:]
        if self.ended:
            self.ended += events
            return b""
        if _NOTABLE.search(events) is None:
            self.events += events.count(b"data:")
            return events
        return b"".join([event for event in _split(events) if self._passes(event)])

    def rest(self) -> bytes:
        """What came after the last whole event: part of an answer only where the stream ended by itself."""
        rest = bytes(self._partial)
        self._partial.clear()
        return rest

    def _passes(self, event: bytes) -> bool:
        """Whether an event goes on; what it tells is noted."""
        if self.ended:
            self.ended += event
            return False
        data = _data(event)
        read = _read(data)
        # Its own type counts, not one that it quotes, as a response quotes the metadata of its request.
        if data == b"[DONE]" or (read is not None and bytes(read.type) in _ENDS):
            self._note_usage(data)
            self.ended = event
            return False
        self.events += bool(data)
        told = self._note_usage(data)
        if read is None:
            return True
        if not self.error and bytes(read.error) != b"null":
            self.error = data
        alone = told and read.choices is not None and not read.choices
        self._last = self._last or alone
        hidden = alone and self._hide
        self.events -= hidden
        return not hidden

    def _note_usage(self, data: bytes) -> bool:
        found = usage_in(data) if b'"usage"' in data else None
        if found is None:
            return False
        self.tokens, self.said = found
        return True


def _read(data: bytes) -> _Event | None:
    try:
        return _EVENT.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _last_gap(data: bytes | bytearray, start: int) -> int:
    """Where the last whole event ends, from `start` on; -1: nowhere."""
    plain, other = data.rfind(b"\n\n", start), data.rfind(b"\n\r\n", start)
    return max(plain + 2 if plain >= 0 else -1, other + 3 if other >= 0 else -1)


def _split(events: bytes) -> list[bytes]:
    """Whole events, each with its gap."""
    found: list[bytes] = []
    start = 0
    for gap in _GAP.finditer(events):
        if gap.end() > start:
            found.append(events[start : gap.end()])
            start = gap.end()
    if start < len(events):
        found.append(events[start:])
    return found


def _data(event: bytes) -> bytes:
    """The data of an event, its lines joined as the standard says."""
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)
