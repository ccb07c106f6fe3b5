"""`stargate answer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base.time import Instant
from stargate.cli.client import connect, part
from stargate.cli.deal import InstantType, terms, terms_options
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json

ANSWERS = ("accept", "partial", "decline", "cannot-meet", "counter", "waive")


@click.command("answer")
@click.argument("offer")
@click.argument("answer", type=click.Choice(ANSWERS))
@click.option("--unmet", multiple=True, help="cannot-meet: which requirement, as start_by. May be repeated.")
@click.option("--pool", default="", help="Where you would serve.")
@terms_options
@click.option(
    "--waive", "waiver", type=click.Choice(("need", "until")), default="need", help="waive: for what."
)
@click.option("--until", type=InstantType(), help="waive: until when.")
@click.option("--text-ref", default="", help="The letter or message that says so.")
@server_options
@json_option
def command(
    *,
    offer: str,
    answer: str,
    unmet: tuple[str, ...],
    pool: str,
    waiver: str,
    until: Instant | None,
    text_ref: str,
    data: Path,
    url: str | None,
    as_json: bool,
    **deal: Any,
) -> None:
    """Answer an OFFER as its holder. It counts from the moment at which the server receives it.

    accept, partial (with --chips), decline, cannot-meet (with --unmet), counter (with --price), waive.
    """
    body: dict[str, Any] = {
        "answer": answer.replace("-", "_"),
        "unmet": unmet,
        "pool": pool,
        "text_ref": text_ref,
    }
    if answer == "waive":
        body |= {"waiver": waiver, "waived_until": None if until is None else str(until)}
    if answer == "partial":
        body["chips"] = deal["chips"]
    with connect(data, url) as client:
        if deal["price_micro_usd"] is not None or answer == "counter":
            asked = client.get(f"offers/{part(offer)}")["requirement"]
            body["terms"] = terms(asked, deal)
        done = client.post(f"offers/{part(offer)}/answer", body)
    if as_json:
        print_json(done)
        return
    click.echo(f"{offer}: {done['offer']['status']}")
