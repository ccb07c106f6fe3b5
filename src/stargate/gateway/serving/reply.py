"""What an endpoint answers, where it is not what was asked for: errors are put into the one shape that clients know."""

from __future__ import annotations

from typing import Any

import msgspec

MESSAGE_LIMIT = 1_000
_PLAIN = msgspec.json.Decoder(dict[str, Any])
_OUTER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JSON = msgspec.json.Encoder()
_FIELDS = frozenset({"message", "type", "param", "code"})


def is_object(body: bytes) -> bool:
    """Whether it is a JSON object. Numbers in it may be larger than any that can be read."""
    try:
        _OUTER.decode(body)
        if not body.isascii():
            body.decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def error_in(body: bytes) -> str:
    """The message of an error that came as an answer; empty: it is none."""
    error = (_read(body) or {}).get("error")
    return _message(error) if error else ""


def shaped(body: bytes, kind: str) -> bytes:
    """An endpoint's error as OpenAI would have written it; `kind` is its type where it names none.

    What is in that shape already stays as it is, byte for byte; what else an error tells is kept beside it.
    """
    said = _read(body) or {}
    error = said.get("error", said)
    if isinstance(error, dict) and error.keys() >= _FIELDS and _sound(error):
        return body
    found = error if isinstance(error, dict) else {}
    code, param = found.get("code"), found.get("param")
    told = {
        **(found if "error" in said else {}),
        "message": _message(error) or "the endpoint refuses this request, and does not say why",
        "type": found["type"] if isinstance(found.get("type"), str) else kind,
        "param": param if isinstance(param, str) else None,
        "code": code if isinstance(code, str) else None if code is None else str(code)[:100],
    }
    return _JSON.encode({"error": told})


def _sound(error: dict[str, Any]) -> bool:
    return (
        isinstance(error["message"], str)
        and isinstance(error["type"], str)
        and isinstance(error["param"], str | None)
        and isinstance(error["code"], str | None)
    )


def _message(error: object) -> str:
    text = error.get("message", "") if isinstance(error, dict) else error
    return text[:MESSAGE_LIMIT] if isinstance(text, str) else str(text)[:MESSAGE_LIMIT]


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        return _PLAIN.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
