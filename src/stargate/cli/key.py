"""`stargate key`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.cli.client import connect, part
from stargate.cli.deal import DollarsType, InstantType
from stargate.cli.options import server_options
from stargate.cli.output import dollars, json_option, moment, print_json, table

HEADINGS = ("KEY", "NAME", "ROLE", "PARTY", "FOR", "LIMITS", "SHOWN", "CREATED", "EXPIRES", "REVOKED")
BUDGET_LIMIT_USD = 1_000_000
LIMITS = {
    "requests_per_minute": "requests/min",
    "tokens_per_minute": "tokens/min",
    "concurrent_requests": "at a time",
}


@click.group("key")
def command() -> None:
    """Make, list and revoke keys, of people, of providers, and of applications that ask models at gateways."""


def scope_options(make: Callable[..., Any]) -> Callable[..., Any]:
    """What an application's key is for, and how much it may take at gateways."""
    limit = click.IntRange(1, 10**12)
    for option in (
        click.option(
            "--why",
            "operator",
            is_flag=True,
            help="Tell it in a header why a request went where it went; let it read /metrics.",
        ),
        click.option(
            "--budget",
            "budget_micro_usd",
            type=DollarsType(BUDGET_LIMIT_USD, "USD a month, as 500"),
            help="USD a calendar month.",
        ),
        click.option("--concurrent", "concurrent_requests", type=limit, help="Requests at a time."),
        click.option("--tokens-per-minute", type=limit, help="Input and output together."),
        click.option("--requests-per-minute", type=limit, help="Each request counts, also a refused one."),
        click.option(
            "--model",
            "models",
            multiple=True,
            help="A model it may ask for; may be repeated.  [default: any]",
        ),
        click.option(
            "--residency", multiple=True, help="Where its requests may be served, as US-TX; may be repeated."
        ),
        click.option(
            "--attribute",
            "attributes",
            multiple=True,
            metavar="NAME=VALUE",
            help="What else agreements may look at, as audience=public; may be repeated.",
        ),
        click.option(
            "--customer", help="What kind of customer, as government, where agreements tell them apart."
        ),
        click.option("--team", help="Whose budget and usage it is."),
        click.option("--product", help="What agreements know the traffic as, such as api."),
    ):
        make = option(make)
    return make


@command.command("make")
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice(("operator", "engineer", "finance", "provider", "gateway", "application")),
    help="What it may do. A gateway's key speaks for one gateway; an application's is good at gateways alone, for"
    " what its other options say.",
)
@click.option(
    "--party", default="", help="Whom a provider's key speaks for; who owes for an application's use."
)
@click.option("--expires", type=InstantType(), help="When it ends.")
@scope_options
@server_options
@json_option
def make(
    *,
    name: str,
    role: str,
    party: str,
    expires: Instant | None,
    operator: bool,
    data: Path,
    url: str | None,
    as_json: bool,
    **scope: Any,
) -> None:
    """Make a key. It is shown once, here.

    For an application: `--role application`, with what it is for and how much it may take.
    """
    body: dict[str, Any] = {
        "name": name,
        "role": role,
        "expires": None if expires is None else str(expires),
        "operator": operator,
    }
    scope["attributes"] = _attributes(scope["attributes"])
    given = {field: value for field, value in scope.items() if value}
    if role == "application":
        body["scope"] = given | ({"party": party} if party else {})
    else:
        body |= {"party": party} | ({"scope": given} if given else {})
    with connect(data, url) as client:
        made = client.post("keys", body)
    if as_json:
        print_json(made)
        return
    click.echo(made["key"])
    click.echo(f"This is {name}'s key ({role}); it is not shown again", err=True)
    if role == "application":
        click.echo(
            "Clients of OpenAI's API take it as OPENAI_API_KEY, and the gateway's address as OPENAI_BASE_URL",
            err=True,
        )


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


def _attributes(said: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in said]
    for name, _, value in pairs:
        if not name or not value:
            raise UserError(f"--attribute {name!r} has no value", "write --attribute audience=public")
    return {name: value for name, _, value in pairs}


def _row(item: dict[str, Any]) -> tuple[Any, ...]:
    scope = item.get("scope") or {}
    speaks_for = (scope.get("product"), scope.get("team"), scope.get("customer"), *scope.get("residency", ()))
    limits = [f"{scope[field]:,} {unit}" for field, unit in LIMITS.items() if scope.get(field)]
    if scope.get("budget_micro_usd"):
        limits.append(f"{dollars(scope['budget_micro_usd'])}/month")
    return (
        item["id"],
        item["name"],
        item["role"],
        item.get("party") or scope.get("party"),
        " ".join(part for part in speaks_for if part),
        ", ".join(limits),
        item.get("shown"),
        moment(item.get("created")),
        moment(item.get("expires")),
        moment(item.get("revoked")),
    )
