"""The metrics of a gateway, from the table that they are counted by."""

from __future__ import annotations

from docs._ext.reference.markdown import table
from stargate.gateway.observing.family import FAMILIES


def metrics() -> str:
    """One row for each."""
    return table(
        ("metric", "kind", "labels", "says"),
        (
            (f"`{each.exposed}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.says)
            for each in FAMILIES
        ),
    )
