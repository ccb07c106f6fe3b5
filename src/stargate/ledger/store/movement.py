"""The question of what was booked between two parties in a month, entries that are alike summed."""

from __future__ import annotations

from stargate.base.time import DAY

SUBJECT = (
    "kind", "payer", "payee", "month", "clause", "unit", "metric", "price_usd", "quoted_usd", "portion",
)  # fmt: skip
"""What a statement tells lines apart by, beside their spans."""
_USE = "(s.kind = 'usage' AND s.price_usd IS NOT NULL)"


def movement(entries: str, *, days: bool, attributes: bool) -> str:
    """A query of `entries`, which know the subject and span of their lines, for a month, a last number, two pairs.

    It sums by subject first: numbers are faster to compare than what they stand for. With attributes, rows end
    with the subject's number, and those of one stand together; else with its columns.
    """
    columns = ", ".join(f"s.{name}" for name in SUBJECT)
    low = f"m.start_us / {DAY}" if days else "0"
    sums = (
        f"(SELECT m.subject, CASE WHEN {_USE} THEN {low} ELSE m.start_us END AS low,"
        f" CASE WHEN {_USE} THEN 0 ELSE m.end_us END AS high, min(m.start_us) AS start_us,"
        " max(m.end_us) AS end_us, sum(m.amount) AS amount, sum(m.micro) AS micro, count(*) AS entries,"
        f" min(m.seq) AS first, max(m.seq) AS last FROM {entries} AS m JOIN subject AS s ON s.id = m.subject"
        " WHERE m.month = ? AND m.seq <= ? AND ((s.payer = ? AND s.payee = ?) OR (s.payer = ? AND s.payee = ?))"
        " GROUP BY 1, 2, 3) AS g"
    )
    if attributes:
        return (
            "SELECT g.start_us, g.end_us, g.amount, g.micro, g.entries, g.first, g.last, g.subject"
            f" FROM {sums} ORDER BY g.subject, g.low"
        )
    return (
        "SELECT min(g.start_us), max(g.end_us), sum(g.amount), sum(g.micro), sum(g.entries), min(g.first), max(g.last),"
        f" {columns} FROM {sums} JOIN subject AS s ON s.id = g.subject GROUP BY {columns}, g.low, g.high"
        " ORDER BY min(g.first)"
    )
