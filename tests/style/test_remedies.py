"""A remedy or a page that names a command names one that exists, with options that it has."""

from __future__ import annotations

import re

import click

from stargate.cli import main
from tests.style.tree import Fault, files, python, report, text

NAMED = re.compile(r"`stargate ([^`\n]*)`")


SHOWN = re.compile(r"^(?:\$ )?stargate ([^#|\n]*)", re.MULTILINE)
"""In a block of a page, where a backslash goes on in the next line."""


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
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
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


def test_commands_of_the_pages_exist() -> None:
    """Those that are shown and not run by the tests of the documentation as well."""
    pages = [path for path in files() if path.suffix == ".md"]
    lines = [
        (path, found)
        for path in pages
        for said in (NAMED, SHOWN)
        for found in said.findall(text(path).replace("\\\n", ""))
    ]
    assert len(lines) > 100, "the pages name commands"
    report(
        Fault(path, 1, f"`stargate {found}`: {fault}", "Show a command that exists")
        for path, found in lines
        if (fault := _fault(found.split()))
    )
