"""`stargate ledger`: what was used and owed: export it, import bills of others, see both in one report."""

from __future__ import annotations

import click

from stargate.cli.ledger import archive, bring, close, costs, export, follow, verify

__all__ = ["command"]


@click.group("ledger")
def command() -> None:
    """Count journals, close months; export them in FOCUS, import bills of other providers, report on both."""


command.add_command(archive.command)
command.add_command(costs.command)
command.add_command(close.command)
command.add_command(export.command)
command.add_command(follow.command)
command.add_command(verify.command)
command.add_command(bring.command)
