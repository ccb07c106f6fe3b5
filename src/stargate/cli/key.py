"""`stargate key`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base.time import Instant
from stargate.cli.client import connect, part
from stargate.cli.deal import InstantType
from stargate.cli.options import server_options
from stargate.cli.output import json_option, moment, print_json, table

HEADINGS = ("KEY", "NAME", "ROLE", "PARTY", "SHOWN", "CREATED", "EXPIRES", "REVOKED")


@click.group("key")
def command() -> None:
    """Make, list and revoke keys. Roles: operator, engineer, finance, provider, gateway."""


@command.command("make")
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice(("operator", "engineer", "finance", "provider", "gateway")),
    help="What it may do. A gateway's key may only put usage on record, under its own name.",
)
@click.option("--party", default="", help="The company that a provider's key speaks for.")
@click.option("--expires", type=InstantType(), help="When it ends.")
@server_options
@json_option
def make(
    name: str, role: str, party: str, expires: Instant | None, data: Path, url: str | None, as_json: bool
) -> None:
    """Make a key. It is shown once, here."""
    body = {"name": name, "role": role, "party": party, "expires": None if expires is None else str(expires)}
    with connect(data, url) as client:
        made = client.post("keys", body)
    if as_json:
        print_json(made)
        return
    click.echo(made["key"])
    click.echo(f"This is {name}'s key ({role}); it is not shown again", err=True)


@command.command("list")
@server_options
@json_option
def list_keys(data: Path, url: str | None, as_json: bool) -> None:
    """List keys; of each, its last four characters."""
    with connect(data, url) as client:
        found = list(client.pages("keys"))
    if as_json:
        print_json({"items": found})
        return
    click.echo(table(HEADINGS, [_row(item) for item in found]))


@command.command("revoke")
@click.argument("id")
@server_options
@json_option
def revoke(id: str, data: Path, url: str | None, as_json: bool) -> None:
    """Make a key worthless from now on."""
    with connect(data, url) as client:
        done = client.post(f"keys/{part(id)}/revoke")
    if as_json:
        print_json(done)
        return
    click.echo(f"Revoked {id}")


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    return (
        item["id"],
        item["name"],
        item["role"],
        item.get("party"),
        item.get("shown"),
        moment(item.get("created")),
        moment(item.get("expires")),
        moment(item.get("revoked")),
    )
