"""`stargate estimate`: what stated work takes on each chip or pool, without a server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from stargate import catalog
from stargate.base import wire
from stargate.base.errors import NotFoundError, UserError
from stargate.base.faults import did_you_mean
from stargate.base.money import micro_usd
from stargate.base.time import Duration, Instant
from stargate.broker.policy import Sizing
from stargate.broker.sizing import PERFORMANCE, Comparison, Estimator, Hardware, Pools, Unlisted, compare
from stargate.cli.output import dollars, json_option, print_json, say, table
from stargate.cli.submit import read
from stargate.workloads import Resources, Workload

RUN = ("CHIP", "POOL", "CHIPS", "TIME", "10-90%", "COST", "10-90%", "ENERGY", "GB/CHIP", "BOUND BY", "LAYOUT")
SERVICE = (
    "CHIP", "POOL", "REPLICAS", "CHIPS", "TTFT", "TPOT", "COST/H", "POWER", "GB/CHIP", "BOUND BY", "LAYOUT",
)  # fmt: skip
SHORT = {
    "tensor_parallel": "tp",
    "pipeline_parallel": "pp",
    "virtual_stages": "vp",
    "context_parallel": "cp",
    "expert_parallel": "ep",
    "data_parallel": "dp",
    "micro_batch_size": "mb",
}
"""Degrees as the field shortens them."""


@click.command("estimate")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--pool", "-p", "pools", multiple=True, help="Only this pool; more than once for more.")
@click.option(
    "--infrastructure",
    "-i",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="YAML of your pools, a file or a folder. Without it: the chips that are known, at what the market asks.",
)
@json_option
def command(*, file: Path, pools: tuple[str, ...], paths: tuple[Path, ...], as_json: bool) -> None:
    """Estimate what FILE takes on each chip or pool: time, cost, energy, memory, and what binds.

    FILE is a workload that states its work: `model` with `tokens`, or with `traffic`. Its chips need no count. What
    will not do is listed too, with the reason.
    """
    workload = read(file, None, ())
    if not workload.stated:
        raise UserError(
            f"{workload.name} does not state its work",
            "add `model:` and `tokens:` for a run, or `model:` and `traffic:` for a service",
        )
    at = Instant(time.time_ns() // 1_000)
    found = answer(workload, paths, pools, at, PERFORMANCE)
    if as_json:
        print_json(wire.to_plain(found))
        return
    say(lines(found))


def answer(
    workload: Workload, paths: tuple[Path, ...], pools: tuple[str, ...], at: Instant, estimator: Estimator
) -> Comparison:
    """The comparison over these pools, or over the chips that are known. Raises UserError."""
    if pools and not paths:
        raise UserError("--pool names a pool of nothing", "name its files with --infrastructure")
    machines = _known(workload) if not paths else _declared(workload, paths, pools, at)
    if not machines:
        raise UserError(
            "nothing here has the chips that the work asks for", "name other chips under `resources:`"
        )
    return compare(workload, machines, estimator, at, Sizing().longest)


def _known(workload: Workload) -> list[tuple[Resources, Hardware]]:
    chips = Unlisted(catalog.Infrastructure())
    return [(wanted, one) for wanted in workload.alternatives for one in chips.suited(workload, wanted)]


def _declared(
    workload: Workload, paths: tuple[Path, ...], pools: tuple[str, ...], at: Instant
) -> list[tuple[Resources, Hardware]]:
    infrastructure = catalog.load(paths)
    for name in pools:
        if name not in infrastructure.pools_by_id:
            raise NotFoundError(f"no pool {name!r} here", did_you_mean(name, infrastructure.pools_by_id))

    def price(pool: catalog.Pool) -> int | None:
        listed = pool.price_at(at)
        return (
            0 if listed is None and pool.tenure == "owned" else None if listed is None else micro_usd(listed)
        )

    def nodes(pool: catalog.Pool) -> int:
        return max([pool.nodes_at(at), *(pool.nodes_at(dated.from_) for dated in pool.nodes)])

    chosen = [pool for pool in infrastructure.pools if not pools or pool.id in pools]
    machines = Pools(infrastructure, chosen, nodes, price)
    return [
        (wanted, one) for wanted in workload.alternatives for one in machines.one_by_one(workload, wanted)
    ]


def lines(found: Comparison) -> list[str]:
    """The table, and below it what will not do."""
    plain: dict[str, Any] = wire.to_plain(found)
    said = [f"{found.workload}: {found.model}"]
    if found.within is not None:
        said[0] += f", to be done within {found.within.brief()}"
    if found.assumed:
        said.append(f"  assumed, as nothing else is stated: {', '.join(found.assumed)}")
    shown = [one for one in plain["candidates"] if "refusal" not in one]
    if shown:
        row, headings = (_run, RUN) if "duration" in shown[0] else (_service, SERVICE)
        said += ["", table(headings, [row(one) for one in shown])]
    lent = dict.fromkeys(f"{one['chip']} ({one['lent_by']})" for one in shown if one.get("lent_by"))
    if lent:
        said += ["", f"Not measured, with the constants of their nearest neighbour: {', '.join(lent)}"]
    refused = [one for one in plain["candidates"] if "refusal" in one]
    if refused:
        said += ["", "Will not do:"]
        said += [f"  {one.get('pool') or one['chip']}: {one['refusal']}" for one in refused]
    return said


def _run(one: dict[str, Any]) -> tuple[Any, ...]:
    duration, shortest, longest = (
        Duration.parse(one[key]).brief() for key in ("duration", "shortest", "longest")
    )
    return (
        one["chip"],
        one.get("pool"),
        f"{one['chips']:,}",
        f"{duration} (late)" if one.get("late") else duration,
        f"{shortest} to {longest}",
        _dollars(one.get("cost_micro_usd")),
        _span(one),
        _energy(one.get("energy_kwh", 0)),
        _memory(one),
        one["binds"],
        _layout(one.get("layout") or {}),
    )


def _service(one: dict[str, Any]) -> tuple[Any, ...]:
    return (
        one["chip"],
        one.get("pool"),
        f"{one.get('replicas', 1):,}",
        f"{one['chips']:,}",
        _latency(one.get("ttft_seconds")),
        _latency(one.get("tpot_seconds")),
        _dollars(one.get("cost_micro_usd")),
        f"{one['energy_kwh']:,} kW" if one.get("energy_kwh") else "",
        _memory(one),
        one["binds"],
        _layout(one.get("layout") or {}),
    )


def _dollars(cost: int | None) -> str:
    """Whole dollars from a hundred on: an estimate has no cents. What is owned is paid."""
    if cost == 0:
        return "paid"
    if cost is None or cost < 100_000_000:
        return dollars(cost)
    return f"${round(cost / 1_000_000):,}"


def _span(one: dict[str, Any]) -> str:
    low, high = one.get("low_cost_micro_usd"), one.get("high_cost_micro_usd")
    return "" if not high else f"{_dollars(low)} to {_dollars(high)}"


def _energy(kwh: int) -> str:
    return "" if not kwh else f"{kwh:,} kWh" if kwh < 10_000 else f"{round(kwh / 1_000):,} MWh"


def _memory(one: dict[str, Any]) -> str:
    return f"{one['memory_bytes'] / 1e9:.0f} of {one['memory_available_bytes'] / 1e9:.0f}"


def _latency(seconds: dict[str, float] | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds['point'] * 1e3:.0f} ms ({seconds['low'] * 1e3:.0f} to {seconds['high'] * 1e3:.0f})"


def _layout(layout: dict[str, Any]) -> str:
    degrees = [f"{short}{layout[name]}" for name, short in SHORT.items() if layout.get(name, 1) > 1]
    words = [layout[name] for name in ("sharding", "recompute") if layout.get(name) not in (None, "none")]
    return " ".join([*degrees, *words])
