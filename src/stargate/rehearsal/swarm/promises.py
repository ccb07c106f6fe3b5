"""Agreements drawn at random: clauses on where work runs, who is asked first, what is owed, and for how long."""

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
from stargate.agreements.clause.amendment import Amendment, Change
from stargate.agreements.clause.capacity import Option
from stargate.agreements.clause.common import CarveOut
from stargate.agreements.clause.life import ConditionPrecedent, End, Suspend, Term, Trigger, Waiver
from stargate.agreements.clause.money import Commitment, RevenueShare
from stargate.agreements.condition import Comparison
from stargate.agreements.right import Mode, Window
from stargate.agreements.scope import Filter
from stargate.base.time import DAY, HOUR, Duration, Instant

LAB = "lab"
"""Who needs everything."""
RIVAL = "rival"
"""Who holds options, and asks for nothing."""
MODES: tuple[Mode, ...] = ("capability", "first_offer", "match")
WINDOWS = (Window(1, "hours"), Window(6, "hours"), Window(1), Window(1, "business_days"))
MILESTONES = ("milestone", "closing", "dispute")
"""Facts on which the life of clauses hangs."""


def draw_agreements(chance: random.Random, holders: list[str], start: Instant) -> tuple[Agreement, ...]:
    """One paper with each of some of the holders, each with some clauses."""
    unique = sorted(set(holders))
    pro_rata = chance.random() < 0.3
    signed = chance.sample(unique, len(unique) if pro_rata else chance.randint(0, len(unique)))
    exclusive = chance.choice([*signed, ""]) if signed else ""
    rivals = chance.random() < 0.1
    modes = MODES if chance.random() < 0.5 else (chance.choice(MODES),)
    if pro_rata:
        modes = ("capability",)
    return tuple(
        _agreement(
            chance,
            holder,
            rank,
            start,
            exclusive=rivals or exclusive == holder,
            modes=modes,
            pro_rata=pro_rata,
        )
        for rank, holder in enumerate(signed, 1)
    )


def _agreement(
    chance: random.Random,
    holder: str,
    rank: int,
    start: Instant,
    *,
    exclusive: bool,
    modes: tuple[Mode, ...],
    pro_rata: bool,
) -> Agreement:
    clauses: list[Any] = []
    if pro_rata or chance.random() < 0.7:
        clauses.append(_first_refusal(chance, 1 if pro_rata else rank, start, modes, pro_rata=pro_rata))
    if exclusive and chance.random() < 0.5:
        relief = Failover(after=Duration(HOUR)) if chance.random() < 0.5 else None
        clauses.append(
            ExclusiveServing(
                id="api", products=("api",), actions=("serve",), failover=relief, suspended_by=_rests(chance)
            )
        )
    if chance.random() < 0.3:
        clauses.append(_residency(chance))
    if chance.random() < 0.2:
        clauses.append(FirstShip(id="phone", condition="cannot_or_declines", products=("phone",)))
    if chance.random() < 0.2:
        clauses.append(Entitlement(id="ip", rights=("use",), assets=("model_ip",)))
    if chance.random() < 0.1:
        expiry = start.plus(chance.randint(1, 10) * DAY).iso()
        chips = (Filter(field="chip", operator="In", values=("B200-SXM",)),)
        clauses.append(Option(id="next", holder=RIVAL, expiry=expiry, scope=chips))
    if chance.random() < 0.4:
        end = start.plus(chance.randint(1, 30) * DAY).iso()
        amount = Decimal(chance.choice([100, 10_000, 10_000_000]))
        clauses.append(Commitment(id="spend", amount=amount, from_=start.iso(), until=end))
    if chance.random() < 0.3:
        clauses.append(RevenueShare(id="share", rate=Decimal("0.2")))
    if clauses and chance.random() < 0.3:
        clauses += _life(chance, [clause.id for clause in clauses], start)
    return Agreement(
        id=f"with-{holder}",
        parties=(LAB, holder),
        customer=LAB,
        supplier=holder,
        third_parties=(RIVAL,),
        signed_on=Instant(0),
        clauses=tuple(clauses),
    )


def _residency(chance: random.Random) -> Residency:
    """Secrets stay at home; or a share of everything does, but for what an exception lets go."""
    home = chance.choice(["US", "NO"])
    if chance.random() < 0.6:
        secrets = (Filter(field="product", operator="In", values=("secret",)),)
        return Residency(id="home", jurisdictions=(home,), scope=secrets, suspended_by=_rests(chance))
    batch = (Filter(field="kind", operator="In", values=("batch",)),)
    return Residency(
        id="home",
        jurisdictions=(home,),
        min_share=Decimal("0.5"),
        scope=(Filter(field="kind", operator="In", values=("finetune", "batch")),),
        exceptions=(CarveOut(id="batch", scope=batch),) if chance.random() < 0.5 else (),
    )


def _rests(chance: random.Random) -> tuple[Comparison, ...]:
    """Some clauses rest while something is so."""
    return (Comparison(chance.choice(MILESTONES)),) if chance.random() < 0.2 else ()


def _life(chance: random.Random, ids: list[str], start: Instant) -> list[Any]:
    """What lets clauses begin, rest, change and end."""
    target = chance.choice(ids)
    when = (Comparison(chance.choice(MILESTONES)),)
    soon = start.plus(chance.randint(1, 96) * HOUR).iso()
    kind = chance.randrange(6)
    if kind == 0:
        effect = End((target,)) if chance.random() < 0.5 else Suspend((target,))
        lasts: Any = chance.choice(["for_good", "while_true"])
        return [Trigger(id="turn", when=when, effects=(effect,), lasts=lasts)]
    if kind == 1:
        return [ConditionPrecedent(id="closing", when=when, clauses=(target,))]
    if kind == 2:
        return [Waiver(id="let-go", clauses=(target,), from_=soon)]
    if kind == 3:
        return [Term(id="term", until=soon)]
    if kind == 4 and target == "rofr":
        open_offers: Any = chance.choice(["", "complete", "void"])
        change = Change("rofr", {"partial": chance.random() < 0.5, "threshold_chips": chance.choice([0, 64])})
        return [Amendment(id="later", from_=soon, changes=(change,), on_open_offers=open_offers)]
    if kind == 4:
        return [Amendment(id="later", from_=soon, removes=(target,))]
    abroad = (Filter(field="product", operator="In", values=("secret", "api")),)
    return [
        Residency(
            id="abroad",
            jurisdictions=("US", "NO", "AE"),
            min_share=Decimal("0.1"),
            scope=abroad,
            exception_to=target,
        )
    ]


def _first_refusal(
    chance: random.Random, rank: int, start: Instant, modes: tuple[Mode, ...], *, pro_rata: bool
) -> FirstRefusal:
    soon = chance.random() < (0.5 if pro_rata else 0.3)
    return FirstRefusal(
        id="rofr",
        mode=chance.choice(modes),
        rank=rank,
        window=chance.choice(WINDOWS),
        partial=chance.random() < 0.7,
        tail=Duration(chance.choice([0, 0, 6 * HOUR, 2 * DAY])),
        comparison=chance.choice(["per_term", "as_a_whole"]),
        tolerance=chance.choice([Decimal(0), Decimal("0.05")]),
        sharing="pro_rata" if pro_rata else "cascade",
        weight=chance.randint(1, 3),
        threshold_chips=0 if pro_rata else chance.choice([0, 0, 16]),
        at_end=chance.choice(["complete", "void"]),
        on_amendment=chance.choice(["complete", "void"]),
        delivery_grace=Duration(chance.choice([0, HOUR])),
        cure=Duration(chance.choice([0, HOUR, DAY])),
        suspended_by=_rests(chance),
        until=start.plus(chance.randint(1, 40) * 6 * HOUR).iso() if soon else None,
    )
