"""What a person, or a script, is told when something did not work."""

from __future__ import annotations

import os
import traceback
from typing import Any

import click

from stargate.base import wire
from stargate.base.errors import ForbiddenError, InputError, StargateError, UserError
from stargate.cli.output import clean

USER_FAULT = 2
OUR_FAULT = 1


def report(error: Exception, *, as_json: bool) -> int:
    """Say what was wrong and the way out; gives the exit code. STARGATE_DEBUG=1 adds the traceback."""
    if os.environ.get("STARGATE_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, StargateError):
        described, code = describe(error), USER_FAULT if isinstance(error, UserError) else OUR_FAULT
    elif isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or "cannot be used").lower()
        described = _described(
            "UserError", f"{error.filename}: {reason}", "Check the path and its permissions."
        )
        code = USER_FAULT
    else:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        described = _described(
            "InternalError",
            said,
            "This is a fault of Stargate; STARGATE_DEBUG=1 shows where. Please report it.",
        )
        code = OUR_FAULT
    _print(described, as_json=as_json)
    return code


def report_usage(error: click.ClickException, *, as_json: bool) -> None:
    """Say what was wrong with the command line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    remedy = f"`{context.command_path} --help` says how." if context is not None else ""
    _print(_described("UsageError", error.format_message(), remedy), as_json=as_json)


def describe(error: StargateError) -> dict[str, Any]:
    """The error as the HTTP API would put it."""
    described = _described(type(error).__name__, error.message, error.remedy)
    if isinstance(error, InputError):
        described["problems"] = wire.to_plain(error.problems)
    if isinstance(error, ForbiddenError) and error.reasons:
        described["reasons"] = list(error.reasons)
    return described


def _described(type: str, message: str, remedy: str) -> dict[str, Any]:
    return {"type": type, "message": message, "remedy": remedy}


def _print(described: dict[str, Any], *, as_json: bool) -> None:
    """One JSON object on stdout, or lines on stderr."""
    if as_json:
        click.echo(wire.to_json({"error": described}).decode())
        return
    lines = [described["message"]] if described.get("problems") else sentences(described)
    for line in lines:
        click.echo(clean(line), err=True)


def sentences(described: dict[str, Any]) -> list[str]:
    """`stargate: what was wrong. The way out.` and the clauses that forbid it, one a line."""
    parts = [described["message"], described["remedy"]]
    return [
        f"stargate: {' '.join(_sentence(part, capital=place > 0) for place, part in enumerate(parts) if part)}",
        *(f"  {reason}" for reason in described.get("reasons", ())),
    ]


def _sentence(text: str, *, capital: bool) -> str:
    """Ends in one full stop, and begins with a capital where one has ended before it."""
    ended = text if text.endswith((".", "?", "!")) else f"{text}."
    return ended[:1].upper() + ended[1:] if capital else ended
