"""What two parties owe each other for a month, and why: a pure function of the record up to an entry."""

from stargate.ledger.statement.statement import Item, Net, Statement, behind, draw
from stargate.ledger.statement.used import Used, used

__all__ = ["Item", "Net", "Statement", "Used", "behind", "draw", "used"]
