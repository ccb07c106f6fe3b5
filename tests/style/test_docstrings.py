"""Whoever meets a public name finds out there what it is; a package's face says what lives inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.style.tree import SOURCE, Fault, public, python, report, syntax

FACE_WORDS = 12
"""A face's docstring is a paragraph: what lives here and what does not."""


def test_every_public_name_is_documented() -> None:
    remedy = "Say in a docstring what it gives, in which units, and what it raises"
    modules = python("src")
    assert modules, "no source was found"
    report(_undocumented(modules, remedy))


def _undocumented(modules: tuple[Path, ...], remedy: str) -> Iterator[Fault]:
    for path in modules:
        tree = syntax(path)
        if not ast.get_docstring(tree):
            yield Fault(path, 1, "the module has no docstring", "Say in a sentence what it holds")
        for name, node in public(tree):
            if not ast.get_docstring(node) and not _fulfils(node):
                yield Fault(path, node.lineno, f"{name} has no docstring", remedy)


def _fulfils(node: ast.AST) -> bool:
    """Overloads and overrides are documented where they are declared."""
    decorators = getattr(node, "decorator_list", [])
    marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in decorators}
    return bool({"overload", "override", "setter"} & marks)


def faces() -> tuple[Path, ...]:
    """The `__init__.py` of each package directly below `stargate`."""
    return tuple(sorted(SOURCE.glob("*/__init__.py")))


def test_every_package_has_a_face() -> None:
    report(
        Fault(folder, 1, "the package has no __init__.py", "Add its face: a paragraph and __all__")
        for folder in sorted(SOURCE.iterdir())
        if folder.is_dir() and any(folder.rglob("*.py")) and not (folder / "__init__.py").exists()
    )


def test_faces_say_what_lives_inside() -> None:
    report(
        Fault(path, 1, "the face does not say what lives here", "Write a paragraph: what does, what does not")
        for path in faces()
        if len((ast.get_docstring(syntax(path)) or "").split()) < FACE_WORDS
    )


def test_faces_list_what_others_may_use() -> None:
    """A face without imports (that of `base`) is exempt: others import its modules by name."""
    report(
        Fault(path, 1, "the face has no __all__", "List the names that other packages may import")
        for path in faces()
        if any(isinstance(node, ast.ImportFrom) for node in syntax(path).body)
        and not any(_assigns_all(node) for node in syntax(path).body)
    )


def _assigns_all(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
