"""`stargate drain`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.client import connect
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json

SAYS = {
    "draining": "takes no new work, and what runs there moves away",
    "up": "takes work again",
    "lost": "is gone; what ran there goes on elsewhere",
}


@click.command("drain")
@click.argument("scope", type=click.Choice(("provider", "site", "pool")))
@click.argument("id")
@click.option("--undo", "status", flag_value="up", help="Let work return.")
@click.option("--lost", "status", flag_value="lost", help="Say that it is gone, with what ran there.")
@click.option("--reason", default="", help="Kept in the journal.")
@server_options
@json_option
def command(
    scope: str, id: str, status: str | None, reason: str, data: Path, url: str | None, as_json: bool
) -> None:
    """Move work away from a provider, site or pool, at the next checkpoints."""
    wanted = status or "draining"
    body = {"scope": scope, "id": id, "status": wanted, "evidence": reason}
    with connect(data, url) as client:
        answer = client.post("supply", body)
    if as_json:
        print_json(answer)
        return
    click.echo(f"The {scope} {id} {SAYS[wanted]}")
