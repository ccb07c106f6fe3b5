"""Asking endpoints: one narrow interface, and three ways behind it: one of our own, two of clients.

Here live sending, waiting with a limit, and telling what was never sent from what was cut. Which endpoint is asked,
what of an answer is read, and whether a request is tried again is decided elsewhere.
"""

from stargate.gateway.upstream.answer import PASSED_ON, Answer
from stargate.gateway.upstream.by_httptools import HttptoolsUpstream
from stargate.gateway.upstream.failure import Cut, CutError, Unsent, UnsentError
from stargate.gateway.upstream.upstream import CONNECT_S, PATIENT, Headers, Patience, Upstream

__all__ = [
    "CONNECT_S", "PASSED_ON", "PATIENT", "Answer", "Cut", "CutError", "Headers", "HttptoolsUpstream", "Patience",
    "Unsent", "UnsentError", "Upstream",
]  # fmt: skip
