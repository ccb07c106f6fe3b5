"""`stargate explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base.time import Duration
from stargate.cli.client import connect, part
from stargate.cli.options import server_options
from stargate.cli.output import dollars, json_option, print_json, say, table

HEADINGS = ("POOL", "PROVIDER", "SITE", "CHIP", "TENURE", "VERDICT", "PRICE", "SCORE", "WHY", "CLAUSE")


@click.command("explain")
@click.argument("what", metavar="ID|SEQ")
@server_options
@json_option
def command(what: str, data: Path, url: str | None, as_json: bool) -> None:
    """Explain where a workload runs, or why it waits; or the decision at a journal entry, as it was then.

    Lists every candidate with its score, or with the filter or clause that excluded it.
    """
    with connect(data, url) as client:
        found = client.get(f"explain/{part(what)}")
    if as_json:
        print_json(found)
        return
    say(lines(found))


def lines(found: dict[str, Any]) -> list[str]:
    """The summary, the grounds, and the table of candidates."""
    said = [found["summary"]]
    for ground in found.get("grounds") or ():
        clause = f" [{ground['clause']}]" if ground.get("clause") else ""
        facts = f" ({', '.join(ground['facts'])})" if ground.get("facts") else ""
        said.append(f"  because {ground['says']}{clause}{facts}")
    candidates = found.get("candidates") or ()
    if candidates:
        sized = any(candidate.get("chips") for candidate in candidates)
        headings = (*HEADINGS[:6], "CHIPS", "TIME", *HEADINGS[6:]) if sized else HEADINGS
        rows = [_row(candidate, sized=sized) for candidate in candidates]
        said += ["", table(headings, rows)]
        more = found.get("candidates_total", 0) - len(candidates)
        if more > 0:
            said.append(f"and {more:,} more, excluded")
    return said


def _row(candidate: dict[str, Any], *, sized: bool) -> tuple[Any, ...]:
    says = candidate.get("says", "")
    kind = candidate.get("filter", "")
    return (
        candidate["pool"],
        candidate["provider"],
        candidate["site"],
        candidate["chip"],
        candidate["tenure"],
        candidate["verdict"],
        *(_size(candidate) if sized else ()),
        dollars(candidate["price_micro_usd_per_chip_hour"]),
        dollars(candidate.get("score_micro_usd")),
        f"{kind}: {says}" if kind and says else says or kind,
        candidate.get("clause"),
    )


def _size(candidate: dict[str, Any]) -> tuple[str, str]:
    """How many chips stated work was sized to, and how long it takes on them."""
    chips, duration = candidate.get("chips"), candidate.get("duration")
    if duration is None:
        return f"{chips:,}" if chips else "", ""
    text = Duration.parse(duration).brief()
    return f"{chips:,}", f"{text} (late)" if candidate.get("late") else text
