"""Who may do what: one table, and nothing is allowed that is not in it.

Operators may do everything. A provider's key acts for its party: what belongs to another party is answered as if
it did not exist, so ids tell nothing. A gateway's key reads routes, says what it does, puts usage on record under its
own name, and sees nothing else. An application's key is good at gateways, which pass on what is about its files and
batches; the key of a batch for going through that batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import msgspec

from stargate.base.errors import ForbiddenError, NotFoundError
from stargate.server.auth import Actor, Role

T = TypeVar("T")

Action = Literal[
    "status.read",
    "workloads.read",
    "workloads.submit",
    "workloads.cancel",
    "workloads.scale",
    "logs.read",
    "explain.read",
    "pools.read",
    "offers.read",
    "offers.answer",
    "offers.reopen",
    "needs.read",
    "needs.change",
    "quotes.read",
    "quotes.submit",
    "waivers.grant",
    "leases.read",
    "leases.deliver",
    "supply.mark",
    "facts.declare",
    "journal.read",
    "routes.read",
    "records.add",
    "load.tell",
    "usage.add",
    "usage.read",
    "statements.read",
    "keys.manage",
    "files.use",
    "batches.use",
    "batches.run",
    "declare",
]

ANYBODY = "anybody"
"""The action of routes that need no key: the health check and the OpenAPI document."""

GATEWAY = "gateway:"
"""What the sources of a gateway's key begin with, before the key's name."""
MONEY = "_usd"
"""What metrics of money end with."""

ALLOWED: dict[Role, frozenset[Action]] = {
    "engineer": frozenset(
        {
            "status.read",
            "workloads.read",
            "workloads.submit",
            "workloads.cancel",
            "workloads.scale",
            "logs.read",
            "explain.read",
            "pools.read",
            "usage.read",
        }
    ),
    "finance": frozenset(
        {
            "status.read",
            "workloads.read",
            "needs.read",
            "quotes.read",
            "leases.read",
            "journal.read",
            "explain.read",
            "usage.read",
            "statements.read",
        }
    ),
    "provider": frozenset(
        {
            "offers.read",
            "offers.answer",
            "needs.read",
            "quotes.read",
            "quotes.submit",
            "leases.read",
            "leases.deliver",
            "statements.read",
        }
    ),
    "gateway": frozenset({"routes.read", "records.add", "load.tell", "usage.add"}),
    "application": frozenset({"files.use", "batches.use"}),
    "batch": frozenset({"batches.run"}),
}
"""What roles other than operator may do. A provider's and a gateway's are further bound to what is its own."""


class Resource(msgspec.Struct, frozen=True):
    """One thing, as far as access is concerned."""

    parties: tuple[str, ...] = ()
    """Whose it is among providers; empty: nobody's, so no provider sees it."""
    public: bool = False
    """On the market: every provider may see what it takes to quote."""


class Verdict(msgspec.Struct, frozen=True):
    """Yes or no, and why."""

    allowed: bool
    because: str


def may(actor: Actor, action: str, resource: Resource | None = None) -> Verdict:
    """Whether somebody may do something, to a thing where one is given. What is not known is denied."""
    if actor.role == "operator":
        return Verdict(allowed=True, because="operators may do everything")
    if action not in ALLOWED.get(actor.role, frozenset()):
        return Verdict(allowed=False, because=f"{action} is not among what the role {actor.role} may do")
    if actor.role != "provider" or resource is None:
        return Verdict(allowed=True, because=f"the role {actor.role} may {action}")
    if resource.public:
        return Verdict(allowed=True, because="it is on the market")
    if actor.party and actor.party in resource.parties:
        return Verdict(allowed=True, because=f"it belongs to {actor.party}")
    return Verdict(allowed=False, because=f"it does not belong to {actor.party or 'any party'}")


def demand(actor: Actor, action: str) -> None:
    """Raises ForbiddenError where the role does not allow the action at all."""
    verdict = may(actor, action)
    if not verdict.allowed:
        raise ForbiddenError(
            f"the key {actor.name!r} may not do this: {verdict.because}",
            "use a key with another role; an operator makes one with `POST /v1/keys`",
        )


def demand_source(actor: Actor, source: str, metric: str) -> None:
    """Raises ForbiddenError where a gateway's key speaks for a source of others, or of money."""
    if actor.role != "gateway":
        return
    own = f"{GATEWAY}{actor.name}"
    if source != own and not source.startswith(f"{own}/"):
        raise ForbiddenError(
            f"the key {actor.name!r} does not speak for {source!r:.80}",
            f"name the source {own!r}, or one below it such as '{own}/node-1'",
        )
    if metric.endswith(MONEY):
        raise ForbiddenError(
            f"a gateway counts use, and {metric!r:.80} is money",
            "send tokens, requests or seconds; an operator's key declares money",
        )


def demand_sight(actor: Actor, action: str, resource: Resource, what: str, id: str) -> None:
    """Raises NotFoundError, the same as for a thing that does not exist, where it is not the actor's to see."""
    if not may(actor, action, resource).allowed:
        raise not_found(what, id)


def sighted(
    records: Mapping[str, T],
    resource_of: Callable[[T], Resource],
    what: str,
    id: str,
    actor: Actor,
    action: str,
) -> T:
    """The record of that id. Raises NotFoundError where there is none that the actor may see."""
    found = records.get(id)
    if found is None:
        raise not_found(what, id)
    demand_sight(actor, action, resource_of(found), what, id)
    return found


def not_found(what: str, id: str) -> NotFoundError:
    """The one answer for what does not exist and what is not the caller's."""
    return NotFoundError(f"no {what} {id!r}", f"`GET /v1/{what}s` lists those you can see")
