"""`stargate quote`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.cli.client import Client, connect, part
from stargate.cli.deal import InstantType, terms, terms_options
from stargate.cli.options import server_options
from stargate.cli.output import json_option, moment, print_json


@click.command("quote")
@click.argument("need")
@click.option("--provider", required=True, help="Who would deliver.")
@click.option("--pool", required=True, help="From which pool.")
@terms_options
@click.option("--valid-until", type=InstantType(), help="The quote binds until then.")
@click.option("--id", default="", help="The quote's id; quoting twice under one id is quoting once.")
@server_options
@json_option
def command(
    *,
    need: str,
    provider: str,
    pool: str,
    valid_until: Instant | None,
    id: str,
    data: Path,
    url: str | None,
    as_json: bool,
    **deal: Any,
) -> None:
    """Quote for a NEED on the market. What is left out is as the need requires it. A quote binds."""
    if deal["price_micro_usd"] is None:
        raise click.UsageError("a quote needs --price, in USD per chip-hour")
    with connect(data, url) as client:
        asked = client.get(f"needs/{part(need)}")["requirement"]
        deal["jurisdiction"] = deal["jurisdiction"] or _where(client, pool)
        body = {
            "id": id or f"quote-{uuid.uuid4().hex[:12]}",
            "provider": provider,
            "pool": pool,
            "terms": terms(asked, deal),
            "valid_until": None if valid_until is None else str(valid_until),
        }
        done = client.post(f"needs/{part(need)}/quotes", body)
    if as_json:
        print_json(done)
        return
    quoted = done["quote"]
    click.echo(f"{quoted['id']}: {quoted['status']}, binding until {moment(quoted['valid_until'])}")


def _where(client: Client, pool: str) -> str:
    """Where the pool stands; empty for those who may not look it up, who then say so themselves."""
    try:
        found: str = client.get(f"pools/{part(pool)}")["jurisdiction"]
    except UserError:
        return ""
    return found
