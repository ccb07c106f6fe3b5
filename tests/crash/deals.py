"""The story's second part: two holders share a right, acknowledge, subscribe, deliver half, and are covered."""

from __future__ import annotations

from typing import Any

from stargate.agreements import Agreement
from stargate.agreements.right import Requirement
from stargate.base import wire
from stargate.base.time import Duration, Instant
from stargate.broker import Command
from stargate.broker.sourcing.command import (
    AcknowledgeOffer,
    AnswerOffer,
    GrantWaiver,
    OpenNeed,
    ReportDelivery,
    ReviseNeed,
)


def deals(begin: Instant) -> list[tuple[str, Command]]:
    """What people send, and when."""
    return [
        ("92m", OpenNeed("shared", requirement(begin), "openai")),
        ("92m10s", AcknowledgeOffer("shared.o2", "oracle-corp")),
        ("92m20s", AcknowledgeOffer("shared.o1", "coreweave-inc")),
        ("93m", AnswerOffer("shared.o2", "accept", "oracle-corp", pool="oci-late", text_ref="letter")),
        ("93m30s", AnswerOffer("shared.o1", "decline", "coreweave-inc", text_ref="letter")),
        ("94m", ReportDelivery("shared.l1", 16, evidence="too early", reported_by="oracle-corp")),
        (
            "100m",
            OpenNeed("cheap", requirement(begin, max_price_micro_usd_per_chip_hour=1_000_000), "openai"),
        ),
        ("100m10s", AcknowledgeOffer("cheap.o2", "oracle-corp")),
        ("100m20s", AcknowledgeOffer("cheap.o1", "coreweave-inc")),
        ("101m", AnswerOffer("cheap.o2", "decline", "oracle-corp")),
        ("101m10s", AnswerOffer("cheap.o1", "cannot_meet", "coreweave-inc", unmet=("start_by",))),
        ("110m", ReviseNeed("cheap", requirement(begin, max_price_micro_usd_per_chip_hour=2_000_000))),
        ("111m", GrantWaiver("waiver-1", "pact/oracle", "oracle-corp", "oracle-corp", "need", need="cheap")),
        ("151m", ReportDelivery("shared.l1", 16, evidence="counted", reported_by="oracle-corp")),
    ]


def requirement(begin: Instant, **changes: Any) -> Requirement:
    """Four nodes for an hour, in the third hour."""
    plain: dict[str, Any] = {
        "chips": 32,
        "chip_types": ("H100-SXM",),
        "start_by": begin.plus(Duration.parse("150m")),
        "duration": Duration.parse("1h"),
        "chips_per_node": 8,
    }
    return Requirement(**plain | changes)


def pact() -> Agreement:
    """Oracle and CoreWeave are asked together; each has little time to think, to deliver and to cure."""
    shared = {
        "kind": "first_refusal",
        "mode": "capability",
        "grantor": "openai",
        "window": {"length": 5, "unit": "minutes"},
        "sharing": "pro_rata",
        "tail": "3m",
        "delivery_grace": "2m",
        "cure": "1m",
    }
    return wire.convert(
        {
            "id": "pact",
            "parties": ["openai", "oracle-corp", "coreweave-inc"],
            "signed_on": "2025-01-21",
            "clauses": [
                {**shared, "id": "oracle", "holder": "oracle-corp", "weight": 2},
                {**shared, "id": "coreweave", "holder": "coreweave-inc"},
            ],
        },
        Agreement,
    )
