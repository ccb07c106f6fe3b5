"""`stargate ledger`: what was used and owed: export it, import bills of others, see both in one report."""

from __future__ import annotations

import click

from stargate.cli.ledger import bring, costs, export

__all__ = ["command"]


@click.group("ledger")
def command() -> None:
    """Export months in FOCUS, import bills of other providers, and report on both."""


command.add_command(costs.command)
command.add_command(export.command)
command.add_command(bring.command)
