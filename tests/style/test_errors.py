"""What the code raises is in the error tree, and says the way out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from stargate.base import errors
from tests.style.tree import SOURCE, Fault, python, report, syntax

TREE = {
    name
    for name, thing in vars(errors).items()
    if isinstance(thing, type)
    if issubclass(thing, errors.StargateError)
}

ELSEWHERE = {
    "AttributeError",  # what a module's __getattr__ says of a name that it lacks
    "AssertionError",  # an invariant that takes more than an expression to check
    "NotImplementedError",  # what msgspec asks its hooks to raise
    "ValueError",  # what msgspec turns into a ValidationError with the field's path
    "OverflowError",  # what datetime raises past its range
    "StopIteration",
    "SystemExit",
    "KeyboardInterrupt",
}
FOREIGN = {
    "cli": {"click", "Exit", "Abort", "UsageError", "BadParameter", "ClickException"},
    "server": {"HTTPException", "ClientException"},
}
"""What a framework of the outer shell wants to be raised."""


def raised(path: Path) -> Iterator[tuple[str, ast.Call, ast.Raise]]:
    """Errors constructed where they are raised, by class name."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield ast.unparse(node.exc.func), node.exc, node


def own_subclasses() -> set[str]:
    """Classes of the source that derive, by name, from the tree."""
    known = set(TREE)
    for _ in range(3):
        for path in python("src"):
            for node in ast.walk(syntax(path)):
                if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & known:
                    known.add(node.name)
    return known


def test_only_errors_of_the_tree_are_raised() -> None:
    known = own_subclasses()
    assert "InputError" in known
    report(
        Fault(
            path,
            node.lineno,
            f"raises {name}",
            "Raise one of base/errors.py: its type says whose fault it is",
        )
        for path in python("src")
        for name, _, node in raised(path)
        if name[:1].isupper() and name not in known | ELSEWHERE | _foreign(path)
    )


def _foreign(path: Path) -> set[str]:
    return FOREIGN.get(path.relative_to(SOURCE).parts[0], set())


def test_messages_name_the_way_out() -> None:
    direct = TREE - {"InputError", "StargateError"}
    report(
        Fault(path, node.lineno, f"{name} without a remedy", "Say as second argument what the reader can do")
        for path in python("src")
        for name, call, node in raised(path)
        if name in direct and len(call.args) < 2 and not _names_remedy(call)
    )


def test_problems_name_the_way_out() -> None:
    report(
        Fault(path, node.lineno, "Problem without a remedy", "Say in `remedy` how to mend it")
        for path in python("src")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Problem")
        if len(node.args) < 2 and not _names_remedy(node)
    )


def _names_remedy(call: ast.Call) -> bool:
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    return starred or any(keyword.arg in {"remedy", None} for keyword in call.keywords)
