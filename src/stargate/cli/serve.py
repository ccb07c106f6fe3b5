"""`stargate serve`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from stargate.base.errors import StargateError, StateConflictError, UserError
from stargate.base.time import SECOND, Duration
from stargate.cli.client import Client, ServerUnreachableError, connect
from stargate.cli.conversation import Gateway
from stargate.cli.deal import DurationType
from stargate.cli.options import GATEWAY, gateway_option, server_options
from stargate.cli.output import count, json_option, print_json
from stargate.cli.revise import revise
from stargate.cli.submit import read, say, send, waited, what_options
from stargate.workloads import Workload

ROUTED_S = 10.0
"""A gateway that is up follows within a second; longer than this it is waited for only by name."""
POLL_S = 0.1
LOOKED_AT = 10_000
"""Open workloads among which one of its name is looked for."""


@click.command("serve")
@what_options
@click.option("--no-wait", is_flag=True, help="Do not wait until it answers.")
@click.option(
    "--timeout",
    type=DurationType(),
    default="10m",
    show_default=True,
    help="How long to wait for its replicas.",
)
@gateway_option
@server_options
@json_option
def command(
    *,
    file: Path,
    name: str | None,
    id: str,
    envs: tuple[str, ...],
    no_wait: bool,
    timeout: Duration,
    gateway: str,
    data: Path,
    url: str | None,
    as_json: bool,
) -> int:
    """Serve a model, as FILE says (`-` reads standard input), and wait until it can be asked.

    FILE is workload YAML of `kind: serve`. It is submitted as by `stargate submit`; where a service of this name and
    team is there already, as a new version of that, as by `stargate revise`. Then each of its replicas has to answer
    its readiness probe, and the gateway to have routes to them. Exit code 1: they did not in time.
    """
    workload = read(file, name, envs)
    if workload.kind != "serve":
        raise UserError(
            f"{workload.name or file} is no service: its kind is {workload.kind}",
            "write `kind: serve`, or run it with `stargate submit`",
        )
    with connect(data, url) as client:
        accepted = _put(client, workload, id)
        if no_wait:
            say(accepted, as_json=as_json)
            return 0
        shown = waited(client, accepted["id"], quiet=as_json, until=_ready, timeout_s=timeout / SECOND)
        ready = _ready(shown) and not shown.get("ended_at")
        routed = ready and _routed(client, gateway)
    model = workload.model or workload.name
    if as_json:
        found = {name: shown[name] for name in ("id", "status", "replicas", "ready")}
        print_json({**found, "model": model, "gateway": gateway, "routed": routed})
    elif ready:
        _tell(model, gateway, routed=routed)
    else:
        _tell_why_not(shown, timeout)
    return 0 if ready else 1


def _put(client: Client, workload: Workload, id: str) -> dict[str, Any]:
    """Submit it, or what differs from it as a new version of the one service of its id, or else of its name."""
    if not id:
        there = client.pages("workloads", most=LOOKED_AT, state="active")
        wanted = ("serve", workload.name, workload.team)
        alike = [each["id"] for each in there if (each["kind"], each["name"], each["team"]) == wanted]
        id = alike[0] if len(alike) == 1 else ""
        if not id:
            return send(client, workload, "")
    try:
        return send(client, workload, id)
    except StateConflictError:
        return {"id": id, **revise(client, id, workload)}


def _ready(shown: dict[str, Any]) -> bool:
    """Whether all its replicas answer, and none is being replaced; or it has ended, and none will."""
    return bool(shown.get("ended_at")) or (shown["ready"] >= shown["replicas"] and not shown.get("rollout"))


def _routed(client: Client, url: str) -> bool:
    """Whether a gateway is there, and has routes to what is ready."""
    wanted: int = client.get("status")["routes"]
    before_s = time.monotonic() + ROUTED_S
    with Gateway(url, "") as gateway:
        while True:
            try:
                if gateway.routes() >= wanted:
                    return True
            except ServerUnreachableError:
                return False
            except StargateError:
                pass  # it is there, and has no routes yet
            if time.monotonic() >= before_s:
                return False
            time.sleep(POLL_S)


def _tell(model: str, gateway: str, *, routed: bool) -> None:
    """How to ask it."""
    elsewhere = "" if gateway == GATEWAY else f" --gateway {shlex.quote(gateway)}"
    ask = f"stargate chat{elsewhere} {shlex.quote(model)}"
    if not routed:
        click.echo(f"{model} is ready, and no gateway at {gateway} has routes to it")
        click.echo("Start one with `stargate gateway`, or name one with --gateway; then:", err=True)
    else:
        click.echo(f"{model} is served at {gateway}")
    click.echo(f"  {ask} Hello", err=True)
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    click.echo(f'  curl {gateway}/chat/completions -H "Authorization: Bearer $STARGATE_API_KEY" \\', err=True)
    click.echo(f"    -H 'Content-Type: application/json' -d {shlex.quote(body)}", err=True)
    click.echo("`stargate key make NAME --role application` makes a key for an application", err=True)


def _tell_why_not(shown: dict[str, Any], timeout: Duration) -> None:
    id = shown["id"]
    if shown.get("ended_at"):
        click.echo(f"{id} has {shown['status']}; `stargate logs {id}` shows what it wrote", err=True)
        return
    click.echo(
        f"after {timeout.brief()} {shown['ready']} of {count(shown['replicas'], 'replica')} of {id} answer, and it"
        f" goes on; `stargate show {id}` and `stargate logs {id}` say how",
        err=True,
    )
