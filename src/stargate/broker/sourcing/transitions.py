"""The lives of a need, an offer, a quote and a lease as tables: (state, fact) -> state.

`evolve` asserts that every change is in here, and the diagrams in the documentation are drawn from them.
Where a fact carries its outcome, the table names every outcome that the state allows. A new state or fact
starts here.
"""

from __future__ import annotations

from stargate.broker.sourcing.fact import (
    DeliveryDue,
    DeliveryFailed,
    LeaseActivated,
    LeaseEnded,
    LeaseResized,
    LeaseSigned,
    MarketOpened,
    MarketWindowClosed,
    NeedClosed,
    NeedCovered,
    NeedOpened,
    NeedReopened,
    NeedRevised,
    NeedWaits,
    OfferAnswered,
    OfferEnded,
    OfferKept,
    OfferMade,
    OfferReceived,
    OfferSubscribed,
    QuoteEnded,
    QuoteReceived,
    TailExpired,
    TermsChanged,
)

Table = dict[tuple[str, type], str]

OFFER_ENDS = (
    "accepted",
    "partial",
    "declined",
    "cannot_meet",
    "lapsed",
    "waived",
    "withdrawn",
    "void",
    "not_taken",
    "unallocated",
)

OFFER: Table = {
    ("", OfferMade): "offered",
    ("offered", OfferReceived): "offered",
    ("offered", OfferAnswered): "offered",
    ("offered", OfferKept): "offered",
    ("subscribed", OfferKept): "subscribed",
    ("offered", OfferSubscribed): "subscribed",
    ("offered", OfferEnded): (
        "accepted | partial | declined | cannot_meet | lapsed | waived | withdrawn | void | not_taken"
    ),
    ("subscribed", OfferAnswered): "subscribed",
    ("subscribed", OfferEnded): "accepted | partial | unallocated | withdrawn | void | waived",
    # Ended offers take note of late answers and change no more.
    **{(end, OfferAnswered): end for end in OFFER_ENDS},
}

NEED: Table = {
    ("", NeedOpened): "asking",
    ("asking", OfferMade): "asking",
    ("asking", NeedWaits): "asking",
    ("asking", NeedRevised): "asking",
    ("asking", TailExpired): "asking",
    ("asking", MarketOpened): "market",
    ("asking", NeedReopened): "asking",
    ("asking", NeedCovered): "covered",
    ("asking", NeedClosed): "closed",
    ("market", OfferMade): "market",
    ("market", NeedWaits): "market",
    ("market", MarketWindowClosed): "market",
    ("market", NeedRevised): "asking",
    ("market", TermsChanged): "asking",
    ("asking", TermsChanged): "asking",
    ("market", TailExpired): "asking",
    ("market", NeedReopened): "asking",
    ("market", NeedCovered): "covered",
    ("market", NeedClosed): "closed",
    ("covered", NeedRevised): "asking",
    ("covered", TailExpired): "covered",
    ("covered", NeedReopened): "asking",
    ("covered", NeedClosed): "closed",
}

QUOTE: Table = {
    ("", QuoteReceived): "open",
    ("open", QuoteEnded): "signed | withdrawn | expired | released",
}

LEASE: Table = {
    ("", LeaseSigned): "signed",
    ("signed", DeliveryDue): "signed",
    ("signed", DeliveryFailed): "signed",
    ("signed", LeaseActivated): "active",
    ("signed", LeaseEnded): "failed | ended",
    ("active", LeaseResized): "active",
    ("active", DeliveryDue): "active",
    ("active", DeliveryFailed): "active",
    ("active", LeaseEnded): "failed | ended",
}

TABLES: dict[str, Table] = {"need": NEED, "offer": OFFER, "quote": QUOTE, "lease": LEASE}


def step(table: Table, state: str, fact: type, outcome: str = "") -> str:
    """The next state. Raises AssertionError where the table has no such step: the journal contradicts itself."""
    allowed = table.get((state, fact))
    assert allowed is not None, f"{fact.__name__} cannot happen in state {state!r}"
    if " | " not in allowed and not outcome:
        return allowed
    assert outcome in allowed.split(" | "), f"{fact.__name__} cannot end {state!r} as {outcome!r}"
    return outcome
