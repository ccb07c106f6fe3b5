"""`stargate gateway`."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import click

from stargate.cli.options import DATA

_PATH = click.Path(path_type=Path)
_SECRET = re.compile(r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})=([A-Za-z_][A-Za-z0-9_]*)$")


@click.command("gateway")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="STARGATE_GATEWAY_DATA",
    default=Path("stargate-gateway"),
    show_default=True,
    help="The gateway's own folder: routes, and usage until it has arrived.",
)
@click.option("--server", metavar="URL", help="The control plane.  [default: that of ./stargate-data]")
@click.option(
    "--key",
    type=_PATH,
    help="File with a key of the role gateway.  [default: DATA/gateway.key; made where the operator's key is at hand]",
)
@click.option("--node", default=socket.gethostname, show_default="this host's name", help="Its name.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8780, show_default=True, help="The port to listen on."
)
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that answer."
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=VARIABLE",
    help="The environment variable that holds a secret which endpoints name.",
)
@click.option(
    "--region",
    default="",
    help="Where it runs: a site, or a place as DE or US-TX. Endpoints there come first among those that are alike.",
)
@click.option(
    "--limits",
    metavar="URL",
    envvar="STARGATE_GATEWAY_LIMITS",
    default="",
    help="A postgresql:// address where all gateways share the limits.  [default: at the control plane]",
)
@click.option(
    "--access-log",
    metavar="FILE",
    default="",
    help="Add a line of JSON for each request to FILE, or to standard output (-).",
)
@click.option(
    "--open-metrics",
    is_flag=True,
    help="Let whoever reaches the port read /metrics; else it takes a key made with --why.",
)
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as JSON.")
def command(
    *,
    data: Path,
    server: str | None,
    key: Path | None,
    node: str,
    host: str,
    port: int,
    workers: int,
    secrets: tuple[str, ...],
    region: str,
    limits: str,
    access_log: str,
    open_metrics: bool,
    as_json: bool,
) -> None:
    """Serve models through one OpenAI-compatible API, by the routes of a control plane; Ctrl-C stops it.

    It starts and serves without the control plane by the routes it last had, and keeps what was used until that has
    arrived there. OpenTelemetry's variables, as OTEL_EXPORTER_OTLP_ENDPOINT, make it send spans.
    """
    from stargate.gateway.observing import tracing_wanted
    from stargate.gateway.serving.host import Listening, serve
    from stargate.gateway.serving.settings import Settings
    from stargate.gateway.serving.worker import Told
    from stargate.gateway.steward.steward import Charge

    url = server or _address()
    named = dict(_secret(each) for each in secrets)
    folder = data.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = (key or folder / "gateway.key").resolve()
    if not token.exists():
        _make_key(token, url, node)
    tracing_wanted(os.environ)
    told = Told(
        data=str(folder),
        settings=Settings(open_metrics=open_metrics),
        secrets=named,
        followed=True,
        steward=True,
        server=url,
        region=region,
        access_log=_log(access_log),
    )
    if limits:
        from stargate.gateway.lending.postgres import PostgresBook

        PostgresBook(limits)  # it says what is wrong with the address before anything is started
    charge = Charge(
        data=str(folder), node=node, server=url, token_file=str(token), secrets=named, limits=limits
    )
    where = f"http://{host}:{port}/v1"
    click.echo(
        json.dumps({"url": where, "data": str(folder)}) if as_json else f"The gateway listens on {where}"
    )
    serve(Listening(host=host, port=port, workers=workers), told, charge)


def _address() -> str:
    """The control plane of this folder. Raises UserError."""
    from stargate.base.errors import UserError

    try:
        url: str = json.loads((DATA / "server.json").read_bytes())["url"]
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"no server runs at {DATA}, and none was named", "give --server URL, or run `stargate up` here"
        ) from None
    return url


def _log(name: str) -> str:
    """The access log, as workers are told of it. Raises UserError where it cannot be written."""
    from stargate.base.errors import UserError

    if name in ("", "-"):
        return name
    path = Path(name).resolve()
    try:
        path.open("ab").close()
    except OSError as error:
        raise UserError(
            f"the access log {path} cannot be written: {error.strerror}",
            "Make its folder, or name another file",
        ) from None
    return str(path)


def _make_key(path: Path, url: str, node: str) -> None:
    """A key of this gateway's own, where the operator's is at hand. Raises UserError."""
    from stargate.base.errors import UserError
    from stargate.cli.client import Client
    from stargate.cli.own_key import make_key, read_key

    operator = DATA / "operator.key"
    if not operator.exists():
        raise UserError(
            f"there is no key at {path}",
            f"make one with `stargate key make {node} --role gateway`, and keep its text in that file",
        )
    with Client(url, read_key(operator)) as client:
        make_key(client, path, node, "gateway")


def _secret(text: str) -> tuple[str, str]:
    found = _SECRET.match(text)
    if found is None:
        raise click.BadParameter(f"{text!r}: write NAME=VARIABLE", param_hint="--secret")
    return found[1], found[2]
