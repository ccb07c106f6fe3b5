"""Tests stand where their subject stands: below `tests`, in a folder of the same name."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.style.tree import SOURCE, Fault, functions, python, report, syntax, text

TESTS = SOURCE.parents[1] / "tests"
ACROSS = {"crash", "docs", "stories", "style"}
"""Folders about the house as a whole: its documents, its style, stories through all packages."""

STATEMENTS_PER_TEST = 50
"""A package has at least one test function for so many statements of behaviour."""


def test_folders_of_tests_mirror_the_source() -> None:
    report(
        Fault(path, 1, f"there is no package {folder.parts[0]}", "Put the test where its subject is")
        for path in python("tests")
        if (folder := path.parent.relative_to(TESTS)) != Path()
        if folder.parts[0] not in ACROSS and not (SOURCE / folder.parts[0]).is_dir()
    )


def test_files_of_tests_are_found_by_pytest() -> None:
    report(
        Fault(path, 1, "holds tests and is never collected", "Name the file test_<subject>.py")
        for path in python("tests")
        if not path.name.startswith("test_")
        if any(function.name.startswith("test_") for function in functions(syntax(path)))
    )


def behaviour(folder: str) -> int:
    """How many statements the functions of a package hold; docstrings do not count."""
    return sum(
        isinstance(node, ast.stmt) and not _is_text(node)
        for path in python(f"src/stargate/{folder}")
        for function in functions(syntax(path))
        for node in ast.walk(function)
    )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_every_package_is_tested() -> None:
    packages = sorted({path.relative_to(SOURCE).parts[0] for path in python("src") if path.parent != SOURCE})
    counts = {
        package: sum(text(path).count("def test_") for path in python(f"tests/{package}"))
        for package in packages
    }
    report(
        Fault(SOURCE / package, 1, f"{counts[package]} tests for {statements} statements", "Write more tests")
        for package in packages
        if (statements := behaviour(package)) > STATEMENTS_PER_TEST * counts[package]
    )
