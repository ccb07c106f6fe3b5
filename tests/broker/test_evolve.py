"""Facts into state: gapless, dated in order, and only what could have happened."""

from __future__ import annotations

from typing import Any

import pytest

from stargate.base.time import MINUTE
from stargate.broker.command import MarkSupply, Scale
from stargate.broker.evolve import evolve
from stargate.broker.fact import (
    Checkpointed,
    Ended,
    Entry,
    Placed,
    Requeued,
    Scaled,
    Started,
    Submitted,
    WorkloadEnded,
)
from stargate.broker.records import CAUSES_LIMIT
from tests.broker.world import Bench, policy, pool, work


def running() -> Bench:
    """One job, running."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    bench.run("lm.0.1")
    return bench


def entry(bench: Bench, fact: Any, **changes: Any) -> Entry:
    """The next entry, unless said otherwise."""
    fields = {"seq": bench.state.records.seq + 1, "at": bench.now, "cause": "x", "fact": fact}
    return Entry(**(fields | changes))


@pytest.mark.parametrize("gap", [-1, 0, 2])
def test_entries_are_gapless(gap: int) -> None:
    """A number twice, or one left out."""
    bench = running()
    fact = Checkpointed("lm.0.1", 5)
    with pytest.raises(AssertionError, match="after"):
        evolve(bench.state, entry(bench, fact, seq=bench.state.records.seq + gap))


def test_time_does_not_run_backwards() -> None:
    """An entry is not dated before the one before."""
    bench = running()
    with pytest.raises(AssertionError, match="is dated before"):
        evolve(bench.state, entry(bench, Checkpointed("lm.0.1", 5), at=bench.now.plus(-1)))


def ended(outcome: Any = "done") -> Ended:
    return Ended("lm.0.1", outcome, None, 1, 9, 0)


@pytest.mark.parametrize(
    "fact",
    [
        Submitted("lm", work("lm"), ""),
        WorkloadEnded("lm", "cancelled"),
        WorkloadEnded("lm", "succeeded"),
        Requeued("lm", 0, running().now, (), "none"),
        Placed("lm.0.9", "lm", 0, 9, "a", "a", "azure", (1,), 8, 0, running().now, 0),
        Placed("lm.0.2", "lm", 0, 2, "a", "a", "azure", (1,), 8, 0, running().now, 0),
    ],
)
def test_what_cannot_have_happened_is_no_state(fact: Any) -> None:
    """A submission twice, an end with work in hand, an attempt out of turn or beside another."""
    bench = running()
    with pytest.raises(AssertionError):
        evolve(bench.state, entry(bench, fact))


def test_an_attempt_ends_once_and_starts_no_more() -> None:
    """The tables know."""
    bench = running()
    evolve(bench.state, entry(bench, ended()))
    for fact in (ended("failed"), Started("lm.0.1", 3)):
        with pytest.raises(AssertionError, match="cannot happen in state 'ended'"):
            evolve(bench.state, entry(bench, fact))


def test_a_node_is_not_given_twice() -> None:
    """Two gangs on one node are no state either."""
    bench = running()
    bench.do(MarkSupply("pool", "a", "draining"))
    bench.submit(work("two"))
    with pytest.raises(AssertionError):
        evolve(
            bench.state,
            entry(bench, Placed("two.0.1", "two", 0, 1, "a", "a", "azure", (0,), 8, 0, bench.now, 0)),
        )


def test_old_causes_are_forgotten() -> None:
    """Recent commands are remembered, not all."""
    bench = running()
    causes = bench.state.records.causes
    causes.update({f"c-{n}": 1 for n in range(CAUSES_LIMIT)})
    bench.report("lm.0.1", "checkpointed", step=1)
    assert len(causes) <= CAUSES_LIMIT
    assert f"c-{CAUSES_LIMIT - 1}" in causes


def test_replicas_come_and_go_by_their_number() -> None:
    """Scaling up reuses the slots of those that went."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("chat", kind="serve", replicas=0, time_limit=None))
    for replicas in (3, 1, 0, 2):
        bench.do(Scale("chat", replicas))
        assert bench.of(Scaled)
        for attempt in sorted(bench.state.stopping):
            bench.report(attempt, "stopped")
        bench.wait(MINUTE)
    slots = bench.state.records.workloads["chat"].slots
    assert [(slot.status, slot.number) for slot in slots] == [("placed", 2), ("placed", 2), ("done", 1)]
