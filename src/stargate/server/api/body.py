"""Request bodies: JSON, bounded, and strict. What is wrong is named with every fault, its path and a remedy.

Gateways ship in msgpack.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from litestar import Request

from stargate.base import wire
from stargate.base.errors import InputError, Problem, UserError
from stargate.base.faults import faults

DEPTH_LIMIT = 64
"""Of nested lists and objects."""
PROBLEMS_LIMIT = 100
"""Reported at once."""

_PLAIN = msgspec.json.Decoder(float_hook=Decimal)

T = TypeVar("T")


class MediaTypeError(UserError):
    """The body is said to be something else than JSON."""

    http_status = 415


MSGPACK = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")
"""One form under the names that it has."""


class StrictRequest(Request[Any, Any, Any]):
    """Reads a body as the record that its handler takes, before anybody else has a look at it."""

    async def json(self) -> Any:
        """The body as the type of the handler's `data`. Raises InputError and MediaTypeError."""
        self._demand_type(("application/json",), "JSON")
        kind: Any = self.route_handler.parsed_data_field
        return read_body(await self.body(), kind.annotation)

    async def msgpack(self) -> Any:
        """The same for what programs send in bulk. Raises InputError with the first fault."""
        self._demand_type(MSGPACK, "msgpack")
        kind: Any = self.route_handler.parsed_data_field
        body = await self.body()
        try:
            return wire.unpacker(kind.annotation).decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise _refused(f"the body is not as it should be: {error}", "Change it to fit.") from None

    def _demand_type(self, wanted: Sequence[str], name: str) -> None:
        said = self.headers.get("content-type", "")
        if said.partition(";")[0].strip().lower() not in wanted:
            raise MediaTypeError(
                f"the body is said to be {shortened(said or 'nothing in particular')!r}",
                f"send {name}, with `Content-Type: {wanted[0]}`",
            )


def read_body(body: bytes, kind: type[T]) -> T:
    """JSON as a record. Raises InputError with every fault; never anything else."""
    try:
        plain = _PLAIN.decode(body)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        raise _refused(f"the body is not JSON: {error}", "Send one JSON object in UTF-8.") from None
    if _too_deep(plain):
        raise _refused(f"the body is nested deeper than {DEPTH_LIMIT} levels", "Make it flatter.")
    found = faults(plain, kind)
    if found:
        raise InputError(
            tuple(Problem(fault.message, fault.remedy, path=fault.path) for fault in found[:PROBLEMS_LIMIT])
        )
    try:
        return wire.convert(plain, kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _refused(str(error), "Change it to fit.") from None


def shortened(text: str, most: int = 80) -> str:
    """The beginning of what somebody sent, for a message."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _too_deep(plain: Any) -> bool:
    level: Sequence[Any] = (plain,)
    for _ in range(DEPTH_LIMIT):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _refused(message: str, remedy: str) -> InputError:
    return InputError((Problem(message, remedy),))
