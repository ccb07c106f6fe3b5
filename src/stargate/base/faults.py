"""What is wrong with plain data that should be a typed record: every fault, in people's words.

msgspec stops at the first fault and speaks of types. This walks the type beside the value, asks msgspec
about each part, and says what was expected, what was found, and how to mend it.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain, islice
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from stargate.base.composer import PROBLEMS_LIMIT, shown
from stargate.base.time import Duration, Instant
from stargate.base.wire import from_paper

LISTED_LIMIT = 30
"""Allowed values that a message lists before it stops."""
NEAR_LENGTH = 128
NEAR_NAMES = 2_000
"""Longer names, and names among more than these, are not searched for a near one: it would take seconds."""

_WORDS = {
    int: "a whole number",
    Decimal: "a number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
    Instant: "a time",
    Duration: "a duration",
}
_REMEDIES = {
    int: "Write digits without quotes, point or separators, as 128.",
    Decimal: "Write a plain decimal number, as 0.25.",
    str: "Put it in quotes if it is meant as text.",
    bool: "Write true or false, without quotes.",
    Instant: "Write 2025-01-21, or 2025-01-21T14:00:00Z.",
    Duration: "Write 90s, 72h or 1d12h.",
}


class Fault(NamedTuple):
    """One thing wrong at one path, not yet tied to a file."""

    path: str
    message: str
    remedy: str


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`Did you mean 'power_mw'?` for a near miss, else what is known; a remedy either way."""
    names = sorted(set(known))
    lowered = {name.lower(): name for name in names}
    near: list[str] = []
    if len(wrong) <= NEAR_LENGTH and len(names) <= NEAR_NAMES:
        near = difflib.get_close_matches(wrong.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {lowered[near[0]]!r}?"
    if not names:
        return "None is known here."
    more = f" and {len(names) - LISTED_LIMIT} more" if len(names) > LISTED_LIMIT else ""
    return f"Known: {', '.join(names[:LISTED_LIMIT])}{more}."


def paper_hook(kind: type, value: object) -> object:
    """`from_paper`, without bare integers: on paper a time is text, and `2025` is no time."""
    if kind in (Instant, Duration) and not isinstance(value, str) and not (kind is Duration and value == 0):
        raise ValueError(f"expected {_WORDS[kind]}, got {_described(value)}")
    return from_paper(kind, value)


def faults(value: Any, kind: Any, path: str = "") -> list[Fault]:
    """Every fault of `value` as a `kind`, up to `PROBLEMS_LIMIT`; empty if `msgspec.convert` takes it whole."""
    return list(islice(_faults(value, kind, path), PROBLEMS_LIMIT))


def _faults(value: Any, kind: Any, path: str) -> Iterator[Fault]:
    try:
        converted = msgspec.convert(value, kind, dec_hook=paper_hook)
    except msgspec.ValidationError as error:
        finer = False
        inside = (fault for part in _parts(value, kind, path) for fault in _faults(*part))
        for fault in chain(_shape(value, kind, path), inside):
            finer = True
            yield fault
        if not finer:
            yield _leaf(value, kind, path, str(error))
    else:
        yield from _not_finite(converted, path)


def _not_finite(record: Any, path: str) -> Iterator[Fault]:
    """Quoted numbers reach Decimal fields as text, and Decimal takes `NaN`, `Infinity` and `1e999999`."""
    if isinstance(record, Decimal):
        if not record.is_finite() or abs(record.adjusted()) > 64 or len(record.as_tuple().digits) > 64:
            yield Fault(path, f"{shown(record)} is not a usable number", _REMEDIES[Decimal])
    elif isinstance(record, msgspec.Struct):
        for name, encoded in zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True):
            yield from _not_finite(getattr(record, name), joined(path, encoded))
    elif isinstance(record, dict):
        for key, item in record.items():
            yield from _not_finite(item, joined(path, str(key)))
    elif isinstance(record, list | tuple):
        for index, item in enumerate(record):
            yield from _not_finite(item, f"{path}[{index}]")


def joined(path: str, key: str) -> str:
    """`pools[2]` and `chip` as `pools[2].chip`."""
    return f"{path}.{key}" if path else key


def _bare(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _description(kind: Any) -> str | None:
    """What `Meta(description=...)` says the value is: better words than a pattern."""
    parts = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for part in parts:
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
    return None


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union, flattened; a type that is none is its own only member."""
    kind = _bare(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(member for part in get_args(kind) for member in _members(part))
    return (kind,)


def _tag_of(kind: Any) -> tuple[str | None, Any]:
    config = kind.__struct_config__
    return config.tag_field, config.tag


def _chosen(value: Any, kind: Any) -> Any:
    """The member of a union that the value is meant to be; None where that cannot be told."""
    members = [member for member in _members(kind) if member is not type(None) or value is None]
    if isinstance(value, dict):
        structs = [member for member in members if _is_struct(member)]
        if len(structs) == 1:
            return structs[0]
        for member in structs:
            field, tag = _tag_of(member)
            if field is not None and value.get(field) == tag:
                return member
        members = [member for member in members if get_origin(member) is dict or member is dict]
    elif isinstance(value, list):
        members = [member for member in members if get_origin(member) in (list, tuple, frozenset, set)]
    return members[0] if len(members) == 1 else None


def _parts(value: Any, kind: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """The parts of a value with the type and path of each, where the type says what they are."""
    kind = _chosen(value, kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if _is_struct(kind) and isinstance(value, dict):
        for field in msgspec.structs.fields(kind):
            if field.encode_name in value:
                yield value[field.encode_name], field.type, joined(path, field.encode_name)
    elif isinstance(value, list) and arguments:
        if origin is tuple and arguments[-1] is not Ellipsis:
            kinds = arguments if len(arguments) == len(value) else ()
        else:
            kinds = (arguments[0],) * len(value)
        for index, (item, item_kind) in enumerate(zip(value, kinds, strict=False)):
            yield item, item_kind, f"{path}[{index}]"
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield item, arguments[1], joined(path, key)


def _shape(value: Any, kind: Any, path: str) -> Iterator[Fault]:
    """What is wrong with a mapping as such: fields too many, fields missing, a tag that names nothing."""
    if not isinstance(value, dict):
        return
    structs = [member for member in _members(kind) if _is_struct(member)]
    chosen = _chosen(value, kind)
    if not _is_struct(chosen):
        if structs:
            yield _bad_tag(value, structs, path)
        return
    known = {field.encode_name: field for field in msgspec.structs.fields(chosen)}
    config = chosen.__struct_config__
    tag_field = config.tag_field if config.tag is not None else None
    names = [*known, *([tag_field] if tag_field else [])]
    for key in value:
        if key not in names and config.forbid_unknown_fields:
            yield Fault(
                joined(path, key), f"unknown field {shown(key)}", did_you_mean(key, set(names) - set(value))
            )
    for name, field in known.items():
        if field.required and name not in value:
            yield Fault(path, f"the field {name!r} is missing", f"Add `{name}:` ({_wanted(field.type)}).")
    if tag_field and value.get(tag_field) != config.tag:
        yield _bad_tag(value, structs, path)


def _bad_tag(value: dict[str, Any], structs: list[Any], path: str) -> Fault:
    field = next((name for name, _ in map(_tag_of, structs) if name), None)
    if field is None:
        return Fault(
            path, "this mapping fits none of the forms allowed here", "Compare it with the reference."
        )
    allowed = [str(_tag_of(struct)[1]) for struct in structs]
    if field not in value:
        return Fault(path, f"the field {field!r} is missing", f"Add `{field}:`, one of {', '.join(allowed)}.")
    return Fault(
        joined(path, field),
        f"{shown(value[field])} is no {field} known here",
        did_you_mean(str(value[field]), allowed),
    )


def _described(value: Any) -> str:
    """What was found, as `text 'abc'`."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return _WORDS[type(value)]
    if isinstance(value, bool):
        return str(value).lower()
    return f"{'the text' if isinstance(value, str) else 'the number'} {shown(value)}"


def _wanted(kind: Any) -> str:
    """What a type wants, in words."""
    words: list[str] = []
    for member in _members(kind):
        if get_origin(member) is Literal:
            words.append(f"one of {', '.join(map(str, get_args(member)))}")
        elif _is_struct(member):
            words.append("a mapping")
        else:
            origin = get_origin(member) or member
            words.append("a list" if origin in (tuple, set, frozenset) else _WORDS.get(origin, "a value"))
    return " or ".join(dict.fromkeys(word for word in words if word != "nothing")) or "nothing"


def _leaf(value: Any, kind: Any, path: str, error: str) -> Fault:
    """One value that is not what its field takes."""
    members = _members(kind)
    literals = [
        str(choice) for member in members if get_origin(member) is Literal for choice in get_args(member)
    ]
    if literals and isinstance(value, str):
        return Fault(
            path, f"{shown(value)} is not one of {', '.join(literals)}", did_you_mean(value, literals)
        )
    text, _, _ = error.partition(" - at `")
    described = _description(kind)
    if described is not None and "matching regex" in text:
        return Fault(path, f"{shown(value)} is not {described}", "Change it to fit.")
    remedy = next((_REMEDIES[member] for member in members if member in _REMEDIES), "")
    fields = [
        field.encode_name
        for member in members
        if _is_struct(member)
        for field in msgspec.structs.fields(member)
    ]
    if fields and not isinstance(value, dict):  # a mapping that breaks a rule has its fields already
        remedy = f"Write its fields: {', '.join(fields[:LISTED_LIMIT])}."
    elif any(get_origin(member) in (tuple, list) for member in members):
        remedy = "Write a list: `[a, b]`, or one `- item` a line."
    if re.match(r"Expected `[^`]*`(?: \| [^,]*)?, got", text) or text.startswith("Invalid decimal"):
        return Fault(
            path, f"expected {_wanted(kind)}, got {_described(value)}", remedy or "See the reference."
        )
    bound = _bound(text)
    if bound is not None:
        return Fault(path, f"{bound}; got {_described(value)}", "Change it to fit.")
    # A rule of the record's own (a ValueError) says what is wrong and, after `; `, what to do.
    wrong, _, mend = text.partition("; ")
    return Fault(path, wrong, f"{mend[:1].upper()}{mend[1:]}." if mend else remedy or "Change it to fit.")


def _bound(text: str) -> str | None:
    """A broken constraint in our words; None where msgspec names none."""
    found = re.fullmatch(r"Expected `(\w+)` (>=|<=|>|<) (\S+)", text)
    if found:
        words = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
        return f"must be {words[found[2]]} {found[3]}"
    found = re.fullmatch(r"Expected `(\w+)` of length (>=|<=|==) (\d+)", text)
    if found:
        words = {">=": "at least", "<=": "at most", "==": "exactly"}
        unit = {"str": "characters", "array": "items", "object": "entries"}.get(found[1], "items")
        return f"must have {words[found[2]]} {found[3]} {unit}"
    found = re.fullmatch(r"Expected `str` matching regex (.*)", text)
    return f"must look like {found[1]}" if found else None
