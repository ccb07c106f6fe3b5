"""`stargate needs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base.document import read
from stargate.base.errors import InputError, Problem
from stargate.cli.client import connect, part
from stargate.cli.options import pass_on, server_options
from stargate.cli.output import json_option, moment, print_json, table
from stargate.cli.plain import for_http

HEADINGS = (
    "NEED",
    "STATUS",
    "CHIPS",
    "CHIP",
    "START BY",
    "FOR",
    "WHERE",
    "MISSING",
    "OFFERS",
    "QUOTES",
    "WORKLOAD",
)


@click.group("needs", invoke_without_command=True)
@click.option("--state", "-s", help="Only those in this state; `open` is all that are not closed.")
@server_options
@json_option
@click.pass_context
def command(ctx: click.Context, state: str | None, data: Path, url: str | None, as_json: bool) -> None:
    """List needs: capacity that is required and not held."""
    if ctx.invoked_subcommand is not None:
        pass_on(ctx, data=data, url=url)
        return
    with connect(data, url) as client:
        found = list(client.pages("needs", state=state))
    if as_json:
        print_json({"items": found})
        return
    click.echo(picture(found))


@command.command("open")
@click.argument("file", type=click.Path(path_type=Path))
@server_options
@json_option
def open_need(*, file: Path, data: Path, url: str | None, as_json: bool) -> None:
    """Open a need by hand, as FILE says: id, party, requirement, scope.

    Holders of rights that cover it are asked first, then the market.
    """
    documents = [one for one in read(file) if one.value is not None]
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise InputError((Problem("the file holds no need", "Write one mapping.", file=str(file)),))
    with connect(data, url) as client:
        answer = client.post("needs", for_http(documents[0].value))
    _say(answer, f"Opened {answer['need']['id']}: {answer['need']['status']}", as_json=as_json)


@command.command("withdraw")
@click.argument("id")
@click.option("--reason", default="", help="Kept in the journal.")
@server_options
@json_option
def withdraw(*, id: str, reason: str, data: Path, url: str | None, as_json: bool) -> None:
    """Say that nothing more is required. Open offers are withdrawn; leases stay."""
    with connect(data, url) as client:
        answer = client.post(f"needs/{part(id)}/withdraw", {"reason": reason})
    _say(answer, f"Withdrew {id}", as_json=as_json)


@command.command("award")
@click.argument("id")
@click.argument("quote")
@server_options
@json_option
def award(*, id: str, quote: str, data: Path, url: str | None, as_json: bool) -> None:
    """Choose a QUOTE by hand (`list:POOL` for a standing offer). Rights and agreements still bind."""
    with connect(data, url) as client:
        answer = client.post(f"needs/{part(id)}/award", {"quote": quote})
    _say(answer, f"Awarded {quote} for {id}: {answer['need']['status']}", as_json=as_json)


def _say(answer: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        click.echo(text)


def picture(found: list[dict[str, Any]]) -> str:
    """The table; a sentence where there is none."""
    if not found:
        return "No needs: what is held is enough for what is asked."
    return table(HEADINGS, [_row(item) for item in found])


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    asked = item["requirement"]
    return (
        item["id"],
        item["status"],
        f"{asked['chips']:,}",
        " or ".join(asked.get("chip_types") or ()) or "any",
        moment(asked["start_by"]),
        asked["duration"],
        " or ".join(asked.get("jurisdictions") or ()) or "anywhere",
        item.get("missing_chips"),
        len(item.get("offers") or ()),
        len(item.get("quotes") or ()),
        item.get("workload"),
    )
