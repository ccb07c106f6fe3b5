"""What two parties owe each other for a month, and why: a pure function of the record up to an entry."""

from stargate.ledger.statement.statement import Item, Net, Statement, draw

__all__ = ["Item", "Net", "Statement", "draw"]
