"""What the broker remembers of earlier searches changes no decision: one that forgets everything decides the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import pytest

from stargate.agreements import Agreement
from stargate.agreements.clause import ExclusiveServing, Residency
from stargate.agreements.scope import Filter
from stargate.base.time import MINUTE, Duration, Instant
from stargate.broker import Policy, preempt
from stargate.broker.command import MarkSupply, SetCapacity, Wake
from stargate.broker.permits import Permits
from stargate.broker.policy import SourcingPolicy, Team
from stargate.broker.queue import _Pass
from stargate.broker.state import State
from stargate.broker.verdicts import Verdicts
from tests.broker.world import Bench, pool, work

POOLS = ("big", "dear", "far", "small")
TEAMS = ("red", "blue")
ORDERS = ("priority", "fifo", "srtf")

SEEDS = 30


def drawn(chance: random.Random) -> tuple[Any, ...]:
    """A step: mostly work comes, or ends a while later; now and then it fails, or a pool is marked or counted anew."""
    kind = chance.choices(("submit", "end", "fail", "mark", "count"), (56, 30, 8, 3, 3))[0]
    if kind == "submit":
        nodes, priority, minutes = chance.randint(1, 6), chance.choice((0, 0, 0, 1)), chance.randint(1, 90)
        return kind, nodes, priority, minutes, chance.choice((1, 4, 8)), chance.randrange(8)
    if kind in ("end", "fail"):
        return kind, chance.randint(0, 20), chance.randint(0, 10)
    if kind == "mark":
        return kind, chance.choice(POOLS), chance.choice(("up", "draining", "lost"))
    return kind, chance.choice(POOLS), chance.randint(0, 4)


def promised() -> tuple[Agreement, ...]:
    """One product is Oracle's alone for half an hour, and one team's work stays in the US."""
    until = "2026-01-01T00:30:00Z"
    alone = ExclusiveServing(id="alone", products=("api",), actions=("train",), until=until)
    home = Residency(
        id="home", jurisdictions=("US",), grantor="lab", scope=(Filter(field="team", operator="In", values=("blue",)),)
    )  # fmt: skip
    return tuple(
        Agreement(
            id=name,
            parties=("lab", "oracle-co"),
            customer="lab",
            supplier="oracle-co",
            signed_on=Instant(0),
            clauses=(clause,),
        )
        for name, clause in (("one", alone), ("two", home))
    )


def lab(order: Any, *, teams: bool, agreements: bool) -> Bench:
    """Four pools at three providers."""
    policy = Policy(
        lab="lab",
        order=order,
        teams=tuple(Team(name, 48) for name in TEAMS) if teams else (),
        sourcing=SourcingPolicy(automatic=False),
    )
    return Bench(
        pool("big", nodes=6, price="3"),
        pool("dear", provider="oracle", price="5"),
        pool("far", provider="aws", site="no", tenure="owned"),
        pool("small", provider="oracle", site="wi", nodes=2),
        policy=policy,
        agreements=promised() if agreements else (),
    )


@contextmanager
def forgetting(state: State) -> Iterator[None]:
    """Nothing is remembered from one search to the next, and nothing is ruled out by counting."""
    of = Permits.of

    def asked_anew(permits: Permits, *asked: Any) -> Any:
        permits._found.clear()
        return of(permits, *asked)

    state.starts.clear()
    state.quiet.clear()
    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(Permits, "of", asked_anew))
        patched.enter_context(mock.patch.object(Verdicts, "of", return_value=None))
        patched.enter_context(mock.patch.object(_Pass, "_is_hopeless", return_value=False))
        patched.enter_context(mock.patch.object(preempt, "_most", return_value=10**6))
        patched.enter_context(mock.patch.object(preempt, "_least_loss", return_value=0))
        patched.enter_context(mock.patch.object(preempt, "_may_help", return_value=True))
        patched.enter_context(mock.patch.object(preempt, "_may_have_place", return_value=True))
        yield


def act(bench: Bench, number: int, step: tuple[Any, ...]) -> None:
    """One step, the same in both worlds as long as they are the same."""
    match step:
        case ("submit", nodes, priority, minutes, chips, more):
            bench.submit(
                work(
                    f"w{number}",
                    nodes,
                    chips_per_node=chips,
                    priority=priority,
                    time_limit=Duration(minutes * MINUTE),
                    team=TEAMS[more % 2],
                    product="api" if more & 2 else "",
                    checkpoint=None if more & 4 else work().checkpoint,
                )
            )
        case ("end" | "fail", which, minutes):
            bench.wait(minutes * MINUTE)
            live = sorted(bench.state.live)
            if live:
                attempt = live[which % len(live)]
                if bench.state.live[attempt].status == "stopping":
                    bench.report(attempt, "stopped")
                elif step[0] == "fail":
                    bench.report(attempt, "failed", failure="infrastructure")  # others come first for it now
                else:
                    bench.report(attempt, "done")
            bench.do(Wake())
        case ("mark", name, status):
            bench.do(MarkSupply("pool", name, status))
        case ("count", name, nodes):
            bench.do(SetCapacity(name, min(nodes, 2 if name == "small" else 4)))


@pytest.mark.parametrize("seed", [*range(SEEDS), 205])  # 205: who was let in as the last resort
def test_who_forgets_decides_the_same(seed: int) -> None:
    chance = random.Random(seed)
    order, teams, agreements = chance.choice(ORDERS), chance.random() < 0.5, chance.random() < 0.5
    ours, plain = (lab(order, teams=teams, agreements=agreements) for _ in range(2))
    for number in range(chance.randint(5, 40)):
        step = drawn(chance)
        act(ours, number, step)
        with forgetting(plain.state):
            act(plain, number, step)
        assert ours.entries == plain.entries
    assert ours.state.digest() == plain.state.digest()
