"""Records as JSON schemas, from what msgspec knows of them: what it reads and writes is what is described.

msgspec has a generator of its own, which cannot write a default of a type of ours (a Duration).
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import inspect as kinds

from stargate.base import wire
from stargate.base.time import Duration, Instant

Schema = dict[str, Any]

_OWN: dict[Any, Schema] = {
    Instant: {
        "type": "string",
        "format": "instant",
        "description": "ISO 8601 with a zone, as 2025-01-21T14:00:00Z, or a date.",
    },
    # Not the format `duration`: that is ISO 8601's P3D.
    Duration: {
        "type": "string",
        "pattern": r"^(0|([0-9]+(\.[0-9]+)?(us|ms|s|m|h|d|w))+)$",
        "description": "As 90s, 72h or 1d12h.",
    },
}
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


class Schemas:
    """Schemas of records by name, those that others refer to included."""

    def __init__(self) -> None:
        self._names: dict[type, str] = {}
        self._schemas: dict[str, Schema] = {}

    def reference(self, record: type) -> Schema:
        """A reference to a record's schema, which is made when it is first referred to."""
        if record not in self._names:
            name = record.__name__
            if name in self._schemas:
                name = f"{record.__module__.rpartition('.')[2].capitalize()}{name}"
            assert name not in self._schemas, f"two records are called {name}"
            self._names[record] = name
            self._schemas[name] = {}
            info = kinds.type_info(record)
            assert isinstance(info, kinds.StructType), f"{record} is a record"
            self._schemas[name] = self._struct(info)
        return {"$ref": f"#/components/schemas/{self._names[record]}"}

    def by_name(self) -> dict[str, Schema]:
        """All schemas so far."""
        return dict(sorted(self._schemas.items()))

    def _row(self, info: kinds.StructType) -> Schema:
        """A record that travels as a list: its tag first, then its fields in order."""
        tag: list[Schema] = [{"const": info.tag}] if info.tag_field else []
        least = len(tag) + sum(1 for field in info.fields if field.required)
        inner = [*tag, *({"title": field.name, **self._field(field)} for field in info.fields)]
        return {
            "title": info.cls.__name__,
            "description": cleandoc(info.cls.__doc__ or ""),
            "type": "array",
            "prefixItems": inner,
            "minItems": least,
        }

    def _struct(self, info: kinds.StructType) -> Schema:
        if info.array_like:
            return self._row(info)
        properties: dict[str, Schema] = {}
        required: list[str] = []
        if info.tag_field:
            properties[info.tag_field] = {"const": info.tag}
            required.append(info.tag_field)
        for field in info.fields:
            properties[field.encode_name] = self._field(field)
            if field.required:
                required.append(field.encode_name)
        schema: Schema = {"title": info.cls.__name__, "type": "object", "properties": properties}
        if info.cls.__doc__:
            schema["description"] = cleandoc(info.cls.__doc__)
        if required:
            schema["required"] = required
        if info.forbid_unknown_fields:
            schema["additionalProperties"] = False
        return schema

    def _field(self, field: kinds.Field) -> Schema:
        schema = self.schema(field.type)
        if field.default is not msgspec.NODEFAULT:
            default = msgspec.json.decode(wire.to_json(field.default))
        elif field.default_factory in (list, dict, set):
            default = field.default_factory()
        else:
            return schema
        return {"allOf": [schema], "default": default} if "$ref" in schema else {**schema, "default": default}

    def schema(self, info: kinds.Type) -> Schema:
        """The schema of any type."""
        if isinstance(info, kinds.Metadata):
            return {**self.schema(info.type), **(info.extra_json_schema or {})}
        make = _MAKERS.get(type(info))
        if make is not None:
            return make(self, info)
        if isinstance(info, kinds.CustomType):
            return dict(_OWN[info.cls])
        raise NotImplementedError(f"no JSON schema of {info}")


def _always(schema: Schema) -> Callable[[Schemas, Any], Schema]:
    return lambda schemas, info: dict(schema)  # noqa: ARG005 - one signature for all makers


def _number(kind: str) -> Callable[[Schemas, Any], Schema]:
    def make(schemas: Schemas, info: Any) -> Schema:
        bounds = {
            word: getattr(info, name) for name, word in _BOUNDS.items() if getattr(info, name) is not None
        }
        return {"type": kind, **bounds}

    return make


def _text(schemas: Schemas, info: kinds.StrType) -> Schema:
    wanted = {"minLength": info.min_length, "maxLength": info.max_length, "pattern": info.pattern}
    return {"type": "string", **{word: value for word, value in wanted.items() if value is not None}}


def _items(schemas: Schemas, info: Any) -> Schema:
    wanted = {"minItems": info.min_length, "maxItems": info.max_length}
    bounds = {word: value for word, value in wanted.items() if value is not None}
    return {"type": "array", "items": schemas.schema(info.item_type), **bounds}


def _mapping(schemas: Schemas, info: kinds.DictType) -> Schema:
    wanted = {"minProperties": info.min_length, "maxProperties": info.max_length}
    bounds = {word: value for word, value in wanted.items() if value is not None}
    schema: Schema = {"type": "object", "additionalProperties": schemas.schema(info.value_type), **bounds}
    names = schemas.schema(info.key_type)
    if len(names) > 1:
        schema["propertyNames"] = names
    return schema


def _literal(schemas: Schemas, info: kinds.LiteralType) -> Schema:
    return {"enum": list(info.values)}


def _union(schemas: Schemas, info: kinds.UnionType) -> Schema:
    return {"anyOf": [schemas.schema(member) for member in info.types]}


def _tuple(schemas: Schemas, info: kinds.TupleType) -> Schema:
    count = len(info.item_types)
    inner = [schemas.schema(member) for member in info.item_types]
    return {"type": "array", "prefixItems": inner, "minItems": count, "maxItems": count, "items": False}


_MAKERS: dict[type, Callable[[Schemas, Any], Schema]] = {
    kinds.AnyType: _always({}),
    kinds.NoneType: _always({"type": "null"}),
    kinds.BoolType: _always({"type": "boolean"}),
    kinds.IntType: _number("integer"),
    kinds.FloatType: _number("number"),
    kinds.DecimalType: _always({"type": "string", "format": "decimal"}),
    kinds.StrType: _text,
    kinds.BytesType: _always({"type": "string", "format": "binary"}),
    kinds.LiteralType: _literal,
    kinds.UnionType: _union,
    kinds.ListType: _items,
    kinds.VarTupleType: _items,
    kinds.TupleType: _tuple,
    kinds.DictType: _mapping,
    kinds.StructType: lambda schemas, info: schemas.reference(info.cls),
}
