"""`stargate demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.option(
    "--exit", "leave", is_flag=True, help="End when the story ends; else the server stays up to be explored."
)
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what happened to this file.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the server's data here; it must not hold any yet. [default: a temporary folder]",
)
def command(*, leave: bool, file: Path | None, data: Path | None) -> None:
    """Play the whole path: a real training job survives the loss of its provider.

    Three providers on this machine; one holds a right of first refusal and cannot meet the requirement, the market
    is asked, the best deal wins, and at a third of the way the winner is killed. Ends with status 1 if the final
    loss is not that of an undisturbed run.
    """
    from stargate.demo.play import play

    if not play(data, file, leave=leave):
        raise click.exceptions.Exit(1)
