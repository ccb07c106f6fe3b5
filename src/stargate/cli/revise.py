"""`stargate revise`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stargate.base import wire
from stargate.cli.client import Client, connect, part
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json
from stargate.cli.submit import read
from stargate.workloads import Workload


@click.command("revise")
@click.argument("id")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--env", "-e", "envs", multiple=True, metavar="NAME[=VALUE]", help="Set a variable of the workload."
)
@server_options
@json_option
def command(id: str, file: Path, envs: tuple[str, ...], data: Path, url: str | None, as_json: bool) -> None:
    """Roll out a new version of the service ID, as FILE says (`-` reads standard input).

    Its replicas are replaced one by one: a new one is started and answers before an old one finishes its requests and
    stops. A version that does not become ready is given up, and the old one goes on.
    """
    workload = read(file, None, envs)
    with connect(data, url) as client:
        answer = revise(client, id, workload)
    if as_json:
        print_json(answer)
        return
    if not answer["seq"]:
        click.echo(f"{id} is that already")
        return
    click.echo(f"Rolling out a new version of {id}")
    click.echo(f"`stargate show {id}` says how far it is", err=True)


def revise(client: Client, id: str, workload: Workload) -> dict[str, Any]:
    """Have a service be this from now on; 0 as its `seq`: it is that already."""
    answer: dict[str, Any] = client.post(
        f"workloads/{part(id)}/revise", {"workload": wire.to_plain(workload)}
    )
    return answer
