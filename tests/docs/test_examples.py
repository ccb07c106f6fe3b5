"""What the README and the tutorial show is what happens: their Python runs, their terminal sessions print that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

from tests.conftest import REPOSITORY
from tests.docs.console import Session, commands, shows

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")),
    *sorted(f"docs/howto/{page.name}" for page in (REPOSITORY / "docs" / "howto").glob("*.md")),
]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A terminal in a folder of its own."""
    opened = Session(tmp_path)
    yield opened
    opened.close()


def run_console(example: Example) -> str | None:
    """Run a terminal block in the session of its page."""
    session: Session = example.namespace["session"]
    differences = [session.run(command, expected) for command, expected in commands(example.parsed)]
    return "\n\n".join(difference for difference in differences if difference) or None


SYBIL = Sybil(parsers=[PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=run_console)])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_examples_of_a_page_run(page: str, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(session.folder)
    document = SYBIL.parse(REPOSITORY / page)
    document.namespace["session"] = session
    for example in document.examples():
        example.evaluate()


def test_the_pages_that_teach_have_examples() -> None:
    for page, least in (
        ("README.md", 2),
        ("docs/tutorial.md", 10),
        ("docs/howto/rehearse.md", 6),
        ("docs/howto/ledger.md", 20),
        ("docs/howto/serve.md", 7),
    ):
        document = SYBIL.parse(REPOSITORY / page)
        found = sum(len(list(commands(str(example.parsed)))) for example in document.examples())
        assert found >= least, f"{page} shows {found} commands"


def test_output_is_compared_with_room_for_what_changes() -> None:
    assert shows("took 12 ms\n", "took ... ms")
    assert shows("a  b \nc", "a b\nc")
    assert not shows("took 12 s", "took ... ms")
    assert not shows("a\nb\nc", "a\nb")


def test_commands_are_told_from_their_output() -> None:
    block = "$ one \\\n    --more\nout\n\n$ two\n"
    assert list(commands(block)) == [("one     --more", "out\n"), ("two", "")]
