"""Who may use, resell or sublicense what."""

from __future__ import annotations

from stargate.agreements.clause import Entitlement
from stargate.agreements.judge.rule import Live, Question, Verdict

LOOKS_AT = frozenset({"asset"})
ACTIONS = {"use": "use", "resale": "resell", "sublicense": "sublicense"}
"""Rights as clauses name them, and the actions that use them."""


def judge(live: Live, question: Question) -> Verdict | None:
    """Permit for the holder and (unless exclusive) the owner; `silent` for others, whom the asset is closed to."""
    clause: Entitlement = live.clause
    holder, owner = live.party("holder", "supplier"), live.party("grantor", "customer")
    subject = ", ".join(clause.assets) or "what is within the clause"
    if question.party and question.party == holder:
        says = f"{holder} may {question.action} {subject}"
        return live.verdict("permit", says, claim=holder if clause.exclusive else "")
    if clause.exclusive:
        says = f"Only {holder} may {question.action} {subject}"
        return live.verdict("forbid", says, claim=holder, would_change=live.ways_out(waived_by=holder))
    if question.party and question.party == owner:
        return live.verdict("permit", f"{owner} owns {subject}")
    says = f"{question.party or 'A party that is not named'} holds no right to {question.action} {subject}"
    return live.verdict("silent", says, would_change=f"an entitlement granted by {owner or 'the owner'}")
