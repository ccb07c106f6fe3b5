"""`stargate fact`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from stargate.base.document import parse
from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.cli.client import connect
from stargate.cli.deal import InstantType
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json
from stargate.cli.plain import for_http


@click.command("fact")
@click.argument("name")
@click.argument("value")
@click.option("--from", "valid_from", type=InstantType(), help="From when it is so. Else from now on.")
@click.option(
    "--status",
    type=click.Choice(("claimed", "verified", "rejected")),
    default="claimed",
    show_default=True,
    help="How sure it is.",
)
@click.option("--verified-by", default="", help="The party that verified or rejected it.")
@click.option("--source", default="", help="Where it is written.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file; its hash is kept.",
)
@server_options
@json_option
def command(
    *,
    name: str,
    value: str,
    valid_from: Instant | None,
    status: str,
    verified_by: str,
    source: str,
    evidence: Path | None,
    data: Path,
    url: str | None,
    as_json: bool,
) -> None:
    """Declare that NAME is VALUE: a fact of the world that agreements rest on.

    VALUE is a number, true, false or text.
    """
    body: dict[str, Any] = {
        "name": name,
        "value": scalar(value),
        "valid_from": None if valid_from is None else str(valid_from),
        "status": status,
        "verified_by": verified_by,
        "source": source,
        "evidence_sha256": "" if evidence is None else hashlib.sha256(evidence.read_bytes()).hexdigest(),
    }
    with connect(data, url) as client:
        done = client.post("facts", body)
    if as_json:
        print_json(done)
        return
    click.echo(f"{name} is {value} ({status}), entry {done['seq']}")


def scalar(text: str) -> Any:
    """What YAML takes the text for. Raises UserError for lists and mappings."""
    documents = parse(text, "VALUE")
    value = documents[0].value if len(documents) == 1 else None
    if value is None or isinstance(value, dict | list):
        raise UserError(
            f"{text!r} is no number, truth value or text", "write one; quote text that looks like YAML"
        )
    return for_http(value)
