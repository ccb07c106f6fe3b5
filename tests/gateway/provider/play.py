"""From an ask to what is done on the socket: bytes to write, pauses, silence, a cut."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from stargate.gateway.record import Tokens
from tests.gateway.provider.ask import Ask
from tests.gateway.provider.event import NOTHING, Event, body, events, whole

LONG_LINE_BYTES = 1 << 20
HANG_UP_S = 0.005
FLOOD_HEADERS = 256
FLOOD_VALUE_BYTES = 4_096


class Write(msgspec.Struct, frozen=True):
    """Bytes, and the tokens that are used by having written them."""

    data: bytes
    used: Tokens = NOTHING


class Wait(msgspec.Struct, frozen=True):
    """Nothing for so long."""

    seconds: float


class Stall(msgspec.Struct, frozen=True):
    """Nothing until the client leaves."""


class Drop(msgspec.Struct, frozen=True):
    """The end of the connection: in good order, or by a reset."""

    reset: bool = False
    whole: bool = False
    """The answer is complete: its end is told by this alone."""


Step = Write | Wait | Stall | Drop
_REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found",
            429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


def plain(status: int, content: bytes, *more: str, kind: str = "application/json") -> bytes:
    """A whole answer with its length."""
    return _head(status, kind, f"content-length: {len(content)}", *more) + content


def _head(status: int, kind: str, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", "server: mock", f"content-type: {kind}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@lru_cache(1_024)
def steps(ask: Ask) -> tuple[Step, ...]:
    """What is done to answer."""
    done = tuple(_steps(ask))
    if "trickle" in ask.script.play:
        return tuple(_trickled(done, ask.script.pace_ms / 1_000))
    return done


def _steps(ask: Ask) -> Iterator[Step]:
    play = ask.script.play
    if ask.script.first_ms:
        yield Wait(ask.script.first_ms / 1_000)
    if ask.script.status != 200:
        yield Write(_refusal(ask.script.status))
        return
    before = _before(play)
    if before:
        yield from before
        if not isinstance(before[-1], Write) or "early-hints" not in play:
            return
    yield from _streamed(ask) if ask.stream else _at_once(ask)


def _before(play: frozenset[str]) -> tuple[Step, ...]:
    """What comes in place of an answer, or ahead of it."""
    if "stall-first" in play:
        return (Stall(),)
    if play & {"reset", "shut"}:
        return (Drop("reset" in play),)
    if "garbage" in play:
        return (Write(b"\x16\x03\x01 this is no HTTP \r\n\r\n" * 8), Drop())
    if "header-flood" in play:
        flood = [f"x-{n}: {'x' * FLOOD_VALUE_BYTES}" for n in range(FLOOD_HEADERS)]
        return (Write(_head(200, "application/json", *flood, "content-length: 2") + b"{}"),)
    if "redirect" in play:
        return (Write(plain(307, b"", "location: /v1/models")),)
    if "early-hints" in play:
        return (Write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),)
    return ()


def _refusal(status: int) -> bytes:
    kinds = {400: "invalid_request_error", 429: "rate_limit_error"}
    error = {"message": f"the mock says {status}", "type": kinds.get(status, "server_error"), "code": None}
    later = ("retry-after: 1",) if status in {429, 503} else ()
    return plain(status, json.dumps({"error": {**error, "param": None}}).encode(), *later)


def _more(play: frozenset[str]) -> tuple[str, ...]:
    cookie = ("set-cookie: taste=1; Path=/",) if "cookie" in play else ()
    zipped = ("content-encoding: gzip",) if "gzip" in play else ()
    return (*cookie, *zipped, "x-ratelimit-remaining-requests: 9", "openai-processing-ms: 1")


# --- at once -------------------------------------------------------------------------------------


def _at_once(ask: Ask) -> Iterator[Step]:
    play, used = ask.script.play, whole(ask)
    content = b"<html>busy</html>" if "garbage-body" in play else json.dumps(body(ask)).encode()
    if "long-line" in play:
        content = content[:-1] + b" " * LONG_LINE_BYTES + b"}"
    if "gzip" in play:
        content = gzip.compress(content, mtime=0)
    said = len(content) + 64 * ("long-length" in play) - 16 * ("short-length" in play)
    length = "connection: close" if "until-close" in play else f"content-length: {said}"
    head = _head(200, "application/json", length, *_more(play))
    if play & {"stall", "stall-body", "cut-fin", "cut-rst"}:
        yield Write(head + (b"" if "stall-body" in play else content[: len(content) // 2]), used)
        yield Stall() if play & {"stall", "stall-body"} else Drop("cut-rst" in play)
    elif "split" in play:
        yield Write(head, used)
        yield from _bytewise(content)
    else:
        yield Write(head + content, used)
    if play & {"long-length", "until-close"}:
        yield Drop(whole="until-close" in play)


def _bytewise(content: bytes) -> Iterator[Step]:
    for byte in content:
        yield Write(bytes((byte,)))
        yield Wait(0)


# --- a stream ------------------------------------------------------------------------------------


def _streamed(ask: Ask) -> Iterator[Step]:
    play = ask.script.play
    raw = "until-close" in play
    length = "connection: close" if raw else "transfer-encoding: chunked"
    yield Write(
        _head(200, "text/event-stream; charset=utf-8", length, "cache-control: no-cache", *_more(play))
    )
    if "stall-body" in play:
        yield Stall()
        return
    packer = zlib.compressobj(wbits=31) if "gzip" in play else None
    at = ask.script.at if ask.script.at >= 0 else ask.outputs // 2
    token = 0
    for event in events(ask):
        if event.used.output_tokens or event.data == "[DONE]":
            if token == at and (fault := tuple(_fault(play, event, raw))):
                yield from fault
                return
            token += 1
        text = _worded(event, play, long=token == 1).encode()
        if packer:
            text = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield from _framed(text, event.used, play, raw)
        if ask.script.pace_ms:
            yield Wait(ask.script.pace_ms / 1_000)
    if packer:
        yield from _framed(packer.flush(), NOTHING, play, raw)
    if not raw:
        yield Write(b"0\r\n\r\n")
    if "hang-up" in play:
        yield Wait(HANG_UP_S)
    if raw or "hang-up" in play:
        yield Drop(whole=True)


def _worded(event: Event, play: frozenset[str], *, long: bool) -> str:
    data = event.data
    if "garbage-body" in play and data != "[DONE]":
        data = data[: len(data) // 2]
    if "long-line" in play and long and data.endswith("}"):
        data = f'{data[:-1]},"obfuscation":"{"x" * LONG_LINE_BYTES}"}}'
    name = f"event: {event.name}\n" if event.name else ""
    ahead = ": ping\n\nevent: message\nid: 7\nretry: 10\n" if "comments" in play and not name else ""
    text = f"{ahead}{name}data: {data}\n\n"
    return text.replace("\n", "\r\n") if "crlf" in play else text


def _framed(text: bytes, used: Tokens, play: frozenset[str], raw: bool) -> Iterator[Step]:
    if "split" in play:
        for index in range(len(text)):
            piece = text[index : index + 1]
            framed = piece if raw else b"1\r\n%b\r\n" % piece
            yield Write(framed, used) if index == 0 else Write(framed)
            yield Wait(0)
    else:
        yield Write(text if raw else b"%x\r\n%b\r\n" % (len(text), text), used)


def _fault(play: frozenset[str], event: Event, raw: bool) -> Iterator[Step]:
    """What happens instead of the event; nothing where no fault is played."""
    if "stall" in play:
        yield Stall()
    elif play & {"cut-fin", "cut-rst", "long-length", "short-length"}:
        half = f"data: {event.data[: len(event.data) // 2]}".encode()
        yield Write(half if raw else b"%x\r\n%b" % (len(half) * 2 + 9, half))
        yield Drop("cut-rst" in play)
    elif "error-event" in play:
        error = {"message": "the mock broke off", "type": "server_error", "param": None, "code": 500}
        text = f"data: {json.dumps({'error': error})}\n\n".encode()
        yield Write(text if raw else b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text))
        if raw:
            yield Drop()


def _trickled(done: tuple[Step, ...], pace_s: float) -> Iterator[Step]:
    for step in done:
        if not isinstance(step, Write):
            yield step
            continue
        for index, byte in enumerate(step.data):
            yield Write(bytes((byte,)), step.used) if index == 0 else Write(bytes((byte,)))
            yield Wait(pace_s)
