"""`stargate performance explain`: one estimate, term by term."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stargate.base.errors import UserError
from stargate.base.time import Instant
from stargate.broker.device import device_of, devices
from stargate.broker.sizing import PERFORMANCE
from stargate.broker.sizing.asked import asked
from stargate.broker.sizing.detail import Detail, detail
from stargate.catalog import builtin_chips, chip_named
from stargate.cli.estimate import answer
from stargate.cli.output import json_option, print_json, say, table
from stargate.cli.performance.rows import read_calibration
from stargate.cli.submit import read
from stargate.performance.calibration import Lookup

_GB = 1e9


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--chip", help="On this chip. [the one that `stargate estimate` lists first]")
@click.option("--chips", type=click.IntRange(1, 1_000_000), help="On so many. [as many as it would size]")
@click.option("--svg", type=click.Path(path_type=Path), help="Draw the terms as bars here.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Constants to use. [the shipped ones]")
@json_option
def command(
    file: Path, chip: str | None, chips: int | None, svg: Path | None, calibration: Path | None, as_json: bool
) -> None:
    """Take the estimate of FILE apart: the terms of one step or iteration, memory, and the constants behind it.

    FILE is a workload that states its work, as for `stargate estimate`.
    """
    workload = read(file, None, ())
    question = asked(workload) if workload.stated else None
    if question is None:
        raise UserError(
            f"{workload.name} does not state its work",
            "add `model:` and `tokens:` for a run, or `model:` and `traffic:` for a service",
        )
    if chip is None or chips is None:
        at = Instant(time.time_ns() // 1_000)
        wanted = None if chip is None else chip_named(chip).id
        listed = [
            one
            for one in answer(workload, (), (), at, PERFORMANCE).candidates
            if not one.refusal and wanted in (None, one.chip)
        ]
        if not listed:
            raise UserError(
                "no chip will do as it is asked for", "run `stargate estimate` on it: it names the reasons"
            )
        chip, chips = listed[0].chip, chips or listed[0].chips
    device = device_of(chip_named(chip), question.precision)
    known = devices(builtin_chips())
    found = detail(question, device, chips, Lookup(read_calibration(calibration), known))
    if not isinstance(found, Detail):
        raise UserError(
            f"{question.model.name} on {chips} {device.chip}: {found}",
            "try another number of chips, or another chip",
        )
    if svg is not None:
        from stargate.cli.performance.plot import bars

        title = f"{found.model}, {found.chips} {found.chip}, {found.precision}: one {found.of}"
        svg.write_text(bars(found.terms, title), encoding="utf-8")
    if as_json:
        print_json(found)
        return
    say(lines(found))


def lines(found: Detail) -> list[str]:
    """Tables of the terms, the memory and the constants."""
    degrees = ", ".join(
        f"{name.replace('_', ' ')} {value}"
        for name in found.layout.__struct_fields__
        if (value := getattr(found.layout, name)) is not None
    )
    span = found.seconds
    said = [
        f"{found.model} on {found.chips} {found.chip} in {found.precision}",
        f"  {degrees}",
        "",
        f"One {found.of}: {_time(span.point)}, 10-90% {_time(span.low)} to {_time(span.high)}",
    ]
    longest = sorted(found.terms, key=lambda term: -term.seconds)
    total = sum(term.seconds for term in longest) or 1.0
    rows = [
        (term.name.replace("_", " "), _time(term.seconds), f"{term.seconds / total:.1%}", term.binds)
        for term in longest
    ]
    said += [table(("TERM", "TIME", "SHARE", "WAITS FOR"), rows), ""]
    parts = sorted(found.memory_bytes.items(), key=lambda part: -part[1])
    used = sum(size for _, size in parts)
    said.append(f"Memory: {used / _GB:.1f} of {found.memory_available_bytes / _GB:.1f} GB a chip")
    said += [table(("PART", "GB"), [(name, f"{size / _GB:.2f}") for name, size in parts]), ""]
    said += [f"{name.replace('_', ' ')}: {value:,.3f}" for name, value in found.rates.items()]
    said.append("")
    if found.grade == "lent":
        said.append(
            f"{found.chip} in {found.precision} was not measured: constants are lent, the range is wider"
        )
    said.append(
        table(
            ("CONSTANT", "VALUE", "LENT BY"),
            [(each.name, f"{each.value:.3g}", each.lent_by) for each in found.constants],
        )
    )
    return said


def _time(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:,.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"
