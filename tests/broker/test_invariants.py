"""The judge of every other test: it must see what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stargate.broker.invariants import violations
from stargate.broker.state import State
from tests.broker.world import Bench, policy, pool, work


def sound() -> State:
    """Two jobs run, one waits."""
    bench = Bench(pool("a", nodes=3), policy=policy())
    for name, nodes in (("one", 1), ("two", 2), ("waits", 3)):
        bench.submit(work(name, nodes))
    return bench.state


def double(state: State) -> None:
    state.records.attempts["one.0.1"].nodes = (1,)


def tear(state: State) -> None:
    state.records.attempts["two.0.1"].nodes = (1,)


def orphan(state: State) -> None:
    state.records.workloads["one"].slots[0].status = "waiting"


def rename(state: State) -> None:
    state.records.workloads["one"].slots[0].attempt = "one.0.9"


def finish(state: State) -> None:
    state.records.workloads["waits"].status = "failed"


def drop(state: State) -> None:
    state.queue.clear()


def miscount(state: State) -> None:
    state.chips_in_use += 1


def leak(state: State) -> None:
    state.nodes["a"].give((0,), 8)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (double, "node 1 of a carries 16 chips"),
        (tear, "holds 1 nodes of a gang of 2"),
        (orphan, "one slot 0 is waiting but its attempt says otherwise"),
        (rename, "names one.0.9, not one.0.1"),
        (finish, "waits has ended and slot 0 is waiting"),
        (drop, "the queue is not the set of waiting slots"),
        (miscount, "24 chips are in use, 25 are counted"),
        (leak, "a marks other nodes as used"),
    ],
)
def test_a_broken_state_is_seen(spoil: Callable[[State], None], says: str) -> None:
    """One thing wrong, and it is named."""
    state = sound()
    assert violations(state) == []
    spoil(state)
    assert any(says in violation for violation in violations(state))
