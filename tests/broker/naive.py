"""A second, deliberately naive judge: it believes no index and knows the test's agreements by heart."""

from __future__ import annotations

from typing import Any

from stargate.agreements import Agreement
from stargate.agreements.clause import ExclusiveServing, FirstRefusal, Residency
from stargate.agreements.right import Window
from stargate.agreements.scope import Filter
from stargate.base.time import Instant
from stargate.broker import Machine
from stargate.broker.fact import Placed
from stargate.broker.sourcing.fact import LeaseSigned, OfferEnded, OfferMade
from stargate.broker.state import State

EPOCH = Instant(0)
AGREEMENTS = (
    Agreement(
        id="ms",
        parties=("lab", "microsoft"),
        customer="lab",
        supplier="microsoft",
        signed_on=EPOCH,
        clauses=(
            ExclusiveServing(id="api", holder="microsoft", grantor="lab", products=("api",), actions=("serve",)),
            FirstRefusal(
                id="rofr", mode="capability", holder="microsoft", grantor="lab", window=Window(1, "hours"),
                scope=(Filter(field="chips", operator="AtLeast", values=(1,)),),
            ),
            Residency(
                id="home", jurisdictions=("US",), grantor="lab",
                scope=(Filter(field="product", operator="In", values=("secret",)),),
            ),
        ),
    ),
)  # fmt: skip


def breaches(state: State, entries: list[Any]) -> list[str]:
    """Everything in a history that these agreements forbid, found by reading it from the start."""
    found: list[str] = []
    ended: dict[str, str] = {}
    made: dict[str, str] = {}
    parties = {provider.id: provider.party for provider in state.providers.values()}
    for number, entry in enumerate(entries, start=1):
        if entry.seq != number:
            found.append(f"entry {entry.seq} stands at {number}")
        fact = entry.fact
        if isinstance(fact, Placed):
            found += _placement(state, fact, parties)
        elif isinstance(fact, OfferMade):
            if fact.offer in made:
                found.append(f"offer {fact.offer} was made twice")
            made[fact.offer] = fact.need
        elif isinstance(fact, OfferEnded):
            if fact.offer in ended:
                found.append(f"offer {fact.offer} ended twice")
            ended[fact.offer] = fact.outcome
        elif isinstance(fact, LeaseSigned) and fact.party != "microsoft":
            closed = [offer for offer, need in made.items() if need == fact.need and offer in ended]
            if not closed:
                found.append(
                    f"lease {fact.lease} was signed with {fact.party} before Microsoft's offer was closed"
                )
    return found


def overlooked(machine: Machine, now: Instant) -> list[str]:
    """Dates ahead that concern the state and lie before the time at which the machine wants to be woken."""
    records = machine.state.records
    ahead: list[tuple[Instant, str]] = []
    for pool in records.infrastructure.pools:
        if pool.id not in records.counted:
            ahead += [(count.from_, f"nodes of {pool.id}") for count in pool.nodes]
        ahead += [(price.from_, f"price of {pool.id}") for price in pool.prices]
        if pool.until is not None and pool.tenure != "market":
            ahead.append((pool.until, f"end of {pool.id}"))
            ahead.append(
                (pool.until.plus(-records.policy.migration.lease_end_notice), f"notice of {pool.id}")
            )
    for holder in records.workloads.values():
        ahead += [(slot.not_before, holder.id) for slot in holder.slots if slot.status == "waiting"]
    for lease in records.sourcing.leases.values():
        if lease.status == "active":
            ahead.append((lease.until, f"end of {lease.id}"))
    due = machine.next_due()
    return [f"{what} at {at}; next due {due}" for at, what in ahead if now < at and (due is None or due > at)]


def _placement(state: State, fact: Placed, parties: dict[str, str]) -> list[str]:
    work = state.records.workloads[fact.workload].workload
    jurisdiction = state.sites[state.catalog_pools[fact.pool].site].jurisdiction
    found = []
    if work.kind == "serve" and work.product == "api" and parties[fact.provider] != "microsoft":
        found.append(f"{fact.attempt} serves the API on {fact.provider}")
    if work.product == "secret" and not jurisdiction.startswith("US"):
        found.append(f"{fact.attempt} takes secrets to {jurisdiction}")
    if work.residency and not any(jurisdiction.startswith(code) for code in work.residency):
        found.append(f"{fact.attempt} leaves {work.residency} for {jurisdiction}")
    gangs = {(size.nodes, size.resources.chips_per_node) for size in work.sizes}
    if gangs and (len(fact.nodes), fact.chips_per_node) not in gangs:
        found.append(f"{fact.attempt} has no size of its work")
    if len(set(fact.nodes)) != (len(fact.nodes) if gangs else work.nodes):
        found.append(f"{fact.attempt} is a torn gang")
    return found
