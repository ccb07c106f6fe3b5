"""The repository as the style tests see it: its files, their syntax trees, and faults to report."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stargate"
TEXT_SUFFIXES = {"", ".cfg", ".css", ".html", ".js", ".md", ".py", ".sql", ".toml", ".txt", ".yaml", ".yml"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Fault(NamedTuple):
    """One breach of a rule, with the way out."""

    path: Path
    line: int
    says: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.says}. {self.remedy}"


def report(faults: Iterable[Fault]) -> None:
    """Fail with one line for each fault."""
    lines = sorted(str(fault) for fault in faults)
    if lines:
        pytest.fail(f"{len(lines)} breach(es):\n" + "\n".join(lines), pytrace=False)


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def python(*folders: str) -> tuple[Path, ...]:
    """The Python files below these folders of the repository; without a folder, all of them."""
    roots = tuple(ROOT / folder for folder in folders) or (ROOT,)
    return tuple(
        path for path in files() if path.suffix == ".py" and any(path.is_relative_to(root) for root in roots)
    )


@cache
def text(path: Path) -> str:
    """A file's text."""
    return path.read_text(encoding="utf-8")


@cache
def syntax(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(text(path), filename=str(path))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, however deep."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public(tree: ast.Module | ast.ClassDef, inside: str = "") -> Iterator[tuple[str, Definition]]:
    """Public classes, functions and methods with their dotted names."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        name = f"{inside}{node.name}"
        yield name, node
        if isinstance(node, ast.ClassDef):
            yield from public(node, f"{name}.")
