"""Who owes what to whom under the clauses in force at an instant: typed, before anything is reckoned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from stargate.agreements.accrue.commitment import runs
from stargate.agreements.book import Book
from stargate.agreements.capacity import quantity_at
from stargate.agreements.clause import (
    Backstop,
    CapacityReservation,
    Commitment,
    Delivery,
    EquityGrant,
    Netting,
    OpenNegotiation,
    Option,
    Prepayment,
    Price,
    RevenueShare,
    ServiceLevel,
    Transfer,
    Trigger,
)
from stargate.agreements.decision import Obligation, ObligationKind
from stargate.agreements.delivery import tranche_states
from stargate.agreements.firing import absolute
from stargate.agreements.judge.capacity import OptionState
from stargate.agreements.present import Present
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.money import format_usd, micro_usd
from stargate.base.time import FOREVER, Instant

Maker = Callable[[Version, Present], Iterator[Obligation]]


def obligations(book: Book, facts: Sequence[WorldFact], at: Instant) -> tuple[Obligation, ...]:
    """Everything owed under clauses in force at `at`. A letter of intent owes nothing."""
    present = book.present(facts, at)
    found: list[Obligation] = []
    for version in book.chart.versions:
        maker = _MAKERS.get(type(version.clause))
        if maker is not None and present.in_force(version):
            found.extend(maker(version, present))
    for version, fired in present.fired():
        found.extend(_of_trigger(version, fired.at))
    return tuple(found)


def _made(version: Version, present: Present, kind: ObligationKind, says: str, **more: Any) -> Obligation:
    until = present.until(version)
    fields: dict[str, Any] = {"until": None if until >= FOREVER else until, **more}
    return Obligation(clause=version.ref, kind=kind, says=says, text_ref=version.clause.text_ref, **fields)


def _pays(version: Version) -> dict[str, str]:
    return {"debtor": version.party("payer", "customer"), "creditor": version.party("payee", "supplier")}


def _commitment(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Commitment), "the table maps kinds"
    for run in runs(version, present):
        amount = None if clause.amount is None else clause.amount * run.share
        spend = clause.category == "Spend"
        each = (
            ""
            if clause.minimum is None
            else f"{clause.minimum * run.share:,.0f} {clause.fulfillment_interval.lower()}"
        )
        total = (
            ""
            if amount is None
            else f"{format_usd(micro_usd(amount)) if spend else f'{amount:,} {clause.unit}'}"
        )
        text = " and ".join(
            part for part in (total and f"{total} in all", each and f"at least {each}") if part
        )
        portion = f" for {run.portion}" if run.portion else ""
        yield _made(
            version,
            present,
            "spend" if spend else "use",
            f"Consume {text or 'what the ramp says'}{portion}; what is short: {clause.shortfall.replace('_', ' ')}",
            amount_micro_usd=micro_usd(amount) if spend and amount is not None else None,
            quantity=None if spend else amount,
            unit="" if spend else str(clause.unit),
            from_=run.start,
            until=None if run.end >= FOREVER else run.end,
            **_pays(version),
        )


def _reservation(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, CapacityReservation), "the table maps kinds"
    supplier, customer = version.party("supplier", "supplier"), version.party("customer", "customer")
    quantity = quantity_at(clause, present.horizon.at)
    firm = "" if clause.cancellable else "; it cannot be cancelled"
    yield _made(
        version,
        present,
        "reserve",
        f"Hold {quantity:,} {clause.unit} for {customer}{firm}",
        debtor=supplier,
        creditor=customer,
        quantity=quantity,
        unit=clause.unit,
    )
    if clause.end == "evict" and present.until(version) < FOREVER:
        yield _made(
            version,
            present,
            "evict",
            "Leave at the end: what still runs then is evicted",
            debtor=customer,
            creditor=supplier,
            due=present.until(version),
        )


def _delivery(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Delivery), "the table maps kinds"
    for state in tranche_states(clause, version.ref, present.world, present.horizon):
        if state.fact is None:
            yield _made(
                version,
                present,
                "deliver",
                f"Deliver tranche {state.tranche.id}: it is {state.status.replace('_', ' ')}",
                debtor=version.party("supplier", "supplier"),
                creditor=version.party("customer", "customer"),
                quantity=state.tranche.quantity,
                unit=state.tranche.unit,
                due=state.tranche.due,
            )


def _option(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Option), "the table maps kinds"
    state = OptionState(clause, version.ref, present.firing)
    if state.holds and not state.taken:
        yield _made(
            version,
            present,
            "hold_open",
            f"Keep the option open for {version.party('holder', 'customer')}",
            debtor=version.party("grantor", "supplier"),
            creditor=version.party("holder", "customer"),
            quantity=clause.quantity,
            unit=clause.unit,
            due=state.expiry,
        )


def _prepayment(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Prepayment), "the table maps kinds"
    due = present.start(version)
    if clause.due is not None:
        due = present.firing.resolve(clause.due, version.home.id) or due
    amount = clause.amount_usd
    if clause.percent is not None:
        named = present.chart.by_ref.get(absolute(clause.of, version.home.id), [])
        whole = getattr(named[-1].clause, "amount", None) if named else None
        amount = None if whole is None else whole * clause.percent / 100
    yield _made(
        version,
        present,
        "prepay",
        "Pay in advance" + ("" if amount is None else f" {format_usd(micro_usd(amount))}"),
        amount_micro_usd=None if amount is None else micro_usd(amount),
        due=due,
        **_pays(version),
    )


def _share(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, RevenueShare), "the table maps kinds"
    if clause.accrue_until is not None:
        end = present.firing.resolve(clause.accrue_until, version.home.id)
        if end is not None and present.horizon.reached(end):
            return
    rate = "a share" if clause.rate is None else f"{(clause.rate * 100).normalize():f} %"
    cap = (
        ""
        if clause.cap_total_usd is None
        else f", at most {format_usd(micro_usd(clause.cap_total_usd))} in all"
    )
    yield _made(version, present, "share", f"Pass on {rate} of {clause.base.metric}{cap}", **_pays(version))


def _grant(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, EquityGrant), "the table maps kinds"
    worth = None if clause.value_usd is None else micro_usd(clause.value_usd)
    fixed = f"{clause.shares:,} shares at {clause.strike_usd} USD" if clause.shares is not None else ""
    yield _made(
        version,
        present,
        "issue",
        f"Issue {fixed}"
        if worth is None
        else f"Issue shares worth {format_usd(worth)} at {clause.price_fact}",
        amount_micro_usd=worth,
        quantity=clause.shares,
        unit="" if clause.shares is None else "shares",
        debtor=version.party("payer", "supplier"),
        creditor=version.party("payee", "customer"),
    )


def _backstop(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Backstop), "the table maps kinds"
    cap = clause.cap_usd
    yield _made(
        version,
        present,
        "take_unsold",
        f"Pay {clause.price_usd} USD for each of the {clause.unit} that nobody else bought"
        if clause.base == "unsold"
        else "Pay what is due and was not paid",
        amount_micro_usd=None if cap is None else micro_usd(cap),
        **_pays(version),
    )


def _price(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Price), "the table maps kinds"
    price = "by tiers" if clause.price_usd is None else f"{clause.price_usd} USD"
    yield _made(version, present, "pay", f"Pay {price} for {clause.unit}", unit=clause.unit, **_pays(version))


def _level(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, ServiceLevel), "the table maps kinds"
    yield _made(
        version,
        present,
        "credit",
        f"Give credit where {clause.metric} falls below {max(tier.below for tier in clause.tiers):%}",
        debtor=version.party("payer", "supplier"),
        creditor=version.party("payee", "customer"),
    )


def _netting(version: Version, present: Present) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Netting), "the table maps kinds"
    yield _made(version, present, "net", f"Pay only the difference of {', '.join(clause.clauses)}")


def _of_trigger(version: Version, at: Instant) -> Iterator[Obligation]:
    clause = version.clause
    assert isinstance(clause, Trigger), "only triggers fire"
    parties = version.home.parties
    for effect in clause.effects:
        if isinstance(effect, OpenNegotiation):
            topics = f" about {', '.join(effect.topics)}" if effect.topics else ""
            yield Obligation(
                clause=version.ref,
                kind="negotiate",
                says=f"{' and '.join(parties) or 'The parties'} negotiate{topics}",
                from_=at,
                due=at.plus(effect.within) if effect.within else None,
                text_ref=clause.text_ref,
            )
        elif isinstance(effect, Transfer):
            yield Obligation(
                clause=version.ref,
                kind="transfer",
                says=f"{effect.what} goes to {effect.to}",
                creditor=effect.to,
                from_=at,
                text_ref=clause.text_ref,
            )


_MAKERS: dict[type, Maker] = {
    Backstop: _backstop,
    CapacityReservation: _reservation,
    Commitment: _commitment,
    Delivery: _delivery,
    EquityGrant: _grant,
    Netting: _netting,
    Option: _option,
    Prepayment: _prepayment,
    Price: _price,
    RevenueShare: _share,
    ServiceLevel: _level,
}
