"""A question asked once, from records: the answer with everything it rests on, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stargate.agreements.agreement import Agreement
from stargate.agreements.book import Book
from stargate.agreements.decide import decide
from stargate.agreements.decision import Obligation, Outcome, Reason, Request
from stargate.agreements.right import Right
from stargate.agreements.rights import rights
from stargate.agreements.world import WorldFact
from stargate.base.time import Instant


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `stargate ask` says."""

    at: Instant
    request: Request
    outcome: Outcome
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...] = ()
    rights: tuple[Right, ...] = ()
    """`source`: the first refusals that cover the need, in the order in which holders are asked."""


def ask(agreements: Iterable[Agreement], facts: Sequence[WorldFact], request: Request, at: Instant) -> Answer:
    """Compile the agreements and put one request to them at `at`. Pure."""
    book = Book.compile(agreements)
    decision = decide(book, facts, at, request)
    return Answer(
        at=at,
        request=request,
        outcome=decision.outcome,
        reasons=decision.reasons,
        obligations=decision.obligations,
        rights=rights(book, facts, at, request) if request.action == "source" else (),
    )
