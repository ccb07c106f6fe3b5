"""The gateway beside nginx as a plain proxy, and LiteLLM's where it is installed: `python -m bench.gateway`.

    python -m bench.gateway [--without-peer] [--seconds N] [--rounds N] [--in FOLDER] [--json FILE]
    python -m bench.gateway --soak 1000000          memory alone, every 100,000 requests

Each side in turn has one core; a mock model that answers at once and wrk share the other. Ours does all that it does
in service: it knows a key with every kind of limit, goes by the example's agreements, and has each request on disk
twice before its last byte leaves; its CPU time is that of all its processes, with the steward that ships what was
used to a control plane (which stands elsewhere in service, so here on the core of the load). nginx
knows no keys and counts nothing. LiteLLM runs without a database, with a master key and prices of its own.

Figures are medians of the rounds. CPU time and ratios say more than requests a second, which depend on who else uses
the machine. Needs two cores, wrk and nginx (`apt-get install wrk nginx-light`); LiteLLM in `.bench/litellm`.
Ends with status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.gateway_load import BenchError, Figures, cpu_s, family, load, synced_ms
from bench.gateway_sides import LOAD_CORE, Side, litellm, mock, nginx, ours

Table = dict[str, dict[str, Figures]]
"""By side, then by point."""
SOAK_STEP = 100_000
STEWARD = "stargate.gateway.steward"
SHIPPED_S = 60.0


class Point(NamedTuple):
    """A kind of load."""

    name: str
    model: str
    connections: int
    seconds: float = 1.0
    """As a multiple of what was asked for."""


POINTS = (
    Point("whole, 1 connection", "plain", 1),
    Point("whole, 16 connections", "plain", 16),
    Point("whole, 64 connections", "plain", 64),
    Point("streams of 32 x 2 ms, 64 connections", "paced", 64),
    Point("streams at once, 16 connections", "burst", 16),
)
ONE, _, WHOLE, PACED, BURST = (point.name for point in POINTS)


class Target(NamedTuple):
    """What is promised."""

    name: str
    found: float
    limit: float
    unit: str
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return (
            f"{self.name:<62}{self.found:>9,.2f} {self.unit:<3} {sign} {self.limit:<6g}"
            f"  {'met' if self.met else 'MISSED'}"
        )


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--without-peer", action="store_true", help="leave LiteLLM out")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="N requests, and memory alone")
    parser.add_argument("--in", dest="folder", metavar="FOLDER", default=None, help="on which disk")
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-gateway-") as name:
            if options.soak:
                return _soak(Path(name), options.soak)
            return _compare(Path(name), options)
    except BenchError as error:
        print(f"bench.gateway: {error}", file=sys.stderr)
        return 2


# -- beside others -----------------------------------------------------------------------------------------


def _compare(folder: Path, options: argparse.Namespace) -> int:
    sides: dict[str, Callable[[Path, Side], AbstractContextManager[Side]]] = {"nginx": nginx, "ours": ours}
    if not options.without_peer:
        sides["LiteLLM"] = litellm
    own: list[Target] = []
    with mock(folder) as upstream:
        found: Table = {"the mock alone": _rounds(folder, upstream, 1, options.seconds)}
        for name, side in sides.items():
            with side(folder, upstream) as up:
                memory = worker_mib(up) if name == "ours" else 0.0
                slow = name == "LiteLLM"
                found[name] = _rounds(folder, up, 1 if slow else options.rounds, options.seconds * (1 + slow))
                if name == "ours":
                    own = [
                        Target("from the gateway's start to its first answer", up.start_s, 1.0, "s", False),
                        Target(
                            "resident memory of the worker", max(memory, worker_mib(up)), 100, "MiB", False
                        ),
                    ]
        disk_ms = synced_ms(folder)
    _show(found)
    print(f"\nwriting 300 bytes and fdatasync, bare: {disk_ms:.2f} ms; a request has to wait for two")
    targets = [*_targets(found, disk_ms), *own]
    print(*targets, sep="\n")
    said = {
        "disk_ms": disk_ms,
        "sides": {side: {name: each._asdict() for name, each in row.items()} for side, row in found.items()},
        "targets": {each.name: each.found for each in targets},
    }
    print(json.dumps(said))
    if options.json:
        Path(options.json).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return 0 if all(each.met for each in targets) else 1


def _rounds(folder: Path, side: Side, rounds: int, seconds: float) -> dict[str, Figures]:
    load(folder, side.urls["plain"], side.token, "plain", 16, max(1.0, seconds / 2), LOAD_CORE)  # warm
    found: dict[str, list[Figures]] = {point.name: [] for point in POINTS}
    for _ in range(rounds):
        for point in POINTS:
            found[point.name].append(_measured(folder, side, point, seconds))
    return {
        name: Figures(*(statistics.median(column) for column in zip(*each, strict=True)))
        for name, each in found.items()
    }


def _measured(folder: Path, side: Side, point: Point, seconds: float) -> Figures:
    pids = family(side.pid) if side.pid else []
    before_s = cpu_s(pids)
    found = load(
        folder, side.urls[point.model], side.token, point.model, point.connections, seconds, LOAD_CORE
    )
    _wait_shipped(side)
    return found._replace(cpu_us=(cpu_s(pids) - before_s) / found.requests * 1e6)


def _wait_shipped(side: Side) -> None:
    """What was used is shipped a little later, at our cost: until the steward rests."""
    if side.name != "ours":
        return
    end = time.monotonic() + SHIPPED_S
    steward = [pid for pid in family(side.pid) if STEWARD in psutil.Process(pid).cmdline()]
    before_s, rests = cpu_s(steward), 0
    while rests < 2 and time.monotonic() < end:
        time.sleep(0.7)
        now_s = cpu_s(steward)
        rests = rests + 1 if now_s - before_s < 0.03 else 0
        before_s = now_s


def worker_mib(side: Side) -> float:
    """Resident memory of the process that answers: the parent's child that is not the steward."""
    children = psutil.Process(side.pid).children()
    return max(each.memory_info().rss for each in children if STEWARD not in each.cmdline()) / 2**20


def _targets(found: Table, disk_ms: float) -> list[Target]:
    mine, plain, direct = found["ours"], found["nginx"], found["the mock alone"]
    targets = []
    if "LiteLLM" in found:
        ratio = found["LiteLLM"][WHOLE].cpu_us / mine[WHOLE].cpu_us
        targets.append(Target("CPU a request of LiteLLM, as a multiple of ours", ratio, 60, "x", True))
        ratio = found["LiteLLM"][BURST].cpu_us / mine[BURST].cpu_us
        targets.append(Target("CPU a stream of LiteLLM, as a multiple of ours", ratio, 60, "x", True))
    share = 100 * mine[WHOLE].per_s / plain[WHOLE].per_s
    targets.append(Target("requests a second at 64 connections, of nginx's", share, 12, "%", True))
    added_ms = mine[ONE].p50_ms - direct[ONE].p50_ms - 2 * disk_ms
    targets.append(
        Target("added median at 1 connection, beside two durable writes", added_ms, 0.5, "ms", False)
    )
    share = 100 * mine[PACED].per_s / plain[PACED].per_s
    targets.append(Target("paced streams a second at 64 connections, of nginx's", share, 85, "%", True))
    return targets


def _show(found: Table) -> None:
    for point in POINTS:
        print(f"\n{point.name}")
        for side, row in found.items():
            each = row[point.name]
            print(
                f"  {side:<16}{each.per_s:>10,.0f} /s   p50 {each.p50_ms:>9,.2f} ms   p99 {each.p99_ms:>9,.2f} ms"
                + (f"   CPU {each.cpu_us:>9,.0f} us" if each.cpu_us else "")
                + (f"   {each.refused:,.0f} refused" if each.refused else "")
            )


# -- memory ------------------------------------------------------------------------------------------------


def _soak(folder: Path, requests: int) -> int:
    """So many requests, whole and streamed, and the worker's memory on the way."""
    done = asked = 0
    first = last = 0.0
    with mock(folder) as upstream, ours(folder, upstream) as side:
        print(f"{0:>10,} requests   {worker_mib(side):6.1f} MiB")
        while done < requests:
            for model in ("plain", "plain", "burst"):
                done += load(folder, side.urls[model], side.token, model, 64, 5, LOAD_CORE).requests
            if done >= asked + SOAK_STEP or done >= requests:
                asked = done
                last = worker_mib(side)
                first = first or last
                print(f"{done:>10,} requests   {last:6.1f} MiB", flush=True)
    print(json.dumps({"requests": done, "first_mib": first, "last_mib": last}))
    return 0 if last <= 100 and last - first <= 0.05 * first else 1


if __name__ == "__main__":
    sys.exit(main())
