"""`stargate submit`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stargate import workloads
from stargate.base import wire
from stargate.base.errors import UserError
from stargate.cli.client import Client, connect
from stargate.cli.options import server_options
from stargate.cli.output import json_option, print_json
from stargate.cli.watch import follow, succeeded


def what_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """FILE, and what is said otherwise than in it."""
    for part in (
        click.option(
            "--env",
            "-e",
            "envs",
            multiple=True,
            metavar="NAME[=VALUE]",
            help="Set a variable of the workload.",
        ),
        click.option(
            "--id", "id", default="", help="Use this id; submitting the same id twice is submitting once."
        ),
        click.option("--name", help="Use this name instead of the file's."),
        click.argument("file", type=click.Path(path_type=Path, allow_dash=True)),
    ):
        command = part(command)
    return command


@click.command("submit")
@what_options
@click.option("--wait", "-w", is_flag=True, help="Watch it until it ends; a failure is exit code 1.")
@server_options
@json_option
def command(
    *,
    file: Path,
    name: str | None,
    id: str,
    envs: tuple[str, ...],
    wait: bool,
    data: Path,
    url: str | None,
    as_json: bool,
) -> int:
    """Run a job or serve a model, as FILE says (`-` reads standard input).

    FILE is workload YAML, or a plain SkyPilot task. It is checked here first. `--env NAME` alone takes the value
    from your shell.
    """
    workload = read(file, name, envs)
    with connect(data, url) as client:
        accepted = send(client, workload, id)
        if not wait:
            say(accepted, as_json=as_json)
            return 0
        shown = waited(client, accepted["id"], quiet=as_json)
    if as_json:
        print_json(shown)
    return 0 if succeeded(shown) else 1


def read(file: Path, name: str | None, envs: tuple[str, ...]) -> workloads.Workload:
    """The workload, with the options' name and variables. Raises InputError."""
    given = dict(_assignment(item) for item in envs)
    if str(file) == "-":
        text = sys.stdin.buffer.read(workloads.JSON_LIMIT + 1).decode("utf-8", "replace")
        workload = workloads.parse(text, "<stdin>", envs=given)
    else:
        workload = workloads.load(file, envs=given)
    return workload if name is None else workloads.sound(workloads.renamed(workload, name))


def _assignment(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if equals:
        return name, value
    if name not in os.environ:
        raise UserError(
            f"--env {name} names a variable that your shell does not have", f"write --env {name}=VALUE"
        )
    return name, os.environ[name]


def send(client: Client, workload: workloads.Workload, id: str) -> dict[str, Any]:
    """Submit it: its id, and whether that had been done before."""
    accepted: dict[str, Any] = client.post("workloads", {"id": id, "workload": wire.to_plain(workload)})
    return accepted


def say(accepted: dict[str, Any], *, as_json: bool) -> None:
    """What came of it, and where to look."""
    if as_json:
        print_json(accepted)
        return
    again = " (it had been submitted before)" if accepted.get("repeated") else ""
    click.echo(f"Submitted {accepted['id']}{again}")
    click.echo(
        f"See `stargate show {accepted['id']}` and `stargate logs {accepted['id']} --follow`", err=True
    )


def waited(client: Client, id: str, **how: Any) -> dict[str, Any]:
    """Watch it, as `follow` does; whoever stops watching is told that it goes on."""
    try:
        return follow(client, id, **how)
    except KeyboardInterrupt:
        click.echo(f"{id} goes on; `stargate cancel {id}` ends it", err=True)
        raise
