"""The one shape of every answer that is not what was asked for."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from stargate.base import wire
from stargate.base.errors import ForbiddenError, InputError, InternalError, Problem, StargateError

_log = logging.getLogger(__name__)


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was wrong, and the way out."""

    type: str
    """The error's class, as in the reference."""
    message: str
    remedy: str = ""
    problems: tuple[Problem, ...] = ()
    """Every fault of a body, with its path."""
    reasons: tuple[str, ...] = ()
    """Clauses that forbid it."""


class Refusal(msgspec.Struct, frozen=True):
    """The body of every answer from 400 on."""

    error: Fault


_REMEDIES = {
    404: ("NotFoundError", "no such route", "`GET /schema/openapi.json` lists all routes"),
    405: ("MethodError", "this route does not take this method", "see `GET /schema/openapi.json`"),
    413: ("LimitError", "the body is too large", "send at most 1 MiB"),
}


def refusal_of(error: Exception) -> tuple[int, Refusal]:
    """Status and body for anything that was raised. What we did not raise on purpose is our own fault."""
    if isinstance(error, StargateError):
        return error.http_status, _of_ours(error)
    if isinstance(error, ValidationException):
        return InputError.http_status, _of_parameters(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        kind, message, remedy = _REMEDIES.get(
            error.status_code, ("UserError", str(error.detail), "see `GET /schema/openapi.json`")
        )
        return error.status_code, Refusal(Fault(kind, message, remedy))
    _log.error("a request could not be answered", exc_info=error)
    return 500, Refusal(
        Fault(
            "InternalError",
            "the server failed to answer",
            "this is a fault of Stargate; please report it with the server's log",
        )
    )


def encoded(refusal: Refusal) -> bytes:
    """As JSON, whatever text it quotes."""
    try:
        return wire.to_json(refusal)
    except UnicodeError:
        fault = refusal.error
        return wire.to_json(Refusal(Fault(fault.type, _mended(fault.message), _mended(fault.remedy))))


def _mended(text: str) -> str:
    return text.encode(errors="replace").decode()


def _of_ours(error: StargateError) -> Refusal:
    if isinstance(error, InternalError) and error.http_status == 500:
        _log.error("%s", error)
    kind = type(error).__name__
    if isinstance(error, InputError):
        problems = error.problems
        if len(problems) == 1:
            return Refusal(Fault(kind, problems[0].message, problems[0].remedy, problems))
        says = f"{len(problems)} problems in the input"
        return Refusal(Fault(kind, says, "mend each of them and send it again", problems))
    reasons = error.reasons if isinstance(error, ForbiddenError) else ()
    return Refusal(Fault(kind, error.message, error.remedy, reasons=reasons))


def _of_parameters(error: ValidationException) -> Refusal:
    extra: Any = error.extra if isinstance(error.extra, list) else []
    problems = tuple(
        Problem(
            str(item.get("message", "")).removeprefix("'data'") or "it is missing",
            "See `GET /schema/openapi.json`.",
            path=f"{getattr(item.get('source'), 'value', 'request')}.{item.get('key', '')}",
        )
        for item in extra
        if isinstance(item, dict)
    )
    return Refusal(
        Fault("InputError", "the request does not fit its route", "mend what `problems` names", problems)
    )


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    status, refusal = refusal_of(error)
    return Response(encoded(refusal), status_code=status, media_type="application/json")


HANDLERS: ExceptionHandlersMap = {HTTPException: _answer, StargateError: _answer, Exception: _answer}
