"""`stargate cancel`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.client import connect, part
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json


@click.command("cancel")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@server_options
@json_option
def command(ids: tuple[str, ...], data: Path, url: str | None, as_json: bool) -> None:
    """End workloads for good. What runs is asked to stop, with time to save."""
    with connect(data, url) as client:
        done = [client.post(f"workloads/{part(id)}/cancel") for id in ids]
    if as_json:
        print_json({"items": done})
        return
    for answer in done:
        click.echo(f"Cancelled {answer['id']}" if answer["seq"] else f"{answer['id']} had ended already")
