"""Effects: what is asked of engines, under which ids, and again after a restart."""

from __future__ import annotations

import pytest

from stargate.agreements import Agreement
from stargate.agreements.clause.access import FirstRefusal
from stargate.agreements.right import Requirement, Window
from stargate.base.time import HOUR, SECOND, Duration, Instant
from stargate.broker import Machine, Notify, StartAttempt, State, StopAttempt, evolve
from stargate.broker.command import Cancel, MarkSupply
from stargate.broker.sourcing.command import OpenNeed
from tests.broker.world import Bench, policy, pool, work


def test_a_placement_asks_for_a_start_and_a_stop_for_a_stop() -> None:
    """Ids are the number of the entry that asked; the stop has its grace."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm", nodes=2))
    (start,) = bench.effects
    assert isinstance(start, StartAttempt)
    assert (start.id, start.attempt, start.nodes, start.number) == ("3.0", "lm.0.1", (0, 1), 1)
    bench.do(Cancel("lm"))
    (stop,) = bench.effects
    assert isinstance(stop, StopAttempt)
    assert (stop.attempt, stop.reason, stop.grace) == ("lm.0.1", "cancelled", 30 * SECOND)


def test_what_is_outstanding_is_asked_again_under_the_same_ids() -> None:
    """After a restart from a snapshot: one start, one stop; what is over is not mentioned."""
    bench = Bench(pool("a"), policy=policy())
    asked = {}
    for name in ("runs", "stops", "over"):
        bench.submit(work(name))
        asked[name] = bench.effects[0]
    bench.do(Cancel("stops"))
    asked["stops"] = bench.effects[0]
    bench.report("over.0.1", "done")
    again = Machine(State.unpack(bench.state.pack())).outstanding()
    assert list(again) == [asked["runs"], asked["stops"]]


def test_parties_are_told_again_what_they_were_told_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a replay as after a snapshot, under the same ids; of very many the oldest are left out."""
    right = FirstRefusal(id="rofr", mode="capability", window=Window(6, "hours"))
    paper = Agreement(
        id="ms", parties=("lab", "microsoft"), customer="lab", supplier="microsoft", signed_on=Instant(0),
        clauses=(right,),
    )  # fmt: skip
    bench = Bench(pool("a", tenure="market"), policy=policy(), agreements=(paper,))
    needed = Requirement(8, ("H100-SXM",), bench.now.plus(9 * HOUR), Duration(HOUR))
    told = []
    for number in range(3):
        bench.do(OpenNeed(f"n{number}", needed, "lab"))
        told += bench.effects
    assert [(type(one), one.party) for one in told] == [(Notify, "microsoft")] * 3
    for state in (State.unpack(bench.state.pack()), bench.replayed()):
        assert list(Machine(state).outstanding()) == told
    monkeypatch.setattr(evolve, "NOTICES_LIMIT", 2)
    bench.do(OpenNeed("n3", needed, "lab"))
    assert list(bench.machine.outstanding()) == [told[-1], *bench.effects]


def test_what_was_lost_is_told_to_stop_at_once_and_once_more_when_its_supply_is_back() -> None:
    """It must not go on beside its successor; after that it is not told again, also not after a restart."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws"), policy=policy())
    bench.submit(work("lm"))
    bench.do(MarkSupply("provider", "oracle", "lost"))
    fence, start = bench.effects
    assert isinstance(fence, StopAttempt)
    assert (fence.attempt, fence.reason, fence.grace) == ("lm.0.1", "lost", 0)
    assert isinstance(start, StartAttempt)
    bench.machine.state = State.unpack(bench.state.pack())
    bench.do(MarkSupply("provider", "oracle", "up"))
    assert [effect.attempt for effect in bench.effects] == ["lm.0.1"]
    bench.do(MarkSupply("provider", "oracle", "draining"))
    bench.do(MarkSupply("provider", "oracle", "up"))
    assert bench.effects == []


def test_only_the_scope_that_is_back_is_told() -> None:
    """A site that comes back says nothing of another site's lost work."""
    bench = Bench(pool("a", "oracle", "tx"), pool("b", "oracle", "wi"), policy=policy())
    for name in range(5):
        bench.submit(work(f"j{name}"))
    for site in ("tx", "wi"):
        bench.do(MarkSupply("site", site, "lost"))
    bench.do(MarkSupply("site", "wi", "up"))
    fenced = [effect.attempt for effect in bench.effects if isinstance(effect, StopAttempt)]
    pools = {bench.state.records.attempts[name].pool for name in fenced}
    assert pools == {"b"}
