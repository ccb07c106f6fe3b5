"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DATA = Path("stargate-data")
GATEWAY = "http://127.0.0.1:8780/v1"
"""Where `stargate gateway` listens unless it is told otherwise."""


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data` and `--url`: which server is meant."""
    command = click.option(
        "--url", metavar="URL", help="The server's address. [STARGATE_URL; else from DATA/server.json]"
    )(command)
    return data_option(command)


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--data`: the folder of a server."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="STARGATE_DATA",
        default=DATA,
        show_default=True,
        help="The server's folder.",
    )(command)


def gateway_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--gateway`: which gateway is meant."""
    return click.option(
        "--gateway",
        metavar="URL",
        envvar="STARGATE_GATEWAY",
        default=GATEWAY,
        show_default=True,
        help="The gateway's address, up to /v1.",
    )(command)


def pass_on(ctx: click.Context, **options: Any) -> None:
    """Let the subcommands of a group take its options as their defaults."""
    assert isinstance(ctx.command, click.Group), "only a group has subcommands"
    ctx.default_map = dict.fromkeys(ctx.command.list_commands(ctx), options)
