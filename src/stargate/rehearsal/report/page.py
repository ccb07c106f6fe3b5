"""The report of a rehearsal as one HTML file."""

from __future__ import annotations

from stargate.base.page import bound
from stargate.base.table import named, span
from stargate.base.time import SECOND
from stargate.rehearsal.report.chapter import chapters
from stargate.rehearsal.report.summary import Identity, Summary


def page(summary: Summary) -> str:
    """The report of one rehearsal."""
    identity = summary.identity
    return bound(identity.title or "Rehearsal", header(summary), chapters(summary))


def header(summary: Summary) -> str:
    """What was rehearsed, and how to know that it was the same."""
    identity = summary.identity
    seconds = (summary.ends - summary.begins) / SECOND
    when = f"{summary.begins} to {summary.ends}" if identity.dated else span(seconds)
    return named({"time": when, **told(identity), "facts": f"{sum(summary.facts.values()):,}"})


def told(identity: Identity) -> dict[str, str]:
    """An identity in words."""
    return {
        "policy": identity.policy,
        "seed": str(identity.seed),
        "parameters": ", ".join(f"{name} = {value}" for name, value in sorted(identity.overrides.items())),
        "input digest": identity.input_digest,
        "state digest": identity.state_digest,
        "commit": identity.commit,
    }
