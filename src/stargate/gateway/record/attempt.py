"""What a gateway records of each attempt to have a request answered: one record before it asks, one before it is done.

`Admitted` is on disk before an endpoint is called, `Settled` before the last byte leaves for the client. What was
admitted and never settled is therefore known after any crash, and is settled visibly.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.gateway.record.endpoint import Operation

CountSource = Literal["upstream", "lookup", "tokenizer", "estimate", "none"]
"""Who counted: the answer itself; the endpoint, asked afterwards; its tokenizer over what was sent; a rule of thumb
over what was sent; nobody, as nothing was used."""

Outcome = Literal["done", "aborted", "refused", "cut", "unsent", "lost", "outrun"]
"""`done`: answered whole. `aborted`: the client left. `refused`: the endpoint answered with an error. `cut`: it fell
silent or broke off. `unsent`: it was never reached. `lost`: this gateway died, and it was settled later. `outrun`: an
endpoint that was asked beside it began to answer first."""


class Tokens(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A count, as OpenAI's usage means it: the cached are among the input, the reasoning among the output."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class Admitted(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    """A request is about to be sent to an endpoint."""

    seq: int
    """1, 2, 3 … within its epoch, without gaps: what is lost would be missed."""
    at_us: int
    """Microseconds since 1970, UTC."""
    request: str
    """The id that the client is told."""
    nth: int
    """0 for the first endpoint that is asked, then rising."""
    application: str
    """Id of the key."""
    operation: Operation
    model: str
    """As asked for."""
    endpoint: str
    why: str
    """Digest of the decision about where the request may go."""
    routes: int
    """Version of the routes that it was decided by."""
    reserved: Tokens = Tokens()
    """The most that it is expected to use."""
    reserved_micro_usd: int = 0
    lease_us: int = 0
    """Names, with the key and the host, the lease whose money it spends; 0: none."""
    batch: str = ""
    """The batch that it is a line of; empty: of none."""

    @property
    def upstream_id(self) -> str:
        """What the endpoint is told as `X-Request-Id`, and may be asked about afterwards."""
        return f"{self.request}.{self.nth}"


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="s", gc=False):
    """What became of it."""

    seq: int
    """Of what was admitted."""
    at_us: int
    outcome: Outcome
    status: int
    """HTTP status that the endpoint answered with; 0: none."""
    tokens: Tokens = Tokens()
    counted: CountSource = "none"
    chargeable: bool = True
    """Of all attempts for one request exactly one is; the others are costs of ours."""
    first_byte_us: int = 0
    last_byte_us: int = 0
    """Microseconds from admission; 0: none came."""
    said: bytes = b""
    """Usage as the endpoint wrote it, at most SAID_LIMIT bytes."""


SAID_LIMIT = 2_048
Attempt = Admitted | Settled
