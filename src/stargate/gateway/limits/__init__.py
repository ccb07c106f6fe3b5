"""How much a key may take: requests and tokens a minute, requests at a time, money of the month.

`Allotment` knows what is left, for a whole host; each worker's `Purse` spends slices of it without asking. Pure but
for the clock that is handed in.
"""

from stargate.gateway.limits.allot import Allotment, Returned, Slice, Wish, limit_of
from stargate.gateway.limits.purse import Bank, NoBankError, OwnBank, Purse, Short, Ticket

__all__ = [
    "Allotment", "Bank", "NoBankError", "OwnBank", "Purse", "Returned", "Short", "Slice", "Ticket", "Wish", "limit_of",
]  # fmt: skip
