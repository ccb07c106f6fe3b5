"""Usage: so much of something, used or earned by somebody, with whom, and when.

An event is named by who counted it and by its key, which is derived from what happened (an attempt's hour, a
request's number at its gateway), never made up when it is sent: sent twice, it is the same event. Names are
kept for ever.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b
from struct import Struct

import msgspec

from stargate.base.time import Instant
from stargate.ledger.record.line import SORTED_JSON, plain

KEY_LIMIT = 256
"""Characters of a key or a source."""
ATTRIBUTES_LIMIT = 32
ATTRIBUTE_LIMIT = 256
QUANTITY_LIMIT = Decimal(9_000_000_000_000)
"""Of one event, either way: in millionths it fits 64 bits."""
AMOUNT_LIMIT_USD = Decimal(1_000_000_000_000)
"""Of one event at the price quoted."""
_LAST = Instant.parse("2200-01-01")
_MONEY = ("payments:", "opening:")
"""What the sources of money begin with, which comes as payments and openings: see these."""
PLACES = 6
_MICRO = Decimal(10**PLACES)
_COUNTED = Struct(">qqqI")
_SAID = blake2b(digest_size=16, person=b"stargate.usage.1")
"""Where each fingerprint begins: copied, for making it anew takes longer than what is hashed."""

HOURLY = {"chip_hours": "chip_seconds", "chip_seconds": "chip_seconds"}
"""Time on chips is kept in seconds, which are exact; prices and clauses speak of hours."""


class UsageEvent(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """One thing that was counted. Raises ValueError where it says what cannot be."""

    source: str
    """Who counted it, as `journal:main` or `gateway:eu-1`."""
    key: str
    """Which event of that source it is, as `lm-1.0.2@2026-03-01T14:00:00Z`."""
    metric: str
    """As chip_seconds, input_tokens, revenue_usd."""
    quantity: Decimal
    """In the metric's unit, to six places. Below zero only where it takes back (`corrects`)."""
    start: Instant
    """It counts to the hour, the price and the terms that hold here: split it where they change."""
    end: Instant | None = None
    party: str = ""
    """Who used or earned it."""
    provider: str = ""
    """The party with whom."""
    quoted_usd: Decimal | None = None
    """The price of a unit (an hour, for time on chips) that was quoted when it was decided."""
    attributes: dict[str, str] = {}
    """What scopes and reports look at: workload, team, product, model, pool, site, chip, agreement ..."""
    corrects: str = ""
    """The key of the event of the same source that this one takes back in part or whole."""

    def __post_init__(self) -> None:
        for name, value in (("source", self.source), ("key", self.key), ("metric", self.metric)):
            if not value or len(value) > KEY_LIMIT or not value.isprintable():
                raise ValueError(f"{name} {value!r:.60}: give 1 to {KEY_LIMIT} printable characters")
        _check_quantity(self.quantity, takes_back=bool(self.corrects))
        if self.quoted_usd is not None and not (self.quoted_usd.is_finite() and self.quoted_usd >= 0):
            raise ValueError(f"quoted_usd {self.quoted_usd}: a price is zero or more")
        if self.party or self.provider:
            _check_parties(self.party, self.provider)
        _check_money(self.source, self.metric)
        if self.quoted_usd is not None and abs(self.quantity) * self.quoted_usd > AMOUNT_LIMIT_USD * 3_600:
            raise ValueError(
                f"{self.quantity} at {self.quoted_usd} USD is more than anybody pays: mend either"
            )
        if not 0 <= self.start < _LAST:
            raise ValueError("it starts before 1970 or after 2199: mend the date")
        if self.end is not None and self.end < self.start:
            raise ValueError(f"it ends ({self.end}) before it starts ({self.start})")
        if len(self.attributes) > ATTRIBUTES_LIMIT:
            raise ValueError(f"{len(self.attributes)} attributes; the limit is {ATTRIBUTES_LIMIT}")
        if self.attributes.get("currency", "USD") != "USD":
            raise ValueError(
                f"currency {self.attributes['currency']!r:.20}: amounts are in USD and no rate is on record; "
                "convert it before, and name the rate in an attribute"
            )
        for name, value in self.attributes.items():
            if not name or len(name) > ATTRIBUTE_LIMIT or len(value) > ATTRIBUTE_LIMIT:
                raise ValueError(
                    f"attribute {name!r:.60} is empty or longer than {ATTRIBUTE_LIMIT} characters"
                )

    @property
    def micro(self) -> int:
        """The quantity in millionths."""
        return int(self.quantity * _MICRO)

    @property
    def stream(self) -> bytes:
        """What it is of, which many events share: a JSON array without spaces, the same for the same content."""
        said = (self.metric, self.party, self.provider, plain(self.quoted_usd), self.attributes)
        return SORTED_JSON.encode(said)

    def fingerprint(self) -> bytes:
        """What it says, in 16 bytes: the same name with another fingerprint is a contradiction."""
        return fingerprint(self, self.stream, self.micro)


def fingerprint(event: UsageEvent, stream: bytes, micro: int) -> bytes:
    """See `UsageEvent.fingerprint`, for who knows the stream and the quantity in millionths already."""
    lasts = -1 if event.end is None else event.end - event.start
    said = _COUNTED.pack(micro, event.start, lasts, len(stream)) + stream + event.corrects.encode()
    state = _SAID.copy()
    state.update(said)
    return state.digest()


def _check_parties(*names: str) -> None:
    """Names of parties are parts of the names of accounts, which a colon divides."""
    for name in names:
        if len(name) > KEY_LIMIT or not name.isprintable() or ":" in name or name != name.strip():
            raise ValueError(
                f"party {name!r:.60}: give at most {KEY_LIMIT} printable characters, no colon, no space around"
            )


def _check_money(source: str, metric: str) -> None:
    if source.startswith(_MONEY) is not (metric == "payment_usd" or metric.startswith("opening_")):
        raise ValueError(
            f"{metric!r:.60} of {source!r:.60}: what was paid, and what other books hold, comes as payments and "
            "openings, and nothing else does"
        )


def _check_quantity(quantity: Decimal, *, takes_back: bool) -> None:
    if not quantity.is_finite() or abs(quantity) > QUANTITY_LIMIT:
        raise ValueError(f"quantity {quantity}: give a number of at most {QUANTITY_LIMIT:,}")
    if quantity != round(quantity, PLACES):
        raise ValueError(f"quantity {quantity}: at most {PLACES} places; count in a smaller unit")
    if quantity < 0 and not takes_back:
        raise ValueError(f"quantity {quantity}: below zero only where corrects names what it takes back")


class Rollup(msgspec.Struct, frozen=True, kw_only=True):
    """Usage that is alike, summed over an hour."""

    hour: Instant
    """Its start, or where within the hour other terms begin."""
    metric: str
    party: str
    provider: str
    quoted_usd: Decimal | None
    attributes: dict[str, str]
    micro: int
    """Millionths of the metric's unit."""

    @property
    def quantity(self) -> Decimal:
        """In the metric's unit."""
        return Decimal(self.micro).scaleb(-PLACES)


def unit_of(metric: str) -> tuple[str, int]:
    """The unit in which prices and clauses speak of a metric, and how many of the metric make one of it."""
    return ("chip_hours", 3_600) if metric == "chip_seconds" else (metric, 1)
