from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from stargate.base.time import Duration, Instant
from stargate.server import openapi
from stargate.server.api.describe import Schemas


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something inside."""

    count: Annotated[int, Meta(ge=1, le=9)]


class Cat(msgspec.Struct, frozen=True, tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, frozen=True, tag="dog"):
    name: str


class Outer(msgspec.Struct, frozen=True):
    at: Instant
    inner: Inner
    animal: Cat | Dog
    kind: Literal["a", "b"] = "a"
    price: Decimal = Decimal("0.5")
    wait: Duration = Duration(90_000_000)
    names: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    scope: dict[str, int] = {}
    code: Annotated[str, Meta(pattern="^x", max_length=4, description="a code")] = ""
    pair: tuple[int, str] = (1, "a")
    optional: int | None = None


@pytest.fixture
def schemas() -> dict[str, dict[str, object]]:
    found = Schemas()
    found.reference(Outer)
    return found.by_name()


def test_all_records_inside_are_described(schemas: dict[str, dict[str, object]]) -> None:
    assert set(schemas) == {"Outer", "Inner", "Cat", "Dog"}


def test_fields(schemas: dict[str, dict[str, object]]) -> None:
    assert schemas["Outer"]["required"] == ["at", "inner", "animal"]
    properties = schemas["Outer"]["properties"]
    assert isinstance(properties, dict)
    assert properties["inner"] == {"$ref": "#/components/schemas/Inner"}
    assert properties["kind"] == {"enum": ["a", "b"], "default": "a"}
    assert properties["price"] == {"type": "string", "format": "decimal", "default": "0.5"}
    assert properties["wait"]["default"] == "1m30s"
    assert properties["names"] == {"type": "array", "items": {"type": "string"}, "maxItems": 3, "default": []}
    assert properties["scope"] == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "default": {},
    }
    assert properties["code"]["pattern"] == "^x"
    assert properties["code"]["description"] == "a code"
    assert properties["pair"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert properties["optional"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["at"]["type"] == "string"


def test_bounds_and_strictness(schemas: dict[str, dict[str, object]]) -> None:
    assert schemas["Inner"]["additionalProperties"] is False
    assert schemas["Inner"]["properties"] == {"count": {"type": "integer", "minimum": 1, "maximum": 9}}
    assert schemas["Inner"]["description"] == "Something inside."


def test_a_tag_is_a_field(schemas: dict[str, dict[str, object]]) -> None:
    properties = schemas["Cat"]["properties"]
    assert isinstance(properties, dict)
    assert properties["type"] == {"const": "cat"}
    assert schemas["Cat"]["required"] == ["type"]


def test_two_records_of_one_name_are_told_apart() -> None:
    class Inner(msgspec.Struct, frozen=True):
        """Another one."""

    found = Schemas()
    first, second = found.reference(globals()["Inner"]), found.reference(Inner)
    assert first != second


def test_a_record_that_travels_as_a_list() -> None:
    class Row(msgspec.Struct, frozen=True, array_like=True, tag="r"):
        """A row."""

        seq: int
        said: bytes = b""

    found = Schemas()
    found.reference(Row)
    row = found.by_name()["Row"]
    assert row["prefixItems"] == [
        {"const": "r"},
        {"title": "seq", "type": "integer"},
        {"title": "said", "type": "string", "format": "binary", "default": ""},
    ]
    assert (row["type"], row["minItems"], row["description"]) == ("array", 2, "A row.")


def test_what_has_no_json_form() -> None:
    class Odd(msgspec.Struct, frozen=True):
        data: set[int]

    with pytest.raises(NotImplementedError):
        Schemas().reference(Odd)


def test_every_route_of_the_document_is_described() -> None:
    document = openapi()
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        for operation in item.values():
            assert operation["description"], path
            assert operation["operationId"]
            for answer in operation["responses"].values():
                assert answer["description"]
    schemas = document["components"]["schemas"]
    assert {"Submission", "WorkloadView", "Refusal", "NeedBody"} <= set(schemas)


def test_every_reference_leads_somewhere() -> None:
    document = openapi()
    known = set(document["components"]["schemas"])
    text = msgspec.json.encode(document).decode()
    named = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= known
