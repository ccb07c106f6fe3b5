"""What is seen of one request on its way through: notes of whoever has it in hand, for whoever reports it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from stargate.gateway.record import Admitted, Application, Endpoint, Settled

Headers = list[tuple[str, str]]
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")


class Passage(msgspec.Struct, gc=False):
    """One request's. What is not known yet is empty or 0."""

    request: str
    """The id that the client is told."""
    began_us: int
    operation: str = "other"
    """The end of the path below `/v1/`; empty: of no interest, and not reported."""
    application: Application | None = None
    asked_model: str = ""
    """As the client wrote it, whether there is such a model or not."""
    stream: bool = False
    status: int = 0
    """What the client was told."""
    code: str = ""
    """Why it was refused."""
    received_bytes: int = 0
    sent_bytes: int = 0
    first_us: int = 0
    """When the first piece of the answer went to the client."""
    tries: int = 0
    """Attempts that are settled."""
    endpoint: Endpoint | None = None
    admitted: Admitted | None = None
    settled: Settled | None = None
    """Of the attempt that is charged; where none is, of the last."""
    way: Any = None
    """Where that is counted."""
    traceparent: str = ""
    tracestate: str = ""
    span: Any = None
    """Of the request, where requests are traced."""
    spans: dict[int, Any] | None = None
    """Of its attempts that are under way."""
    tracer: Any = None

    def trace(self, traceparent: str, tracestate: str | None) -> None:
        """It is part of a trace of the client's, if what it says of that is well-formed."""
        if TRACEPARENT.fullmatch(traceparent):
            self.traceparent = traceparent
            if tracestate is not None and _TRACESTATE.fullmatch(tracestate):
                self.tracestate = tracestate

    def onward(self, admitted: Admitted, endpoint: Endpoint) -> Headers:
        """Headers that tell the endpoint which trace it is part of: the gateway's own span, else the client's."""
        if self.tracer is not None:
            onward: Headers = self.tracer.onward(self, admitted, endpoint)
            return onward
        if not self.traceparent:
            return []
        more = [("tracestate", self.tracestate)] if self.tracestate else []
        return [("traceparent", self.traceparent), *more]

    def sent(self, size_bytes: int, at_us: int) -> None:
        """A piece of the answer went to the client."""
        self.sent_bytes += size_bytes
        if not self.first_us:
            self.first_us = at_us

    def refuse(self, status: int, code: str) -> None:
        """It is answered with a refusal."""
        self.status, self.code = status, code
