"""`stargate explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base.errors import NotFoundError
from stargate.base.time import Duration
from stargate.cli.client import connect, part
from stargate.cli.options import server_options
from stargate.cli.output import count, dollars, json_option, moment, print_json, say, table

HEADINGS = ("POOL", "PROVIDER", "SITE", "CHIP", "TENURE", "VERDICT", "PRICE", "SCORE", "WHY", "CLAUSE")


ATTEMPT_HEADINGS = (
    "TRY", "AT", "PROVIDER", "SITE", "ENDPOINT", "OUTCOME", "STATUS", "INPUT", "CACHED", "OUTPUT", "COUNTED",
    "FIRST BYTE", "CHARGED", "BUDGET",
)  # fmt: skip


@click.command("explain")
@click.argument("what", metavar="ID|SEQ")
@server_options
@json_option
def command(what: str, data: Path, url: str | None, as_json: bool) -> None:
    """Explain a workload's place, a decision in the journal, or where a request went.

    ID is a workload: where it runs, or why it waits. Or it is a request at a gateway, by the `x-request-id` of its
    answer: where it went, and by which clauses. SEQ is a journal entry: the decision as it was then, with every
    candidate and its score, or the filter or clause that excluded it.
    """
    with connect(data, url) as client:
        try:
            found, text = client.get(f"explain/{part(what)}"), lines
        except NotFoundError as error:
            try:
                found, text = client.get(f"requests/{part(what)}"), request_lines
            except NotFoundError as other:
                raise (other if what.startswith("req_") else error) from None
    if as_json:
        print_json(found)
        return
    say(text(found))


def request_lines(found: dict[str, Any]) -> list[str]:
    """A request at a gateway: what became of it, every endpoint that was asked, and why these and no others."""
    asks = " ".join(part for part in (found["product"], found["team"]) if part)
    name = found["key_name"] or found["key"]
    batch = f", a line of {found['batch']}" if found.get("batch") else ""
    said = [
        f"{found['operation']} for {name}{f' ({asks})' if asks else ''}{batch}: {found['summary']}",
        "",
        table(ATTEMPT_HEADINGS, map(_attempt_row, found["attempts"])),
    ]
    for why in found["whys"].values():
        said += ["", *_why_lines(why)]
    return said


def _attempt_row(attempt: dict[str, Any]) -> tuple[Any, ...]:
    where, tokens = attempt["where"], attempt["tokens"]
    first_us = attempt["first_byte_us"]
    return (
        attempt["nth"] + 1,
        moment(attempt["at"]),
        where.get("provider"),
        where.get("site"),
        attempt["endpoint"],
        attempt["outcome"],
        attempt["status"] or None,
        f"{tokens['input_tokens']:,}",
        f"{tokens['cached_tokens']:,}",
        f"{tokens['output_tokens']:,}",
        attempt["counted"],
        f"{first_us / 1_000:,.0f} ms" if first_us else None,
        attempt["chargeable"],
        dollars(attempt["micro_usd"]) if attempt["micro_usd"] else None,
    )


def _why_lines(why: dict[str, Any]) -> list[str]:
    places = ", ".join(" ".join(part for part in place if part) for place in why.get("open", ()))
    said = [f"{why['model']} may be served to it by {places or 'nobody'}"]
    said += [f"  because {_begun(says)} [{clause}]" for clause, says in why.get("grounds", ())]
    for shut in why.get("shut", ()):
        place = " ".join(part for part in (shut["provider"], shut["site"]) if part)
        clause = f" [{shut['clause']}]" if shut.get("clause") else ""
        said.append(f"  not by {place}, {count(shut['endpoints'], 'endpoint')}: {shut['says']}{clause}")
        if shut.get("would_change"):
            said.append(f"    it would take {shut['would_change']}")
    return said


def _begun(sentence: str) -> str:
    """A sentence as the rest of another."""
    return sentence[:1].lower() + sentence[1:]


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
