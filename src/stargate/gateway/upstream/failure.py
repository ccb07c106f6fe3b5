"""What goes wrong with an upstream, told by whether it can have seen the request: that decides what is safe.

| raised | the request | another attempt |
|---|---|---|
| `UnsentError` | never left | is safe |
| `CutError` | was sent, in part at least | may be answered, and paid for, twice |
"""

from __future__ import annotations

from typing import Literal

from stargate.base.errors import ProviderError

Unsent = Literal["malformed", "name", "refused", "tls", "timeout", "closed"]
"""No request can be made of the URL and the headers; its name is not known; it takes no connection; it does not speak
TLS, or not with us; no connection came about in time; it closes connections as soon as they are there."""
Cut = Literal["reset", "silent", "late", "malformed", "too_large"]
"""It broke off; it said nothing for too long; it took too long in all; what it said is not HTTP; it said too much."""


_TOLD: dict[str, str] = {
    "malformed": "it does not speak HTTP as it should", "name": "its name is not known",
    "refused": "it takes no connection", "tls": "it does not speak TLS with us",
    "timeout": "no connection came about in time", "closed": "it closes connections at once",
    "reset": "it closed the connection", "silent": "it fell silent", "late": "it took too long",
    "too_large": "it said too much",
}  # fmt: skip
"""What went wrong in words that name no address."""


class UnsentError(ProviderError):
    """The endpoint was not reached, and nothing was sent: another may be asked without harm."""

    def __init__(self, reason: Unsent, message: str) -> None:
        self.reason = reason
        self.told = _TOLD[reason]
        """For clients, who are not told where an endpoint is."""
        super().__init__(message, "Another endpoint may be asked; look whether this one is up")


class CutError(ProviderError):
    """The request was sent, and no whole answer came: what was used there only the endpoint can know."""

    def __init__(self, reason: Cut, message: str) -> None:
        self.reason = reason
        self.told = _TOLD[reason]
        """For clients, who are not told where an endpoint is."""
        super().__init__(message, "Look at the endpoint's log; what the request used there it may tell")
