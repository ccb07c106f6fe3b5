"""Names say what a thing is: modules by noun or verb, quantities with their unit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.style.tree import SOURCE, Fault, python, report, syntax

NAMELESS = {"helper", "helpers", "manager", "managers", "misc", "util", "utils"}

QUANTITIES = {
    "amount", "bandwidth", "budget", "capex", "cost", "egress", "energy", "fee", "latency", "memory",
    "power", "price", "rate", "size", "speed", "storage", "throughput", "volume", "wattage",
}  # fmt: skip
"""Words for things that are measured: a number called so means nothing without its unit."""

UNITS = {
    "bps", "bytes", "chips", "count", "day", "days", "flops", "fraction", "gb", "gbps", "gib", "gw", "hertz",
    "hour", "hours", "hz", "kib", "km", "kw", "kwh", "mb", "mbps", "mib", "micro", "minutes", "ms", "mw", "mwh",
    "nodes", "ns", "percent", "requests", "s", "second", "seconds", "steps", "tb", "tflops", "tib", "token",
    "tokens", "us", "usd", "w", "year", "years",
}  # fmt: skip
"""`micro`: millionths of the unit that the record names."""

NUMBERS = re.compile(r"\b(int|float|Decimal)\b")


def test_no_module_is_a_drawer_for_anything() -> None:
    report(
        Fault(path, 1, f"{path.stem!r} says nothing about what is inside", "Name it by its noun or verb")
        for path in python()
        if NAMELESS & {path.stem, *path.relative_to(SOURCE.parents[1]).parts}
    )


def numeric_fields(tree: ast.Module) -> Iterator[tuple[str, ast.AnnAssign]]:
    """Annotated class fields that hold a number, with the name of their class."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for field in node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                annotation = ast.unparse(field.annotation)
                mapped = annotation.removeprefix("ClassVar").startswith(("dict", "Mapping"))
                if NUMBERS.search(annotation) and not mapped:
                    yield f"{node.name}.{field.target.id}", field


def without_unit(name: str) -> bool:
    """Whether a field name speaks of a quantity and does not end in a unit."""
    words = name.rstrip("_").split("_")
    return bool(QUANTITIES & set(words)) and words[-1] not in UNITS


def test_the_unit_is_the_last_word_of_a_quantity() -> None:
    assert without_unit("power")
    assert without_unit("price_micro_usd_limit")
    assert not without_unit("price_usd_per_chip_hour")
    assert not without_unit("nodes")
    report(
        Fault(path, field.lineno, f"{name} has no unit", "End the name in one, as `power_mw`")
        for path in _source()
        for name, field in numeric_fields(syntax(path))
        if without_unit(name.rpartition(".")[2])
    )


def _source() -> tuple[Path, ...]:
    return python("src")
