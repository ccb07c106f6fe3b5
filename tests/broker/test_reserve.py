"""EASY backfill: the first blocked slot never starts later than it could when it became the first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stargate.base.time import HOUR, MINUTE, Duration, Instant
from stargate.broker.command import Report, Submit
from stargate.broker.fact import Placed
from stargate.broker.records import AttemptState
from stargate.workloads import Topology
from tests.broker.oracle import fits
from tests.broker.world import Bench, policy, pool, work


@dataclass(frozen=True)
class Job:
    """What is submitted when; it runs exactly as long as it says."""

    after: int
    nodes: int
    chips: int
    minutes: int
    block: bool = False


JOBS = st.lists(
    st.builds(
        Job,
        after=st.integers(0, 20),
        nodes=st.sampled_from([1, 1, 1, 2, 3, 4, 7]),
        chips=st.sampled_from([8, 8, 8, 2, 5]),
        minutes=st.integers(1, 40),
        block=st.booleans(),
    ),
    min_size=3,
    max_size=14,
)


def soonest(running: list[AttemptState], job: Job, nodes: int, now: Instant) -> Instant:
    """When the job would start if nothing but `running` were there, by plain counting."""
    place = pool("a", nodes=nodes)
    for moment in sorted({now} | {max(now, attempt.expected_end) for attempt in running}):
        free = [8] * nodes
        for attempt in running:
            if attempt.expected_end > moment:
                for node in attempt.nodes:
                    free[node] -= attempt.chips_per_node
        if fits(free, place, job.nodes, job.chips, block=job.block):
            return moment
    raise AssertionError("an empty pool holds it")


def promises_and_starts(jobs: list[Job], nodes: int) -> list[tuple[str, Instant, Instant]]:
    """Play the jobs to their end: (name, start promised when it was first in line, start)."""
    bench = Bench(pool("a", nodes=nodes), policy=policy())
    begin, known = bench.now, {f"j{n}": job for n, job in enumerate(jobs)}
    promised: dict[str, Instant] = {}
    events: list[tuple[int, int, str]] = []
    arrival = 0
    for name, job in known.items():
        arrival += job.after
        heapq.heappush(events, (begin + arrival * MINUTE, 1, name))
    while events:
        at, submits, name = heapq.heappop(events)
        bench.now = Instant(at)
        bench.do(_submit(name, known[name]) if submits else Report(f"{name}.0.1", "done"))
        backfilled = set()
        for fact in bench.of(Placed):
            heapq.heappush(events, (fact.expected_end, 0, fact.workload))
            if any(ground.says.startswith("backfilled") for ground in fact.grounds):
                backfilled.add(fact.attempt)
        if bench.state.queue:
            first = bench.state.queue[0].workload
            running = [attempt for attempt in bench.state.live.values() if attempt.id not in backfilled]
            promised.setdefault(first, soonest(running, known[first], nodes, bench.now))
    attempts = bench.state.records.attempts
    assert len(attempts) == len(jobs)
    return [(name, at, attempts[f"{name}.0.1"].placed_at) for name, at in promised.items()]


def _submit(name: str, job: Job) -> Submit:
    fields: dict[str, Any] = {"chips_per_node": job.chips, "time_limit": Duration(job.minutes * MINUTE)}
    if job.block:
        fields["topology"] = Topology(required="block")
    return Submit(name, work(name, job.nodes if not job.block else min(4, job.nodes), **fields))


@settings(max_examples=300, deadline=None)
@given(jobs=JOBS)
@example(
    # The spare node is not free yet, and the only free ones are of the block that is waited for.
    jobs=[Job(0, 2, 8, 30), Job(0, 1, 8, 20), Job(0, 3, 8, 99), Job(1, 4, 8, 9, block=True), Job(0, 1, 8, 99)]
)
def test_the_first_in_line_starts_when_promised_or_sooner(jobs: list[Job]) -> None:
    """With exact run times, whole and shared nodes, and gangs that must share a block."""
    jobs = [Job(j.after, min(4, j.nodes) if j.block else j.nodes, j.chips, j.minutes, j.block) for j in jobs]
    late = [(name, at, began) for name, at, began in promises_and_starts(jobs, 7) if began > at]
    assert late == []


def test_short_work_passes_and_long_work_waits() -> None:
    """Only work that cannot delay the first blocked gang slips in."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("running", nodes=3, time_limit=Duration(2 * HOUR)))
    bench.submit(work("head", nodes=4))
    bench.submit(work("long", nodes=1, time_limit=Duration(3 * HOUR)))
    bench.submit(work("short", nodes=1, time_limit=Duration(1 * HOUR)))
    assert [bench.where(n) for n in ("head", "long", "short")] == ["", "", "a"]
    bench.wait(HOUR)
    bench.report("short.0.1", "done")
    bench.report("running.0.1", "done")
    assert bench.where("head") == "a"


def test_long_work_may_use_what_the_reservation_leaves() -> None:
    """Two nodes are waited for; of the two that are free, one will not be needed."""
    bench = Bench(pool("a", nodes=4), policy=policy())
    bench.submit(work("running", nodes=2, time_limit=Duration(2 * HOUR)))
    bench.submit(work("head", nodes=3))
    for name in ("first", "second"):
        bench.submit(work(name, time_limit=Duration(9 * HOUR)))
    assert [bench.where(n) for n in ("head", "first", "second")] == ["", "a", ""]


def test_a_replica_is_never_expected_to_end() -> None:
    """A service does not promise its nodes to anybody, however long it has run; what ends elsewhere does."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws"), policy=policy())
    bench.submit(work("chat", nodes=4, kind="serve", time_limit=None))
    bench.submit(work("running", nodes=3, time_limit=Duration(100 * HOUR)))
    bench.wait(30 * HOUR)
    bench.submit(work("head", nodes=4))
    bench.submit(work("long", time_limit=Duration(200 * HOUR)))
    assert [bench.where(n) for n in ("chat", "running", "head", "long")] == ["a", "b", "", ""]


def test_a_service_is_not_backfilled_before_the_first_in_line() -> None:
    """It would be there for ever."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("running", nodes=3, time_limit=Duration(30 * HOUR)))
    bench.submit(work("head", nodes=4))
    bench.submit(work("chat", kind="serve", time_limit=None))
    assert bench.where("chat") == ""


def test_the_last_chips_of_a_lease_are_kept_too() -> None:
    """Four nodes, a lease of three: a node would be left, but no chips of the lease."""
    bench = Bench(pool("a", tenure="owned"), policy=policy())
    bench.state.supplies.by_id["a"].chips = 24
    bench.submit(work("running", time_limit=Duration(2 * HOUR)))
    bench.submit(work("head", nodes=3))
    bench.submit(work("long", time_limit=Duration(9 * HOUR)))
    bench.submit(work("short", time_limit=Duration(1 * HOUR)))
    assert [bench.where(n) for n in ("head", "long", "short")] == ["", "", "a"]
