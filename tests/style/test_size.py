"""Modules and functions stay small enough to be read in one go."""

from __future__ import annotations

from tests.style.tree import Fault, functions, python, report, syntax, text

MODULE_LINES = 500
FUNCTION_LINES = 70


def test_modules_are_short() -> None:
    remedy = f"Split it by noun or verb; the limit is {MODULE_LINES} lines"
    lengths = {path: text(path).count("\n") for path in python()}
    assert lengths, "no Python file was found"
    report(
        Fault(path, lines, f"the module has {lines} lines", remedy)
        for path, lines in lengths.items()
        if lines > MODULE_LINES
    )


def test_functions_are_short() -> None:
    remedy = f"Give a part of it a name of its own; the limit is {FUNCTION_LINES} lines"
    report(
        Fault(path, function.lineno, f"{function.name} has {lines} lines", remedy)
        for path in python()
        for function in functions(syntax(path))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    )
