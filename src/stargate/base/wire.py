"""One place that knows how records become msgpack (journal), JSON (people, HTTP) and plain data.

In msgpack an Instant and a Duration are integers of microseconds; in JSON and YAML they are text.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from stargate.base.time import Duration, Instant

T = TypeVar("T")


def from_paper(kind: type, value: object) -> object:
    """The `dec_hook`: text or microseconds to Instant and Duration."""
    if kind is Instant or kind is Duration:
        if isinstance(value, str):
            return kind.parse(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return kind(value)
        wanted = "a time" if kind is Instant else "a duration"
        raise ValueError(f"expected {wanted}, got {value!r}")
    raise NotImplementedError(f"no reading of {kind.__name__}")


def _to_microseconds(value: object) -> object:
    if isinstance(value, Instant | Duration):
        return int(value)
    raise NotImplementedError(f"no msgpack form of {type(value).__name__}")


def _to_text(value: object) -> object:
    if isinstance(value, Instant | Duration):
        return str(value)
    raise NotImplementedError(f"no JSON form of {type(value).__name__}")


_PACK = msgspec.msgpack.Encoder(enc_hook=_to_microseconds, decimal_format="string")
_JSON = msgspec.json.Encoder(enc_hook=_to_text, decimal_format="string")


def pack(record: object) -> bytes:
    """Canonical msgpack: the same record gives the same bytes."""
    return _PACK.encode(record)


def unpacker(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """A reusable typed msgpack decoder."""
    return msgspec.msgpack.Decoder(kind, dec_hook=from_paper)


def to_json(record: object) -> bytes:
    """JSON for people and HTTP: times as ISO 8601, decimals as text."""
    return _JSON.encode(record)


def from_json(data: bytes | str, kind: type[T]) -> T:
    """Typed JSON. Raises msgspec.DecodeError or msgspec.ValidationError."""
    return msgspec.json.decode(data, type=kind, dec_hook=from_paper)


def to_plain(record: object) -> Any:
    """The record as dicts, lists and scalars, in the JSON form."""
    return msgspec.to_builtins(record, enc_hook=_to_text, builtin_types=())


def convert(value: object, kind: type[T]) -> T:
    """Plain data to a typed record. Raises msgspec.ValidationError naming the field path."""
    return msgspec.convert(value, kind, dec_hook=from_paper)
