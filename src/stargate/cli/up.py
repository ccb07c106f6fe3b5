"""`stargate up`."""

from __future__ import annotations

from pathlib import Path

import click

from stargate.cli.options import data_option

_PATHS = click.Path(path_type=Path)


@click.command("up")
@data_option
@click.option(
    "--infrastructure", "-i", type=_PATHS, multiple=True, help="YAML of the catalog: a file or folder."
)
@click.option("--agreements", "-a", type=_PATHS, multiple=True, help="YAML of the agreements.")
@click.option("--policy", "-p", type=_PATHS, multiple=True, help="YAML with the policy.")
@click.option(
    "--ledger",
    envvar="STARGATE_LEDGER",
    default="",
    metavar="PATH|URL|none",
    help="Where the ledger lies.  [default: DATA/ledger.sqlite]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8750, show_default=True, help="0: any free one."
)
@click.option(
    "--allow-remote", is_flag=True, help="Listen where other machines can reach it. Put TLS in front."
)
@click.option(
    "--gateway",
    default="http://127.0.0.1:8780/v1",
    show_default=True,
    metavar="URL",
    help="Where the runners of batches reach a gateway.",
)
@click.option("--stop-jobs", is_flag=True, help="Let running work save and stop when the server stops.")
@click.option("--json", "as_json", is_flag=True, help="Print where the server listens as JSON.")
def command(
    *,
    data: Path,
    infrastructure: tuple[Path, ...],
    agreements: tuple[Path, ...],
    policy: tuple[Path, ...],
    ledger: str,
    host: str,
    port: int,
    allow_remote: bool,
    gateway: str,
    stop_jobs: bool,
    as_json: bool,
) -> None:
    """Run the server in the foreground; Ctrl-C stops it, and running work goes on.

    Options may be given more than once, and each path may be a file or a folder.
    """
    from stargate.server.config import ServerConfig
    from stargate.server.serve import serve

    config = ServerConfig(
        data=data,
        infrastructure=infrastructure,
        agreements=agreements,
        policy=policy,
        ledger=ledger,
        host=host,
        port=port,
        allow_remote=allow_remote,
        gateway=gateway.rstrip("/"),
        stop_jobs=stop_jobs,
    )
    serve(config, as_json=as_json)
