"""Lines: what is owed for one thing, under one clause, for one span of time.

A line's amount follows from the record and may still grow; each change of it is an entry. Its key says what
it is for, so that the same reckoning made twice finds the same line and posts nothing.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

import msgspec

from stargate.base.time import HOUR, Instant

SORTED_JSON = msgspec.json.Encoder(order="sorted")
"""The same content gives the same text."""
_SPAN, _HOUR = Struct(">qq"), Struct(">i")
_NAMED = blake2b(digest_size=12, person=b"stargate.line.1")
"""Where the hash of each name begins: copied, for making it anew takes longer than what is hashed."""


class LineKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """What makes a line the same line."""

    kind: str
    """As charge lines have it (usage, share, shortfall ...), or `payment`."""
    payer: str
    payee: str
    month: str
    """The billing period that owes it: its lines are reckoned together."""
    start: Instant
    end: Instant
    """Of the span that it is for, half-open; it may have begun before the month."""
    clause: str = ""
    """Under which it is owed; empty: at the price that was quoted."""
    unit: str = "usd"
    """In millionths of which it is owed."""
    metric: str = ""
    """What was counted, where it was."""
    price_usd: Decimal | None = None
    """Of a unit, where there is one price."""
    quoted_usd: Decimal | None = None
    portion: str = ""
    attributes: dict[str, str] = {}

    @property
    def subject(self) -> bytes:
        """What it is for, apart from its span: a JSON array without spaces, the same for the same content."""
        kept = self.__dict__
        if "subject" not in kept:
            said = (
                self.kind,
                self.payer,
                self.payee,
                self.month,
                self.clause,
                self.unit,
                self.metric,
                plain(self.price_usd),
                plain(self.quoted_usd),
                self.portion,
                self.attributes,
            )
            kept["subject"] = SORTED_JSON.encode(said)
        return kept["subject"]  # type: ignore[no-any-return]

    @property
    def id(self) -> bytes:
        """16 bytes that name it for ever: the hour of its start, then blake2b-96 of its span and its subject.

        The hour stands first so that names follow time, which an index takes in faster. Numbers are big-endian:
        the hour of 4 bytes, start and end of 8.
        """
        kept = self.__dict__
        if "id" not in kept:
            state = _NAMED.copy()
            state.update(_SPAN.pack(self.start, self.end) + self.subject)
            kept["id"] = _HOUR.pack(self.start // HOUR) + state.digest()
        return kept["id"]  # type: ignore[no-any-return]

    def over(self, start: Instant, end: Instant) -> LineKey:
        """The same subject for another span of the same month."""
        other = msgspec.structs.replace(self, start=start, end=end)
        other.__dict__["subject"] = self.subject
        return other


def first_id(hour: Instant) -> bytes:
    """Names of lines that begin with this hour, or later, are not less. From 1970 on."""
    return _HOUR.pack(hour // HOUR)


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line as it stands: what was counted for it, and what has been posted."""

    key: LineKey
    micro: int = 0
    """What was counted, in millionths of the metric; for lines of clauses, of what the amount was reckoned from."""
    posted_micro: int = 0
    """What has been posted, in millionths of its unit."""
    entries: int = 0
    """How often."""


class UseCharged(NamedTuple):
    """What use that is alike was charged."""

    payer: str
    payee: str
    clause: str
    metric: str
    attributes: dict[str, str]
    start: Instant
    end: Instant
    """From the first of it to the last."""
    micro: int
    posted_micro: int


@lru_cache(maxsize=4096)
def plain(amount: Decimal | None) -> str | None:
    """A decimal as it is kept: equal numbers are the same text."""
    return None if amount is None else format(amount.normalize() + 0, "f")
