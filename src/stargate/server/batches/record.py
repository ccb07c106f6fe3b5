"""A file and a batch as they are kept, and the words that OpenAI's clients know for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stargate.base.time import SECOND, Instant
from stargate.gateway.record import Operation, Tokens

Purpose = Literal["batch", "batch_output"]
Status = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
End = Literal["", "completed", "failed", "expired", "cancelled"]
"""What becomes of a batch; empty: that is open."""
ENDED: frozenset[Status] = frozenset({"failed", "completed", "expired", "cancelled"})
METADATA_LIMIT = 16

Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=METADATA_LIMIT),
]


class File(msgspec.Struct, frozen=True):
    """A file."""

    id: str
    owner: str
    """Id of the key it belongs to."""
    purpose: Purpose
    bytes: int
    created: Instant
    expires: Instant
    name: str


class Trouble(msgspec.Struct, frozen=True):
    """Something wrong with the input of a batch, in OpenAI's words."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None
    """From 1."""


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """A batch."""

    id: str
    owner: str
    """Id of the key it was made with."""
    operation: Operation
    input_file: str
    created: Instant
    expires: Instant
    """When it must have ended."""
    output_kept_s: int
    """How long its files are kept once they are made."""
    status: Status = "validating"
    end: End = ""
    """Where it goes, once that is settled."""
    model: str = ""
    lines: int = 0
    completed: int = 0
    failed: int = 0
    tokens: Tokens = Tokens()
    """What the answers say that they used."""
    key: str = ""
    """Id of its runner's key."""
    epoch: int = -1
    """Of the newest runner."""
    metadata: dict[str, str] | None = None
    troubles: tuple[Trouble, ...] = ()
    output_file: str = ""
    error_file: str = ""
    at: dict[str, Instant] = {}
    """When it came to be in each status; `ending`: when it was settled where it goes."""

    @property
    def kept(self) -> int:
        """Lines that have an answer."""
        return self.completed + self.failed

    def moved(self, status: Status, at: Instant, **changes: Any) -> Batch:
        """In another status."""
        return msgspec.structs.replace(self, status=status, at={**self.at, status: at}, **changes)


def seconds(at: Instant) -> int:
    """As OpenAI writes times."""
    return at // SECOND


class Answered(msgspec.Struct, frozen=True):
    """A line with its answer, as it is kept."""

    line: int
    status: int
    request: str
    body: bytes

    @property
    def good(self) -> bool:
        """It was answered as it was asked."""
        return 200 <= self.status < 300
