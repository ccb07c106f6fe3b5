"""The broker keeps its assertions, and nobody breaks the rules of records that travel."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import msgspec
import pytest

import stargate
from tests.style.tree import SOURCE

SCRATCH = {"stargate.broker.place.Survey", "stargate.broker.reserve.Rest"}
"""What a decision jots down on its way, as private classes do: neither kept nor sent. Structs are made fastest."""
WRITTEN_BY_PEOPLE = {"catalog": "Infrastructure", "agreements": "Agreement"}
PURE = ("base", "catalog", "agreements", "workloads", "broker")


def test_the_broker_refuses_to_run_without_assertions() -> None:
    """`python -O` drops assertions, and with them the guards of every invariant."""
    command = [sys.executable, "-O", "-c", "import stargate.broker"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0, "stargate.broker was imported under python -O"
    assert "-O" in done.stderr, f"the refusal does not name -O: {done.stderr}"


def modules(package: str) -> list[ModuleType]:
    """Every module of a package, imported."""
    face = importlib.import_module(f"{stargate.__name__}.{package}")
    inside = pkgutil.walk_packages(face.__path__, f"{face.__name__}.")
    return [face, *(importlib.import_module(found.name) for found in inside)]


def records(package: str) -> list[type[msgspec.Struct]]:
    """The Structs that a package defines."""
    return [
        thing
        for module in modules(package)
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, msgspec.Struct)
        if thing.__module__ == module.__name__
    ]


def full_name(kind: type) -> str:
    """Where a class stands."""
    return f"{kind.__module__}.{kind.__qualname__}"


def built(packages: tuple[str, ...]) -> list[str]:
    """Those of these packages that exist."""
    return [package for package in packages if (SOURCE / package / "__init__.py").exists()]


@pytest.mark.parametrize("package", built(PURE))
def test_records_are_frozen(package: str) -> None:
    """What travels never changes. What changes is the state, whose records stand in modules called `records`."""
    loose = [
        full_name(kind)
        for kind in records(package)
        if not kind.__struct_config__.frozen and not kind.__module__.endswith(".records")
        if not kind.__name__.startswith("_") and full_name(kind) not in SCRATCH
    ]
    assert not loose, f"add frozen=True, or move it to the state's records: {loose}"


@pytest.mark.parametrize(("package", "name"), sorted(WRITTEN_BY_PEOPLE.items()))
def test_what_people_write_is_strict(package: str, name: str) -> None:
    """An unknown field is a typing mistake, never silently dropped."""
    face = importlib.import_module(f"stargate.{package}")
    lax = [
        full_name(kind)
        for kind in reachable(getattr(face, name))
        if not kind.__struct_config__.forbid_unknown_fields
    ]
    assert not lax, f"add forbid_unknown_fields=True: {lax}"


def reachable(root: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """A Struct and every Struct inside its fields."""
    found: set[type[msgspec.Struct]] = set()
    waiting: list[object] = [msgspec.inspect.type_info(root)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                continue
            found.add(info.cls)
            waiting.extend(field.type for field in info.fields)
        for part in ("types", "item_types"):
            waiting.extend(getattr(info, part, ()))
        one = (getattr(info, part, None) for part in ("item_type", "key_type", "value_type"))
        waiting.extend(inner for inner in one if inner is not None)
    return found
