"""Counts: from usage to what everybody owes, exactly, and why.

Usage comes in once and for ever; prices and clauses make charges of it; entries post them, each summing to zero;
months close with a root hash; statements say what two parties owe each other, down to clause and usage. What the
clauses mean is reckoned in `agreements`; who calls the ledger, and when, is the server's business. The arithmetic
(`record`, `settle`, `statement`) is pure; only `store` and the archives touch files and databases.
"""

from stargate.ledger.ledger import Closed, Ledger
from stargate.ledger.record import Budget, Entry, Line, Month, Opening, Payment, UsageEvent
from stargate.ledger.settle.budget import BudgetState
from stargate.ledger.settle.commitment import CommitmentState, Lot
from stargate.ledger.settle.payable import Instalment, Payable
from stargate.ledger.store import Store, Taken, open_store

__all__ = [
    "Budget",
    "BudgetState",
    "Closed",
    "CommitmentState",
    "Entry",
    "Instalment",
    "Ledger",
    "Line",
    "Lot",
    "Month",
    "Opening",
    "Payable",
    "Payment",
    "Store",
    "Taken",
    "UsageEvent",
    "open_store",
]
