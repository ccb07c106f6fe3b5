"""The `stargate` command, from the command itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from docs._ext.reference.markdown import code, table

Found = tuple[str, click.Command, click.Context]
"""Full name, command, context."""


def walk() -> Iterator[Found]:
    """Every command with its full name, groups before what they hold."""
    from stargate.cli import main

    yield from _below(main, click.Context(main, info_name="stargate"))


def _below(command: click.Command, context: click.Context) -> Iterator[Found]:
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{name} is listed and cannot be had"
            if not inner.hidden:
                yield from _below(inner, click.Context(inner, info_name=name, parent=context))


def options(command: click.Command, context: click.Context) -> list[tuple[str, str]]:
    """Names and help of the options, `--help` left out."""
    own = (parameter for parameter in command.params if isinstance(parameter, click.Option))
    records = (option.get_help_record(context) for option in own)
    return [record for record in records if record is not None]


def commands() -> str:
    """One section for each command: usage, what it does, options."""
    parts: list[str] = []
    for path, command, context in walk():
        rows = [(f"`{names}`", help_text) for names, help_text in options(command, context)]
        parts += [
            f"### `{path}`",
            code(command.get_usage(context)),
            inspect.cleandoc(command.help or "").replace("\b\n", ""),
            table(("option", "meaning"), rows),
        ]
    return "\n\n".join(part for part in parts if part)
