"""`stargate offers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.cli.client import connect, part
from stargate.cli.options import server_options
from stargate.cli.output import dollars, json_option, moment, print_json, say, table

HEADINGS = ("OFFER", "NEED", "HOLDER", "MODE", "CLAUSE", "CHIPS", "STATUS", "ANSWER BY", "TAKEN")


@click.command("offers")
@click.argument("id", required=False)
@click.option("--state", "-s", type=click.Choice(("open", "ended")), help="`open` awaits an answer.")
@server_options
@json_option
def command(id: str | None, state: str | None, data: Path, url: str | None, as_json: bool) -> None:
    """List offers under rights of first refusal, or show one. Providers see those made to them."""
    with connect(data, url) as client:
        if id is not None:
            offer = client.get(f"offers/{part(id)}")
            if as_json:
                print_json(offer)
            else:
                say(lines(offer))
            return
        found = list(client.pages("offers", state=state))
    if as_json:
        print_json({"items": found})
        return
    click.echo(picture(found))


def picture(found: list[dict[str, Any]]) -> str:
    """The table; a sentence where there is none."""
    if not found:
        return "No offers."
    return table(HEADINGS, [_row(item) for item in found])


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    return (
        item["id"],
        item["need"],
        item["right"]["holder"],
        item["right"]["mode"],
        item["right"]["clause"],
        f"{item['chips']:,}",
        item["status"],
        moment(item.get("deadline")),
        item.get("taken_chips") or "",
    )


def lines(offer: dict[str, Any]) -> list[str]:
    """One offer in full: what is required, on which terms, until when."""
    asked, right = offer["requirement"], offer["right"]
    kinds = " or ".join(asked.get("chip_types") or ()) or "any chip"
    said = [
        f"{offer['id']}: {offer['status']}",
        f"To {right['holder']} from {right['grantor']}, {right['mode']}",
        f"Under {right['clause']} {right.get('text_ref', '')}".rstrip(),
        f"Required: {offer['chips']:,} of {kinds} by {moment(asked['start_by'])} for {asked['duration']}",
    ]
    if asked.get("jurisdictions"):
        said.append(f"Where: {' or '.join(asked['jurisdictions'])}")
    if offer.get("terms"):
        said.append(f"Terms to match: {_terms(offer['terms'])}")
    if offer.get("deadline"):
        said.append(f"Answer before {moment(offer['deadline'])}")
    for answer in offer.get("answers") or ():
        void = "" if answer.get("effect", True) else " (without effect)"
        unmet = f": cannot meet {', '.join(answer['unmet'])}" if answer.get("unmet") else ""
        said.append(
            f"{moment(answer['at'])} {answer['answered_by']} answered {answer['answer']}{unmet}{void}"
        )
    return said


def _terms(terms: dict[str, Any]) -> str:
    price = terms.get("price_micro_usd_per_chip_hour")
    at = f" at {dollars(price)} per chip-hour" if price is not None else ""
    return f"{terms['chips']:,} chips{at} from {moment(terms['start'])} for {terms['duration']}"
