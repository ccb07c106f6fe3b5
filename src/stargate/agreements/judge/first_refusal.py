"""Whether a holder must be asked before capacity is taken elsewhere."""

from __future__ import annotations

from stargate.agreements.clause import FirstRefusal
from stargate.agreements.decision import Obligation
from stargate.agreements.judge.rule import Live, Question, Verdict
from stargate.agreements.right import Window
from stargate.agreements.world import number

LOOKS_AT = frozenset({"refused", "chips", "emergency", "renewal"})
_MODES = {
    "first_offer": "may offer terms before the market is asked",
    "match": "may match a third party's offer",
    "capability": "serves if it can meet the requirement",
}


def judge(live: Live, question: Question) -> Verdict | None:
    """must_offer, unless it is the holder that is to serve, it was asked already, or the need is outside."""
    clause: FirstRefusal = live.clause
    holder = live.party("holder", "supplier")
    if holder in question.providers:
        kept = live.kept.get("holder")
        if kept is None:
            says = f"{holder} holds the first refusal, and it is {holder} that is to serve"
            kept = live.kept["holder"] = live.verdict("permit", says)
        return kept
    refused = question.attributes.get("refused")
    names = (refused,) if isinstance(refused, str) else refused or ()
    if names and (live.ref in names or holder in names or clause.id in names):
        says = f"{holder} has refused or cannot meet the need, so the market is open to it"
        return live.verdict("permit", says)
    outside = _outside(clause, question)
    if outside:
        return live.verdict("permit", f"{outside}, so {holder} need not be asked")
    kept = live.kept.get("offer")
    if kept is None:
        kept = live.kept["offer"] = _must_offer(live, clause, holder)
    return kept


def window_text(window: Window) -> str:
    """`10 business days`, `1 hour`."""
    unit = window.unit.replace("_", " ")
    return f"{window.length} {unit if window.length != 1 else unit.removesuffix('s')}"


def _must_offer(live: Live, clause: FirstRefusal, holder: str) -> Verdict:
    grantor = live.party("grantor", "customer")
    window = window_text(clause.window)
    reason = live.reason(
        "must_offer",
        f"Before {grantor or 'the buyer'} takes new capacity elsewhere, {holder} must be asked: "
        f"it {_MODES[clause.mode]}, within {window}",
        would_change=live.ways_out(
            f"{holder} declines, cannot meet the need, or lets the window pass", waived_by=holder
        ),
    )
    obligation = Obligation(
        clause=live.ref,
        kind="offer",
        says=f"Put the need before {holder} and wait up to {window}",
        debtor=grantor,
        creditor=holder,
        text_ref=clause.text_ref,
    )
    return Verdict("must_offer", reason, (obligation,))


def _outside(clause: FirstRefusal, question: Question) -> str:
    """Why the need is outside the right; empty: it is inside, or that cannot be told."""
    attributes = question.attributes
    if clause.emergency == "no_trigger" and attributes.get("emergency") is True:
        return "Emergencies are outside the clause"
    if clause.renewal == "no_trigger" and attributes.get("renewal") is True:
        return "Renewals are outside the clause"
    # Needs below the threshold that arise within the window count together; one request cannot show that.
    if not clause.threshold_chips or clause.aggregation_window:
        return ""
    chips = number(attributes.get("chips"))
    if chips is not None and chips < clause.threshold_chips:
        return f"{chips} chips are below the threshold of {clause.threshold_chips}"
    return ""
