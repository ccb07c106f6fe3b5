"""What was promised: agreements, clauses, amendments, triggers, and answers to `may this be done?`.

Records that people write in YAML, and pure functions over them: no clock, no I/O outside `load`.
Rights of first refusal are found here; the machine that walks them through offers and answers is the
broker's. What things cost in a ledger is not decided here either, only what the clauses say.
"""

from stargate.agreements.agreement import Agreement, AgreementStatus
from stargate.agreements.book import Book
from stargate.agreements.clause import Action, Clause
from stargate.agreements.decide import decide
from stargate.agreements.decision import Decision, Obligation, Outcome, Reason, Request
from stargate.agreements.world import FactStatus, WorldFact

__all__ = [
    "Action",
    "Agreement",
    "AgreementStatus",
    "Book",
    "Clause",
    "Decision",
    "FactStatus",
    "Obligation",
    "Outcome",
    "Reason",
    "Request",
    "WorldFact",
    "decide",
]
