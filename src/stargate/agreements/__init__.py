"""What was promised: agreements, clauses, amendments, triggers, and answers to `may this be done?`.

Records that people write in YAML, and pure functions over them: no clock, and no I/O outside `load`.
Rights of first refusal are found here; the machine that walks them through offers and answers is the
broker's. Charge lines are reckoned here; accounts, invoices and statements are the ledger's.
"""

from stargate.agreements.accrue import ChargeLine, Usage, accrue
from stargate.agreements.agreement import Agreement, AgreementStatus
from stargate.agreements.ask import Answer, ask
from stargate.agreements.book import Book
from stargate.agreements.capacity import Hold, held
from stargate.agreements.clause import Action, Clause
from stargate.agreements.decide import decide
from stargate.agreements.decision import Decision, Obligation, Outcome, Reason, Request
from stargate.agreements.lint import lint
from stargate.agreements.load import Loaded, load, load_all, load_facts, load_request
from stargate.agreements.obligations import obligations
from stargate.agreements.period import Period
from stargate.agreements.rights import Fate, fate, rights
from stargate.agreements.world import FactStatus, WorldFact

__all__ = [
    "Action",
    "Agreement",
    "AgreementStatus",
    "Answer",
    "Book",
    "ChargeLine",
    "Clause",
    "Decision",
    "FactStatus",
    "Fate",
    "Hold",
    "Loaded",
    "Obligation",
    "Outcome",
    "Period",
    "Reason",
    "Request",
    "Usage",
    "WorldFact",
    "accrue",
    "ask",
    "decide",
    "fate",
    "held",
    "lint",
    "load",
    "load_all",
    "load_facts",
    "load_request",
    "obligations",
    "rights",
]
