"""Agreements drawn at random: clauses that decide where work runs, who is asked first, and what is owed."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from stargate.agreements import Agreement
from stargate.agreements.clause.access import (
    Entitlement,
    ExclusiveServing,
    Failover,
    FirstRefusal,
    FirstShip,
    Residency,
)
from stargate.agreements.clause.money import Commitment, RevenueShare
from stargate.agreements.right import Window
from stargate.agreements.scope import Filter
from stargate.base.time import DAY, HOUR, Duration, Instant

LAB = "lab"
"""Who needs everything."""
WINDOWS = (Window(1, "hours"), Window(6, "hours"), Window(1), Window(1, "business_days"))


def draw_agreements(chance: random.Random, holders: list[str], start: Instant) -> tuple[Agreement, ...]:
    """One paper with each of some of the holders, each with some clauses."""
    unique = sorted(set(holders))
    signed = chance.sample(unique, chance.randint(0, len(unique)))
    pro_rata = chance.random() < 0.3
    exclusive = chance.choice([*signed, ""]) if signed else ""
    return tuple(
        _agreement(chance, holder, rank, start, exclusive=exclusive == holder, pro_rata=pro_rata)
        for rank, holder in enumerate(signed, 1)
    )


def _agreement(
    chance: random.Random, holder: str, rank: int, start: Instant, *, exclusive: bool, pro_rata: bool
) -> Agreement:
    clauses: list[Any] = []
    if chance.random() < 0.7:
        clauses.append(_first_refusal(chance, 1 if pro_rata else rank, start, pro_rata=pro_rata))
    if exclusive and chance.random() < 0.5:
        relief = Failover(after=Duration(HOUR)) if chance.random() < 0.5 else None
        clauses.append(ExclusiveServing(id="api", products=("api",), actions=("serve",), failover=relief))
    if chance.random() < 0.3:
        secrets = (Filter(field="product", operator="In", values=("secret",)),)
        clauses.append(Residency(id="home", jurisdictions=(chance.choice(["US", "NO"]),), scope=secrets))
    if chance.random() < 0.2:
        clauses.append(FirstShip(id="phone", condition="cannot_or_declines", products=("phone",)))
    if chance.random() < 0.2:
        clauses.append(Entitlement(id="ip", rights=("use",), assets=("model_ip",)))
    if chance.random() < 0.4:
        end = start.plus(chance.randint(1, 30) * DAY).iso()
        amount = Decimal(chance.choice([100, 10_000, 10_000_000]))
        clauses.append(Commitment(id="spend", amount=amount, from_=start.iso(), until=end))
    if chance.random() < 0.3:
        clauses.append(RevenueShare(id="share", rate=Decimal("0.2")))
    return Agreement(
        id=f"with-{holder}", parties=(LAB, holder), customer=LAB, supplier=holder, signed_on=Instant(0),
        clauses=tuple(clauses),
    )  # fmt: skip


def _first_refusal(chance: random.Random, rank: int, start: Instant, *, pro_rata: bool) -> FirstRefusal:
    modes: Any = ("capability", "first_offer", "match")
    return FirstRefusal(
        id="rofr",
        mode="capability" if pro_rata else chance.choice(modes),
        rank=rank,
        window=chance.choice(WINDOWS),
        partial=chance.random() < 0.7,
        tail=Duration(chance.choice([0, 0, 2 * DAY])),
        comparison=chance.choice(["per_term", "as_a_whole"]),
        tolerance=chance.choice([Decimal(0), Decimal("0.05")]),
        sharing="pro_rata" if pro_rata else "cascade",
        weight=chance.randint(1, 3),
        threshold_chips=chance.choice([0, 0, 16]),
        at_end=chance.choice(["complete", "void"]),
        on_amendment=chance.choice(["complete", "void"]),
        delivery_grace=Duration(chance.choice([0, HOUR])),
        cure=Duration(chance.choice([0, HOUR])),
        until=start.plus(chance.randint(1, 20) * DAY).iso() if chance.random() < 0.3 else None,
    )
