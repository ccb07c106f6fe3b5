"""`stargate demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

ANSWER_TOKENS = 300
"""A small model does not know when to end."""


@click.command("demo")
@click.argument("story", type=click.Choice(("train", "serve")), default="train")
@click.option(
    "--exit",
    "leave",
    is_flag=True,
    help="End when the story ends; else the server stays up to be explored, or the model to be chatted with.",
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
def command(*, story: str, leave: bool, file: Path | None, data: Path | None) -> None:
    """Play the whole path: a real training job, or a real served model, survives the loss of its provider.

    train: three providers on this machine; one holds a right of first refusal and cannot meet the requirement, the
    market is asked, the best deal wins, and at a third of the way the winner is killed. Ends with status 1 if the final
    loss is not that of an undisturbed run.

    serve: a small language model at two providers behind a gateway; one is killed while it answers. Ends with status 1
    if others notice, or if the ledger and the providers' own meters differ. Then you can chat with the model.
    """
    from stargate.demo.play import play, play_serving

    if story == "train":
        kept = play(data, file, leave=leave)
    else:
        kept = play_serving(data, file, None if leave or not sys.stdin.isatty() else _chat)
    if not kept:
        raise click.exceptions.Exit(1)


def _chat(gateway: str, key: str, model: str) -> None:
    from stargate.cli.chat import converse
    from stargate.cli.conversation import Gateway

    with Gateway(gateway, key) as asked:
        converse(asked, {"model": model, "max_tokens": ANSWER_TOKENS})
