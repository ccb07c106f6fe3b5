"""Mooncake's traces (Qin et al., FAST'25): one JSON object a line. Read from the real conversation trace.

`timestamp` in milliseconds, `input_length`, `output_length`, `hash_ids`: ids of the input's blocks of 512 tokens,
equal where the text and all before it is equal. `synthetic_trace` and `toolagent_trace` have the same fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.format import Format, Options, first_rows, mostly
from stargate.rehearsal.traces.job import FARTHEST_SECONDS
from stargate.rehearsal.traces.request import Request, Tokens
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source

BLOCK_TOKENS = 512


class _Line(msgspec.Struct):
    timestamp: Annotated[float, Meta(ge=0, le=FARTHEST_SECONDS * 1000)]
    input_length: Tokens
    output_length: Tokens
    hash_ids: tuple[int, ...] = ()


_DECODER = msgspec.json.Decoder(_Line)


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Request]:
    """The requests in the file's order."""
    for line, text in source.lines():
        if not text.strip():
            continue
        try:
            found = _DECODER.decode(text)
        except msgspec.ValidationError:
            skipped.count("a field is missing or out of range", line)
        except (msgspec.DecodeError, RecursionError):
            skipped.count("not JSON", line)
        else:
            yield Request(
                at_seconds=found.timestamp / 1000,
                input_tokens=found.input_length,
                output_tokens=found.output_length,
                prefix_blocks=found.hash_ids,
            )


def _fits(head: str) -> bool:
    return mostly(first_rows(head), _is_row)


def _is_row(line: str) -> bool:
    fields = ('"timestamp"', '"input_length"', '"output_length"')
    return line.lstrip().startswith("{") and all(field in line for field in fields)


FORMAT = Format(
    name="mooncake",
    about="Mooncake (kvcache-ai/Mooncake: conversation_trace.jsonl, synthetic_trace.jsonl, toolagent_trace.jsonl)",
    expects="a JSON object a line with timestamp, input_length and output_length",
    files=r".*_trace\.jsonl",
    fits=_fits,
    read=read,
    gives="requests",
)
