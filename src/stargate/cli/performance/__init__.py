"""`stargate performance`: the performance model itself: its accuracy, its constants, one estimate in detail."""

from __future__ import annotations

import click

from stargate.cli.performance import explain, fit, models, score

__all__ = ["command"]


@click.group("performance")
def command() -> None:
    """Score, fit and explain the performance model."""


command.add_command(explain.command)
command.add_command(fit.command)
command.add_command(models.command)
command.add_command(score.command)
