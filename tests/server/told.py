"""Attempts as gateways tell them."""

from __future__ import annotations

from typing import Any

from stargate.gateway.record import Admitted, Outcome, Settled, Shipment, Shut, Tokens, Told, Why

AT_US = 1_772_445_600_000_000
"""2026-03-02T10:00:00Z."""
EPOCH = "20260302T100000000000Z-9f86d081884c7d65"
TOKENS = Tokens(100, 40, 30, 10)
WHY = Why(
    "big",
    product="api",
    open=(("azure", "texas"),),
    grounds=(("ms-2025/api", "It is exclusive to microsoft, and runs there"),),
    shut=(
        Shut(
            "oci",
            "texas",
            "oci-h100",
            2,
            "agreement",
            "api traffic stays on azure",
            "ms-2025/only",
            "a wait until 2030",
        ),
    ),
)


def told(
    seq: int,
    application: str = "",
    *,
    epoch: str = EPOCH,
    request: str = "",
    nth: int = 0,
    endpoint: str = "foundry/big",
    outcome: Outcome = "done",
    tokens: Tokens = TOKENS,
    **changes: Any,
) -> Told:
    """An attempt that is over."""
    at_us = AT_US + seq * 1_000
    admitted = Admitted(
        seq,
        at_us,
        request or f"req_{seq}",
        nth,
        application,
        "chat/completions",
        "big",
        endpoint,
        WHY.digest,
        7,
    )
    fields: dict[str, Any] = {"status": 200, "counted": "upstream", "chargeable": outcome == "done"} | changes
    return epoch, admitted, Settled(seq, at_us + 500_000, outcome, tokens=tokens, **fields)


def shipment(*attempts: Told, whys: tuple[Why, ...] = (WHY,)) -> Shipment:
    """As a host sends it."""
    return Shipment("node-1", attempts, whys)
