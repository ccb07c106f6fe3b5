"""The table of commands, what is imported when, and what becomes of errors."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import click
import pytest

from stargate import __version__
from stargate.cli import main
from stargate.cli.command_line import SECTIONS, CommandLine
from tests.cli.conftest import Run

COMMANDS = {name: listed for commands in SECTIONS.values() for name, listed in commands.items()}


def test_help_lists_every_command(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    for name, (_, says) in COMMANDS.items():
        assert name in ran.out
        assert says.split(":")[0].split(".")[0][:30] in " ".join(ran.out.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_what_the_table_says(name: str, run: Run) -> None:
    module, says = COMMANDS[name]
    command = importlib.import_module(f"stargate.cli.{module}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help
    assert says.endswith(".")
    assert run(name, "--help").code == 0


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """Commands that do something, with their names."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    inner = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    found = [leaf for name, each in inner if each is not None for leaf in leaves(each, f"{path} {name}")]
    return [*found, (path, command)] if command.invoke_without_command else found


@pytest.mark.parametrize(("path", "command"), leaves(main, "stargate"))
def test_every_command_speaks_json_and_explains_its_options(path: str, command: click.Command) -> None:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert "--json" in {name for option in options for name in option.opts}
    assert [option.name for option in options if not option.help] == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "from stargate.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "click" in loaded
    heavy = {
        "msgspec",
        "httpx",
        "rich",
        "litestar",
        "uvicorn",
        "yaml",
        "numpy",
        "sqlite3",
        "asyncio",
        "stargate.broker",
    }
    assert not heavy & loaded


def test_version(run: Run) -> None:
    assert run("--version").out == f"stargate {__version__}\n"


def test_a_near_name_is_suggested(run: Run) -> None:
    ran = run("shwo")
    assert (ran.code, ran.out) == (2, "")
    assert "Did you mean 'show'?" in ran.err


@pytest.mark.parametrize(
    "words", [["submit"], ["ps", "--limit", "0"], ["scale", "a", "many"], ["drain", "moon", "a"]]
)
def test_usage_errors_say_how(words: list[str], run: Run) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert f"`stargate {words[0]} --help` says how" in ran.err
    said = run(*words, "--json")
    assert said.code == 2
    assert said.err == ""
    assert said.json["error"]["type"] == "UsageError"


def test_a_fault_of_ours_is_a_sentence_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the moon")

    monkeypatch.setattr("stargate.cli.ps.connect", broken)
    ran = run("ps")
    assert ran.code == 1
    assert ran.err.startswith("stargate: ZeroDivisionError: the moon. This is a fault of Stargate")
    assert "Traceback" not in ran.err
    assert "Traceback" in run("ps", STARGATE_DEBUG="1").err


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stargate.cli.ps.connect", pressed)
    assert run("ps").code == 130


def test_a_reader_that_has_gone_is_no_error() -> None:
    code = "from stargate.cli import main; main(['--help'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_the_group_is_the_entry_point() -> None:
    assert isinstance(main, CommandLine)
