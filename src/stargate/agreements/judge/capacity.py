"""Options and reservations: who may exercise, cancel, modify, or take what another holds open."""

from __future__ import annotations

from stargate.agreements.clause import CapacityReservation, Option
from stargate.agreements.condition import day, moment_says
from stargate.agreements.decision import Obligation
from stargate.agreements.firing import Firing
from stargate.agreements.judge.rule import Live, Question, Verdict
from stargate.base.time import Instant

LOOKS_AT = frozenset({"clause"})


def asks_for(live: Live, question: Question) -> bool:
    """Whether the request is about this clause: by its id, or its id with the agreement."""
    return question.value("clause") in (live.ref, live.clause.id)


def judge_reservation(live: Live, question: Question) -> Verdict | None:
    """Cancel and modify, as the clause allows."""
    clause: CapacityReservation = live.clause
    if not asks_for(live, question):
        return None
    allowed = clause.cancellable if question.action == "cancel" else clause.modifiable
    verb = "cancelled" if question.action == "cancel" else "modified"
    fee = clause.cancellation_fee_percent.normalize()
    if allowed and question.action == "cancel" and fee:
        reason = live.reason(
            "permit", f"The reservation can be cancelled, for {fee:f} % of the price of what is left"
        )
        owed = Obligation(
            clause=live.ref,
            kind="pay",
            says=f"Pay {fee:f} % of the price of what is left",
            debtor=live.party("customer", "customer"),
            creditor=live.party("supplier", "supplier"),
            text_ref=clause.text_ref,
        )
        return Verdict("permit", reason, (owed,))
    if allowed:
        return live.verdict("permit", f"The reservation can be {verb}")
    supplier = live.party("supplier", "supplier")
    return live.verdict(
        "forbid", f"The reservation cannot be {verb}", would_change=live.ways_out(waived_by=supplier)
    )


class OptionState:
    """What has become of an option by an instant."""

    def __init__(self, option: Option, ref: str, firing: Firing) -> None:
        home = ref.partition("/")[0]
        self.option = option
        self.expiry = firing.resolve(option.expiry, home)
        self._expired = self.expiry is not None and firing.horizon.reached(self.expiry)
        opens = option.exercisable_from
        self.opens = None if opens is None else firing.resolve(opens, home)
        self.exercised = _first(firing, option.exercised_fact or f"exercised/{ref}")
        self.deposit = _first(firing, option.deposit_fact) if option.deposit_fact else None

    @property
    def lapsed(self) -> bool:
        """Its expiry has come, and nobody exercised it before."""
        in_time = self.exercised is not None and (self.expiry is None or self.exercised < self.expiry)
        return self._expired and not in_time

    @property
    def taken(self) -> bool:
        """It was exercised in time."""
        return self.exercised is not None and not self.lapsed

    @property
    def paid(self) -> bool:
        """Its deposit is on record, where it must be."""
        return not self.option.deposit_fact or self.deposit is not None

    @property
    def holds(self) -> bool:
        """Whether it keeps others away."""
        return self.taken or (not self.lapsed and self.paid)


def _on(instant: Instant | None) -> str:
    return "a date that is not known" if instant is None else day(instant)


def _first(firing: Firing, name: str) -> Instant | None:
    fact = next((fact for fact in firing.world.believed(name, firing.horizon) if fact.value is True), None)
    return None if fact is None else fact.valid_from


def judge_option(live: Live, question: Question) -> Verdict | None:
    """exercise: the holder, while it is open. source: others may not take what is held open."""
    clause: Option = live.clause
    holder, grantor = live.party("holder", "customer"), live.party("grantor", "supplier")
    state = OptionState(clause, live.ref, question.firing())
    if question.action == "source":
        if not clause.blocks_others or not clause.scope or question.party == holder:
            return None
        if grantor not in question.providers or not state.holds:
            return None
        return live.verdict(
            "forbid",
            f"{grantor} holds it for {holder}"
            + ("" if state.taken else f" until {moment_says(clause.expiry)}"),
            would_change=live.ways_out("" if state.taken else "the option's lapse", waived_by=holder),
        )
    if not asks_for(live, question):
        return None
    return _exercise(live, question, state, holder)


def _exercise(live: Live, question: Question, state: OptionState, holder: str) -> Verdict:
    clause: Option = live.clause
    if state.taken:
        return live.verdict(
            "forbid", f"It was exercised on {_on(state.exercised)}", would_change="a new option"
        )
    if state.lapsed:
        says = f"The option lapsed on {_on(state.expiry)} without exercise, and its capacity is free"
        return live.verdict("forbid", says, would_change="a new option")
    if question.party and question.party != holder:
        return live.verdict("forbid", f"Only {holder} may exercise it", would_change=f"{holder} asks")
    if not state.paid:
        return live.verdict(
            "forbid",
            "Its deposit is not on record as paid",
            needs=(clause.deposit_fact,),
            would_change=f"the fact {clause.deposit_fact}",
        )
    if clause.exercisable_from is not None and (state.opens is None or not question.reached(state.opens)):
        says = f"It can be exercised from {moment_says(clause.exercisable_from)}"
        return live.verdict("forbid", says, would_change="waiting until then")
    return live.verdict("permit", f"{holder} may exercise it before {moment_says(clause.expiry)}")
