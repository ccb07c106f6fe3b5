"""Terms of a deal from the options of `answer` and `quote`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from stargate.base.money import micro_usd
from stargate.base.time import Duration, Instant


class DollarsType(click.ParamType[Any]):
    """USD as an exact decimal, given on as micro-USD."""

    name = "usd"

    def __init__(self, most_usd: int = 1_000_000, what: str = "USD per chip-hour, as 2.49") -> None:
        self._most_usd = most_usd
        self._what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`2.49` to 2490000."""
        if isinstance(value, int):
            return value
        try:
            amount = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            self.fail(f"{value!r} is no amount of USD; write 2.49", param, ctx)
        if not amount.is_finite() or not 0 <= amount <= self._most_usd:
            self.fail(f"{value!r} is out of range; write {self._what}", param, ctx)
        return micro_usd(amount)


class InstantType(click.ParamType[Any]):
    """A date or a time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """ISO 8601."""
        try:
            return value if isinstance(value, Instant) else Instant.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class DurationType(click.ParamType[Any]):
    """A length of time."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        """`90s`, `72h`, `30d`."""
        try:
            return value if isinstance(value, Duration) else Duration.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def terms_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is offered; what is left out is as the requirement has it."""
    for option in (
        click.option("--chip", "chip_type", default="", help="The kind of chip."),
        click.option("--jurisdiction", default="", help="Where it stands, as US-TX."),
        click.option("--duration", type=DurationType(), help="For how long, as 30d."),
        click.option("--start", type=InstantType(), help="From when."),
        click.option("--price", "price_micro_usd", type=DollarsType(), help="USD per chip-hour."),
        click.option("--chips", type=click.IntRange(1), help="How many chips."),
    ):
        command = option(command)
    return command


def terms(requirement: dict[str, Any], deal: dict[str, Any]) -> dict[str, Any]:
    """The body that the server takes for terms: what the options say, else what is required."""
    kinds = requirement.get("chip_types") or ("",)
    return {
        "chips": deal["chips"] or requirement["chips"],
        "price_micro_usd_per_chip_hour": deal["price_micro_usd"],
        "start": str(deal["start"] or requirement["start_by"]),
        "duration": str(deal["duration"] or requirement["duration"]),
        "chip_type": deal["chip_type"] or kinds[0],
        "jurisdiction": deal["jurisdiction"],
    }
