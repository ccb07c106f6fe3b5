"""Books made from the examples, from case files, and from plain data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stargate import agreements
from stargate.agreements import Agreement, Book, WorldFact
from stargate.base import wire
from stargate.base.time import Instant

CASES = Path(__file__).parent / "cases"
MakeBook = Callable[..., Book]


@pytest.fixture(scope="session")
def example(repository: Path) -> agreements.Loaded:
    """All agreements and facts of the example."""
    return agreements.load_all(repository / "examples/stargate/agreements")


@pytest.fixture(scope="session")
def signed(example: agreements.Loaded) -> Book:
    """The example, compiled."""
    return Book.compile(example.agreements)


@pytest.fixture
def pick(example: agreements.Loaded) -> MakeBook:
    """A book of some agreements of the example, by id."""

    def make(*ids: str) -> Book:
        found = {agreement.id: agreement for agreement in example.agreements}
        return Book.compile(found[id] for id in ids)

    return make


@pytest.fixture
def case() -> Callable[[str], Book]:
    """A book of a case file, by the start of its name."""

    def make(name: str) -> Book:
        (path,) = CASES.glob(f"{name}_*.yaml")
        loaded = agreements.load_all(path)
        return Book.compile(loaded.agreements)

    return make


@pytest.fixture
def make() -> MakeBook:
    """A book of agreements written as plain data, as they would stand in YAML."""

    def build(*plain: dict[str, Any]) -> Book:
        return Book.compile(wire.convert(item, Agreement) for item in plain)

    return build


@pytest.fixture
def fact() -> Callable[..., WorldFact]:
    """A fact, true and known from a date."""

    def build(name: str, value: Any = True, at: str = "2025-01-01", **more: Any) -> WorldFact:
        return WorldFact(name, value, Instant.parse(at), **more)

    return build
