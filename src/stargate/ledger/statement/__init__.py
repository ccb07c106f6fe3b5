"""What two parties owe each other for a month, and why: a pure function of the record up to an entry."""

from stargate.ledger.statement.group import Group, grouped
from stargate.ledger.statement.statement import Item, Net, Statement, behind, by_item, draw
from stargate.ledger.statement.used import Used, used

__all__ = ["Group", "Item", "Net", "Statement", "Used", "behind", "by_item", "draw", "grouped", "used"]
