"""Tests stand where their subject stands: `tests/<package>/test_<module>.py`."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.style.tree import ROOT, SOURCE, Fault, functions, python, report, syntax, text

TESTS = ROOT / "tests"
ACROSS = {"crash", "docs", "style", "stories"}
"""Folders about the house as a whole: its documents, its style, stories through all packages."""

STATEMENTS = 25
"""A module with fewer statements inside functions is read, not tested, on its own."""


def test_folders_of_tests_mirror_the_source() -> None:
    report(
        Fault(path, 1, f"there is no package {folder}", "Put the test where its subject is")
        for path in python("tests")
        if (folder := path.parent.relative_to(TESTS)) != Path()
        if folder.parts[0] not in ACROSS and not (SOURCE / folder).is_dir()
    )


def statements(path: Path) -> int:
    """How many statements the functions of a module hold; docstrings do not count."""
    inside = (node for function in functions(syntax(path)) for node in ast.walk(function))
    return sum(isinstance(node, ast.stmt) and not _is_text(node) for node in inside)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_every_module_with_behaviour_has_tests() -> None:
    report(
        Fault(path, 1, "no test is about this module", f"Write {_expected(path)}")
        for path in python("src")
        if path.stem not in {"__init__", "__main__"} and statements(path) >= STATEMENTS and not _tested(path)
    )


def _expected(path: Path) -> Path:
    folder = path.parent.relative_to(SOURCE)
    return Path("tests") / folder / f"test_{path.stem}.py"


def _tested(path: Path) -> bool:
    """A file of its own, or a test of the same package (or of the one above) that imports it by name."""
    if (ROOT / _expected(path)).exists():
        return True
    module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
    package = TESTS / path.relative_to(SOURCE).parts[0]
    parent, _, name = module.rpartition(".")
    return any(
        f"from {module} import" in text(test) or f"from {parent} import {name}" in text(test)
        for test in python("tests")
        if test.is_relative_to(package) and test.name.startswith("test_")
    )
