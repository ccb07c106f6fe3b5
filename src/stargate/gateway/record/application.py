"""A key of the gateway: for whom it speaks, which models it may ask for, and how much."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.time import Instant

NAME_LIMIT = 128
LIST_LIMIT = 256
ATTRIBUTES_LIMIT = 16

Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
Names = Annotated[tuple[Name, ...], Meta(max_length=LIST_LIMIT)]
Count = Annotated[int, Meta(ge=0, le=10**12)]


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """For whom an application's requests are made, and what they may take. Empty and 0 mean: no bound."""

    party: Name = ""
    """Who owes for the use; empty: the lab itself."""
    product: Name = ""
    """What agreements know the traffic as, such as `api` or `chatgpt`."""
    team: Name = ""
    customer: Name = ""
    """What kind of customer, as `government`, where agreements tell them apart."""
    attributes: Annotated[dict[Name, Name], Meta(max_length=ATTRIBUTES_LIMIT)] = {}
    """What else agreements may look at, as `audience`."""
    residency: Names = ()
    """ISO 3166 codes of the places where requests may be served."""
    models: Names = ()
    requests_per_minute: Count = 0
    tokens_per_minute: Count = 0
    concurrent_requests: Count = 0
    budget_micro_usd: Count = 0
    """Of a calendar month, at the prices that `Model` states."""


class Application(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A key as gateways know it: never its text."""

    id: str
    name: str
    sha256: str
    scope: Scope = Scope()
    expires: Instant | None = None
    operator: bool = False
    """Sees in a header why a request went where it went."""
    batch: str = ""
    """The batch that this key speaks for, under the id and the limits of the key that made it; empty: for none."""
