"""One request to a served model, as a trace describes it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.job import FARTHEST_SECONDS, Status, Text

MOST_TOKENS = 10**9
"""No request reads or writes more."""

Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A request with its lengths in tokens. An empty text means that the trace does not say."""

    at_seconds: Annotated[float, Meta(ge=0, le=FARTHEST_SECONDS)]
    """From the trace's start."""
    input_tokens: Tokens
    output_tokens: Tokens
    client: Text = ""
    """Whoever sends it: a key, an application, one of ServeGen's clients."""
    session: Text = ""
    """The conversation that it belongs to."""
    model: Text = ""
    status: Status = "unknown"
    prefix_blocks: tuple[int, ...] = ()
    """Ids of its input's blocks in order: requests that begin with the same ids share a cached prefix."""
