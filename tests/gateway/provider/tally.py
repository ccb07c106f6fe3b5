"""The mock's own count of what each request has used: what it wrote to the socket, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from stargate.gateway.record import Tokens

LIMIT = 1_000_000
"""Requests remembered; the oldest are forgotten first."""


class Used(msgspec.Struct):
    """By all calls under one `X-Request-Id`."""

    calls: int = 0
    """Requests that arrived whole and were not refused."""
    refused: int = 0
    """Requests answered with a status of 400 or above."""
    finished: int = 0
    """Calls whose answer was written to its last byte."""
    aborted: int = 0
    """Calls whose client left before that."""
    cut: int = 0
    """Calls that the mock itself broke off."""
    stalled: int = 0
    """Calls that fell silent, whatever became of them."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, tokens: Tokens) -> None:
        """So many more were written."""
        self.input_tokens += tokens.input_tokens
        self.cached_tokens += tokens.cached_tokens
        self.output_tokens += tokens.output_tokens
        self.reasoning_tokens += tokens.reasoning_tokens

    @property
    def over(self) -> bool:
        """Nothing more will be counted, unless it is called again."""
        return self.finished + self.aborted + self.cut == self.calls

    def tokens(self) -> Tokens:
        """As the gateway records them."""
        return Tokens(self.input_tokens, self.cached_tokens, self.output_tokens, self.reasoning_tokens)


def usage(tokens: Tokens) -> dict[str, Any]:
    """In OpenAI's words, as chat completions say it."""
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "prompt_tokens_details": {"cached_tokens": tokens.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
    }


class Tally:
    """All requests."""

    def __init__(self) -> None:
        self.requests: dict[str, Used] = {}

    def of(self, request: str) -> Used:
        """The count of one request, which begins with nothing."""
        used = self.requests.get(request)
        if used is None:
            if len(self.requests) >= LIMIT:
                del self.requests[next(iter(self.requests))]
            used = self.requests[request] = Used()
        return used

    def total(self) -> Used:
        """Of all requests that are remembered."""
        total = Used()
        for used in self.requests.values():
            for name in Used.__struct_fields__:
                setattr(total, name, getattr(total, name) + getattr(used, name))
        return total
