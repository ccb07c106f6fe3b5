"""A remedy that names a command names one that exists, with options that it has."""

from __future__ import annotations

import re

import click

from stargate.cli import main
from tests.style.tree import Fault, python, report, text

NAMED = re.compile(r"`stargate ([^`\n]*)`")


def _options(command: click.Command) -> set[str]:
    """Every way to write an option of a command."""
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help"
    }


def _fault(words: list[str]) -> str:
    """What is wrong with a command line that a message recommends; empty: nothing."""
    command: click.Command | None = main
    if words and words[0].startswith("-"):
        return "" if words[0] in _options(main) else f"stargate has no {words[0]}"
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        if not name.islower() or name == "…":
            return ""
        command = command.get_command(click.Context(command), name)
        if command is None:
            return f"there is no command {name!r}"
    assert command is not None
    unknown = [
        word for word in words if word.startswith("--") and word.split("=")[0] not in _options(command)
    ]
    return f"{command.name} has no {unknown[0]}" if unknown else ""


def test_recommended_commands_exist() -> None:
    report(
        Fault(
            path,
            number,
            fault,
            "Name a command that exists, as `stargate --help` lists them",
        )
        for path in python("src")
        for number, line in enumerate(text(path).splitlines(), start=1)
        for found in NAMED.findall(line)
        if (fault := _fault(found.split()))
    )
