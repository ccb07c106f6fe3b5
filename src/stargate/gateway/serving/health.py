"""Whether a worker lives, and whether requests should be sent to it."""

from __future__ import annotations

from stargate.gateway.observing import Gauges
from stargate.gateway.serving.desk import Desk

ENDPOINTS_SHOWN = 200
"""Of the endpoints of a worker, those that rest first, then the busiest."""


def troubles(desk: Desk) -> list[str]:
    """Why it should be sent no requests now; none: it should."""
    found: list[str] = []
    if desk.map is None:
        found.append("it has not been told any routes yet")
    elif desk.stale:
        found.append(f"it has heard nothing of its control plane for {age_s(desk):,.0f} s")
    spool = desk.spool.trouble()
    if spool:
        found.append(f"its spool takes no more: {spool}")
    return found


def age_s(desk: Desk) -> float:
    """Since its control plane last said how the routes are; 0 where there is none to say so."""
    return 0.0 if desk.heard_us is None else max(0.0, (desk.clock_us() - desk.heard_us) / 1e6)


def readiness(desk: Desk) -> dict[str, object]:
    """The same in more words, for whoever looks."""
    found = troubles(desk)
    return {
        "status": "not ready" if found else "ok",
        "troubles": found,
        "routes": None if desk.map is None else desk.map.routes.version,
        "heard_s_ago": None if desk.heard_us is None else round(age_s(desk), 1),
        "open_requests": desk.open_requests,
    }


def gauges(desk: Desk) -> Gauges:
    """How a worker is, in numbers."""
    at_us = desk.clock_us()
    posts = desk.switchboard.posts.values()
    shown = sorted(posts, key=lambda post: (post.breaker.until_us <= at_us, -post.outstanding))
    found: list[tuple[str, tuple[str, ...], float]] = [
        ("routes_version", (), 0 if desk.map is None else desk.map.routes.version),
        ("routes_age_seconds", (), age_s(desk)),
        ("ready", (), int(not troubles(desk))),
        ("spool_unsettled_attempts", (), desk.spool.open_records),
    ]
    for post in shown[:ENDPOINTS_SHOWN]:
        labels = (post.endpoint.id, post.endpoint.model, post.endpoint.provider)
        found.append(("endpoint_resting", labels, int(post.breaker.until_us > at_us)))
        found.append(("endpoint_outstanding_requests", labels, post.outstanding))
    return found
