"""What is owed for a month: a pure function of usage and terms. Posting is the difference to what is posted."""

from stargate.ledger.settle.difference import difference
from stargate.ledger.settle.owed import owed
from stargate.ledger.settle.prices import Prices, Rate
from stargate.ledger.settle.rate import rated

__all__ = ["Prices", "Rate", "difference", "owed", "rated"]
