"""What a request asks of the mock provider beyond OpenAI's words: `play=comments,cut-fin&tokens=8&at=3`.

It stands in the body's field `mock`, in the header `x-mock`, in the model's name after a `?`, or is the mode that
`POST /_mode` set for all; the first of these that is there counts.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec

STYLES = {
    "comments": "pings, comments and `event:` lines between the events",
    "continuous": "usage so far on every chunk, as vLLM's continuous_usage_stats",
    "cookie": "sets a cookie",
    "crlf": "lines end in CRLF",
    "early-hints": "103 and 100 before the answer",
    "empty-choices": "begins with a chunk without choices, as Azure does",
    "gzip": "compresses, whatever was accepted",
    "hang-up": "closes the connection a moment after a stream, without having said so, as llama.cpp does",
    "long-line": "the first token comes with a megabyte beside it on its line",
    "no-done": "no [DONE]",
    "no-usage": "no usage at all",
    "nulls": "`usage: null` on every chunk but the last",
    "split": "every byte of the body is an HTTP chunk of its own",
    "trickle": "every byte is written on its own, headers included, with `pace_ms` between",
    "until-close": "no length and no chunks: the answer ends with the connection",
    "zero-usage": "says that it used nothing",
}
FAULTS = {
    "cut-fin": "closes in the middle of a chunk",
    "cut-rst": "resets in the middle of a chunk",
    "error-event": "an error inside a 200",
    "garbage": "no HTTP at all",
    "garbage-body": "a body that is no JSON",
    "header-flood": "a megabyte of headers",
    "long-length": "announces more than it sends, then closes",
    "redirect": "sends the client elsewhere",
    "reset": "resets before the first byte",
    "shut": "closes before the first byte",
    "short-length": "announces less than it sends",
    "stall": "falls silent at token `at`",
    "stall-body": "falls silent after the headers",
    "stall-first": "never says a byte",
    "400": "refuses", "429": "refuses, with a retry-after", "500": "fails", "503": "fails",
}  # fmt: skip


class Script(msgspec.Struct, frozen=True):
    """How an answer is played."""

    play: frozenset[str] = frozenset()
    tokens: int = 0
    """Of output; 0: as many as the request allows, at most 16."""
    reasoning: int = 0
    """The first so many of them are reasoning."""
    cached: int = 0
    """So many of the input are said to come from a cache."""
    at: int = -1
    """The token before which a fault strikes; -1: the middle."""
    first_ms: float = 0
    """Before the first byte."""
    pace_ms: float = 0
    """Between two events of a stream."""

    @property
    def status(self) -> int:
        """What it answers with."""
        return next((int(name) for name in self.play if name.isdigit()), 200)


@lru_cache(1024)
def read(text: str) -> Script:
    """Raises ValueError for what no script says."""
    words: dict[str, str] = dict(parse_qsl(text, strict_parsing=True)) if text else {}
    play = frozenset(filter(None, words.pop("play", "").split(",")))
    if unknown := play - STYLES.keys() - FAULTS.keys():
        raise ValueError(f"the mock does not play {', '.join(sorted(unknown))}")
    return msgspec.convert({**words, "play": play}, Script, strict=False)
