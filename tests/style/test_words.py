"""Texts are plain and complete: no promises to come back, no hype, nothing that only this machine knows."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.style.tree import ROOT, TEXT_SUFFIXES, Fault, files, python, report, text

OWN = ROOT / "tests" / "style"
"""These tests name what they forbid."""

LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

EMPTY = re.compile(
    r"\b(simply|obviously|effortless(?:ly)?|seamless(?:ly)?|blazing(?:ly)?|revolutionary|cutting[- ]edge|"
    r"world[- ]class|best[- ]in[- ]class|state[- ]of[- ]the[- ]art|game[- ]chang\w+|supercharge\w*|"
    r"unleash\w*|next[- ]gen(?:eration)?|rock[- ]solid|enterprise[- ]grade)\b",
    re.IGNORECASE,
)

JUST = re.compile(r"\bjust (?!before\b|after\b|below\b|above\b|under\b|over\b|as\b|in time\b)", re.IGNORECASE)

# Brackets keep these patterns from matching themselves.
REGISTRY = re.compile(
    r"p[y]pi\.org|python[h]osted|npm[j]s|--(?:extra-)?index-[u]rl|--find-[l]inks", re.IGNORECASE
)
MACHINE = re.compile(r"(?<![\w.])/(?:w[o]rk|r[o]ot|h[o]me/\w+|U[s]ers/\w+|opt/w[h]eels|opt/p[y]pi)(?:/|\b)")


def texts() -> Iterator[Path]:
    """Every text file but the licence, which is not ours to word, and these tests."""
    for path in files():
        own = path.is_relative_to(OWN) or path.name == "LICENSE"
        if path.suffix in TEXT_SUFFIXES and not own:
            yield path


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are meant for people: documents whole; of code, comments and strings."""
    if path.suffix == ".md":
        yield from enumerate(text(path).splitlines(), start=1)
    elif path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
            if token.type in {tokenize.COMMENT, tokenize.STRING}:
                yield from enumerate(token.string.splitlines(), start=token.start[0])


def test_nothing_is_left_for_later() -> None:
    remedy = "Do it, or file an issue and say here what holds today"
    report(
        Fault(path, line, f"{found.group()} in the text", remedy)
        for path in texts()
        for line, words in enumerate(text(path).splitlines(), start=1)
        if (found := LATER.search(words))
    )


def test_no_hype_and_no_fillers() -> None:
    report(
        Fault(path, line, f"{found.group().strip()!r} adds nothing", "Leave it out, or give the figure")
        for path in texts()
        for line, words in prose(path)
        if (found := EMPTY.search(words) or (path.suffix == ".md" and JUST.search(words)))
    )


def test_no_address_of_a_registry_and_no_path_of_one_machine() -> None:
    remedy = "The repository must work wherever it is cloned; say it without the address"
    report(
        Fault(path, line, f"{found.group()!r} in the text", remedy)
        for path in texts()
        if path.name != "Makefile"
        for line, words in enumerate(text(path).splitlines(), start=1)
        if (found := REGISTRY.search(words) or MACHINE.search(words))
    )


def test_requirements_hold_versions_and_hashes_only() -> None:
    pins = sorted((ROOT / "requirements").glob("*.txt"))
    assert pins, "no requirements were found"
    good = re.compile(
        r"\s*#.*|[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|"
    )
    report(
        Fault(path, line, f"{words!r} is neither a pin nor a hash", "Run `make lock`")
        for path in pins
        for line, words in enumerate(text(path).splitlines(), start=1)
        if not good.fullmatch(words)
    )


def test_the_patterns_find_what_they_look_for() -> None:
    assert REGISTRY.search("https://files.python" + "hosted.org/x")
    assert MACHINE.search("see /ho" + "me/ada/notes")
    assert not MACHINE.search("GET /v1/workspaces")
    assert JUST.search("just run it")
    assert not JUST.search("just before the end")
    assert EMPTY.search("a seamless experience")
    assert list(prose(OWN / "test_words.py")), "comments and strings are read"
    assert python("tests"), "tests are read as well"
