"""The indexes of the state: what a restart rebuilds is what a history has built."""

from __future__ import annotations

import pytest

from stargate.agreements import Agreement
from stargate.agreements.clause.access import FirstRefusal
from stargate.agreements.right import Requirement, Window
from stargate.base.errors import NotFoundError
from stargate.base.time import HOUR, Duration, Instant
from stargate.broker.command import Declare, MarkSupply, SetCapacity, Wake
from stargate.broker.sourcing.command import GrantWaiver, OpenNeed
from stargate.broker.state import State
from tests.broker.world import Bench, derived, infrastructure, policy, pool, work


def eventful() -> Bench:
    """A bench with something of everything: running, stopping, lost, waiting, counted, marked."""
    bench = Bench(pool("a", "oracle"), pool("b", "aws", until=None), pool("c", "azure"), policy=policy())
    for number in range(9):
        bench.submit(work(f"j{number}", nodes=1 + number % 3, time_limit=Duration((1 + number) * HOUR)))
    bench.do(MarkSupply("provider", "oracle", "lost"))
    bench.do(SetCapacity("b", 2))
    bench.submit(work("urgent", nodes=2, priority=9))
    bench.submit(work("chat", kind="serve", replicas=3, time_limit=None))
    return bench


def test_facts_and_snapshots_rebuild_the_same_state() -> None:
    """Facts alone rebuild it, and so do the records of a snapshot."""
    bench = eventful()
    again = State.unpack(bench.state.pack())
    assert bench.state.stopping
    assert bench.state.lost_on
    assert bench.state.queue
    assert bench.replayed().digest() == again.digest() == bench.state.digest()
    assert derived(bench.replayed()) == derived(again) == derived(bench.state)
    assert again.next_due() == bench.state.next_due()


def test_a_declaration_rebuilds_the_indexes_and_keeps_running_work() -> None:
    """A new pool and a new price; what runs, waits and stops is as it was."""
    bench = eventful()
    before = derived(bench.state)
    bench.do(
        Declare(
            infrastructure(*bench.state.records.infrastructure.pools, pool("d", "aws", nodes=0)),
            (),
            bench.state.records.policy,
        )
    )
    after = derived(bench.state)
    assert set(after["supplies"]) == {"a", "b", "c", "d"}
    for name in ("queue", "live", "stopping", "lost_on", "counts", "providers"):
        assert after[name] == before[name]
    assert derived(State.unpack(bench.state.pack())) == after


def test_the_digest_tells_states_apart_and_nothing_else() -> None:
    """It does not depend on indexes, caches or looking."""
    bench = eventful()
    digest = bench.state.digest()
    bench.state.next_due()
    bench.state.held_chips()
    assert bench.state.digest() == digest
    bench.submit(work("one-more"))
    assert bench.state.digest() != digest


def test_held_chips_follow_capacity() -> None:
    """They are counted anew when a pool changes."""
    bench = Bench(pool("a"), pool("m", "aws", tenure="market"), policy=policy())
    assert bench.state.held_chips() == 32
    bench.do(SetCapacity("a", 1))
    assert bench.state.held_chips() == 8


def test_a_timer_brings_its_pool_once() -> None:
    """Stale timers do no harm; a time that never comes is not kept."""
    bench = Bench(pool("a"), policy=policy())
    state, now = bench.state, bench.now
    state.set_timer(now.plus(2), "a")
    state.set_timer(now.plus(1), "gone")
    assert state.next_due() == now.plus(1)
    assert state.pop_due(now.plus(1))
    assert state.due_pools == set()
    assert state.pop_due(now.plus(5))
    assert state.due_pools == {"a"}
    state.due_pools.clear()
    assert not state.pop_due(now.plus(9))


def test_an_unknown_workload_is_said_to_be_unknown() -> None:
    """With the way out."""
    with pytest.raises(NotFoundError, match="no workload 'ghost'"):
        State().workload("ghost")


def test_a_holder_is_asked_as_soon_as_its_waiver_ends() -> None:
    """Nobody says anything then: the machine wakes by itself, and what it does is what a restarted one would do."""
    right = FirstRefusal(id="rofr", mode="capability", window=Window(6, "hours"))
    paper = Agreement(
        id="ms", parties=("lab", "microsoft"), customer="lab", supplier="microsoft", signed_on=Instant(0),
        clauses=(right,),
    )  # fmt: skip
    bench = Bench(pool("a", tenure="market", price="2"), policy=policy(), agreements=(paper,))
    ends = bench.now.plus(HOUR)
    bench.do(GrantWaiver("w", "ms/rofr", "microsoft", "microsoft", "until", waived_until=ends))
    far = bench.now.plus(9 * HOUR)
    needed = Requirement(8, ("H100-SXM",), far, Duration(HOUR), max_price_micro_usd_per_chip_hour=1)
    bench.do(OpenNeed("n", needed, "lab"))
    assert not bench.state.sourcing.offers
    assert bench.machine.next_due() == ends
    bench.now = ends
    bench.do(Wake())
    assert [offer.right.holder for offer in bench.state.sourcing.offers.values()] == ["microsoft"]
