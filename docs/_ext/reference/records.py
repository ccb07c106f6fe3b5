"""A msgspec Struct as a section of Markdown: what it is, and a table of its fields."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

import msgspec
from msgspec import inspect as shapes

from docs._ext.reference.markdown import table

Record = type[msgspec.Struct]

WORDS: dict[type, str] = {
    shapes.AnyType: "anything",
    shapes.BoolType: "true or false",
    shapes.DateType: "date",
    shapes.DecimalType: "number",
    shapes.FloatType: "number",
    shapes.IntType: "integer",
    shapes.NoneType: "nothing",
    shapes.StrType: "text",
}


@cache
def field_texts(kind: type) -> dict[str, str]:
    """The string below each field of a class, of its bases first."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] == "stargate":
            texts |= _own_field_texts(base)
    return texts


def _own_field_texts(kind: type) -> dict[str, str]:
    tree = ast.parse(dedent(inspect.getsource(kind)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    texts: dict[str, str] = {}
    for field, below in pairwise(body):
        target = getattr(field, "target", None)
        if isinstance(field, ast.AnnAssign) and isinstance(target, ast.Name) and _is_text(below):
            texts[target.id] = inspect.cleandoc(ast.literal_eval(below.value))  # type: ignore[attr-defined]
    return texts


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def anchor(kind: type) -> str:
    """Where the section of a class can be linked to."""
    return f"record-{kind.__module__.replace('.', '-')}-{kind.__name__}".lower().replace("_", "-")


def say(shape: shapes.Type, linked: frozenset[type] = frozenset()) -> str:
    """A type in words; Structs that have a section of their own are linked."""
    if isinstance(shape, shapes.Metadata):
        return say(shape.type, linked)
    if isinstance(shape, shapes.StructType):
        name = shape.cls.__name__
        return f"[{name}](#{anchor(shape.cls)})" if shape.cls in linked else name
    if isinstance(shape, shapes.LiteralType):
        return " · ".join(f"`{value}`" for value in shape.values)
    if isinstance(shape, shapes.UnionType):
        return " or ".join(dict.fromkeys(say(part, linked) for part in shape.types if not _is_nothing(part)))
    if isinstance(shape, shapes.CustomType | shapes.EnumType):
        return str(shape.cls.__name__).lower()
    if isinstance(shape, shapes.DictType):
        return f"map of {say(shape.key_type, linked)} to {say(shape.value_type, linked)}"
    if isinstance(shape, shapes.TupleType):
        return "list of " + ", ".join(say(part, linked) for part in shape.item_types)
    if isinstance(shape, shapes.CollectionType):
        return f"list of {say(shape.item_type, linked)}"
    return WORDS[type(shape)]


def _is_nothing(shape: shapes.Type) -> bool:
    return isinstance(shape, shapes.NoneType)


def default_of(field: shapes.Field) -> str:
    """`required`, or what holds when the field is left out."""
    if field.required:
        return "required"
    return "" if field.default is msgspec.NODEFAULT else _shown(field.default)


def _shown(value: Any) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(_shown(part) for part in value)
    if isinstance(value, msgspec.Struct):
        return "its defaults"
    return f"`{value}`"


def fields(
    kind: Record,
    linked: frozenset[type] = frozenset(),
    leave_out: frozenset[str] = frozenset(),
) -> str:
    """The fields of a Struct as a table; empty text for a Struct without fields."""
    shape = shapes.type_info(kind)
    assert isinstance(shape, shapes.StructType)
    texts = field_texts(kind)
    return table(
        ("field", "value", "default", "meaning"),
        [
            (f"`{field.encode_name}`", say(field.type, linked), default_of(field), texts.get(field.name, ""))
            for field in shape.fields
            if field.name not in leave_out
        ],
    )


def text_of(kind: type) -> str:
    """A class's docstring, as Markdown. Raises LookupError where there is none: a reference needs it."""
    text = kind.__dict__.get("__doc__")
    if not text or text.startswith(f"{kind.__name__}("):
        place = sys.modules[kind.__module__].__file__
        raise LookupError(f"{kind.__qualname__} in {place} has no docstring; the reference shows it")
    return inspect.cleandoc(text)


def section(
    kind: Record,
    *,
    title: str,
    linked: frozenset[type] = frozenset(),
    leave_out: frozenset[str] = frozenset(),
    level: int = 3,
) -> str:
    """Heading, docstring and table of a Struct."""
    heading = f"({anchor(kind)})=\n{'#' * level} {title}"
    return "\n\n".join(part for part in (heading, text_of(kind), fields(kind, linked, leave_out)) if part)


def inside(shape: shapes.Type) -> Iterator[shapes.Type]:
    """The parts of a composed type."""
    for part in ("types", "item_types"):
        yield from getattr(shape, part, ())
    for part in ("item_type", "key_type", "value_type", "type"):
        inner = getattr(shape, part, None)
        if inner is not None:
            yield inner


def reachable(roots: Iterable[Record], leave: frozenset[type] = frozenset()) -> list[Record]:
    """These Structs and all that their fields hold, in the order in which a reader meets them."""
    found: dict[Record, None] = {}
    waiting: list[shapes.Type] = [shapes.type_info(root) for root in roots]
    while waiting:
        shape = waiting.pop(0)
        if isinstance(shape, shapes.StructType):
            if shape.cls in found or shape.cls in leave:
                continue
            found[shape.cls] = None
            waiting[0:0] = [field.type for field in shape.fields]
        else:
            waiting[0:0] = list(inside(shape))
    return list(found)


def sections(kinds: Iterable[Record], level: int = 3) -> str:
    """One section for each Struct, linked to one another."""
    listed = list(kinds)
    linked = frozenset[type](listed)
    return "\n\n".join(section(kind, title=kind.__name__, linked=linked, level=level) for kind in listed)
