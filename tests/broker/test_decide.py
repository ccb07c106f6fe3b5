"""What commands are refused and why, and reports that come late, twice or contradict."""

from __future__ import annotations

from typing import Any

import pytest

from stargate.agreements import WorldFact
from stargate.base.errors import ForbiddenError, LimitError, NotFoundError, StateConflictError, UserError
from stargate.broker.command import (
    Cancel,
    Declare,
    DeclareFact,
    MarkSupply,
    Report,
    Scale,
    SetCapacity,
    Submit,
)
from stargate.broker.fact import (
    Accepted,
    Checkpointed,
    Declared,
    Ended,
    Entry,
    FactDeclared,
    Started,
    Stopping,
    SupplyMarked,
)
from stargate.broker.policy import Team
from stargate.catalog import Infrastructure
from tests.broker.world import Bench, infrastructure, policy, pool, work


def running(**changes: Any) -> Bench:
    """One job on one pool, running."""
    bench = Bench(pool("a", **changes), policy=policy())
    bench.submit(work("lm"))
    bench.run("lm.0.1")
    return bench


def refused(bench: Bench, command: Any, kind: type[UserError], says: str) -> None:
    """It is refused for this reason and leaves no trace."""
    before, due = bench.state.digest(), bench.machine.next_due()
    with pytest.raises(kind, match=says):
        bench.do(command)
    assert (bench.state.digest(), bench.machine.next_due()) == (before, due)


@pytest.mark.parametrize(
    ("command", "kind", "says"),
    [
        (Submit("no spaces", work()), UserError, "not a usable id"),
        (Submit("lm", work(nodes=2)), StateConflictError, "exists already and is not the same"),
        (Submit("x", work(chip="B9000")), NotFoundError, "B9000"),
        (Cancel("ghost"), NotFoundError, "no workload 'ghost'"),
        (Scale("lm", 2), StateConflictError, "only services have replicas"),
        (MarkSupply("pool", "ghost", "lost"), NotFoundError, "no pool 'ghost'"),
        (SetCapacity("a", 99), UserError, "never has more than 4"),
        (Declare(Infrastructure(), (), policy()), StateConflictError, "still runs work"),
        (Declare(infrastructure(pool("a", "aws")), (), policy()), StateConflictError, "runs work; its chip"),
    ],
)
def test_what_cannot_be_is_refused(command: Any, kind: type[UserError], says: str) -> None:
    """With the reason, and without a trace."""
    refused(running(), command, kind, says)


def test_limits_and_quotas_refuse_at_the_door() -> None:
    """Open workloads are bounded; teams must be known; replicas have a limit."""
    bench = Bench(pool("a"), policy=policy(max_workloads=2, teams=(Team("red", 64),)))
    refused(bench, Submit("x", work("x", team="blue")), ForbiddenError, "team 'blue' has no quota")
    bench.submit(work("chat", kind="serve", team="red", time_limit=None))
    refused(bench, Scale("chat", -1), LimitError, "-1 replicas")
    bench.submit(work("lm", team="red"))
    refused(bench, Submit("x", work("x", team="red")), LimitError, "2 workloads are open")
    bench.do(Cancel("lm"))
    bench.report("lm.0.1", "stopped")
    bench.submit(work("y", team="red"))


def test_the_same_again_is_no_news() -> None:
    """Submissions, cancellations, marks and declarations may be repeated."""
    bench = running()
    bench.do(MarkSupply("site", "no", "draining"))
    records = bench.state.records
    bench.do(Cancel("lm"))
    for command in (
        Submit("lm", work("lm")),
        Cancel("lm"),
        MarkSupply("site", "no", "draining"),
        Declare(records.infrastructure, records.agreements, records.policy),
    ):
        assert bench.do(command).entries == ()


def test_a_finished_run_cannot_be_cancelled() -> None:
    """Nothing is left to cancel."""
    bench = running()
    bench.report("lm.0.1", "done")
    refused(bench, Cancel("lm"), StateConflictError, "has succeeded already")


@pytest.mark.parametrize("phase", ["accepted", "running", "checkpointed", "done", "failed", "stopped"])
def test_reports_of_what_is_over_or_unknown_bring_nothing(phase: Any) -> None:
    """The journal's word stands."""
    bench = running()
    bench.report("lm.0.1", "done", step=9)
    for attempt in ("lm.0.1", "lm.0.7", "ghost.0.1"):
        assert bench.do(Report(attempt, phase, step=5, failure="user")).entries == ()


def test_repeated_and_late_reports_are_told_once() -> None:
    """Accepted after running, the same step again, a lower step: none is news."""
    bench = running()
    late: tuple[tuple[Any, int | None], ...] = (
        ("accepted", None),
        ("running", 1),
        ("running", 7),
        ("checkpointed", None),
    )
    for phase, step in late:
        assert bench.do(Report("lm.0.1", phase, step=step)).entries == ()
    bench.report("lm.0.1", "checkpointed", step=10)
    assert [fact.step for fact in bench.of(Checkpointed)] == [10]
    for step in (10, 3):
        assert bench.do(Report("lm.0.1", "checkpointed", step=step)).entries == ()


def test_the_first_step_may_be_told_after_the_start() -> None:
    """The engine knows that it runs before the program says from where."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    bench.report("lm.0.1", "running")
    bench.report("lm.0.1", "running", step=41)
    assert [fact.step for fact in bench.of(Started)] == [41]
    assert bench.state.records.attempts["lm.0.1"].first_step == 41


def test_what_stops_may_still_start_and_save() -> None:
    """A stop and a report cross on the way."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    bench.do(Cancel("lm"))
    bench.report("lm.0.1", "accepted")
    assert bench.of(Accepted)
    bench.report("lm.0.1", "running", step=1)
    bench.report("lm.0.1", "checkpointed", step=2)
    bench.report("lm.0.1", "failed", failure="infrastructure")
    assert bench.of(Ended)[0].outcome == "stopped"


def test_a_declaration_that_shrinks_a_pool_stops_what_stood_there() -> None:
    """As a count does; work on the nodes that remain stays."""
    bench = Bench(pool("a"), policy=policy())
    for name in ("one", "two", "three"):
        bench.submit(work(name))
    bench.do(Declare(infrastructure(pool("a", nodes=2)), (), policy()))
    assert [(s.attempt, s.reason) for s in bench.of(Stopping)] == [("three.0.1", "capacity")]
    assert bench.of(Declared)


def test_a_count_outlives_a_declaration() -> None:
    """What an engine counted is believed more than the catalog."""
    bench = Bench(pool("a"), policy=policy())
    bench.do(SetCapacity("a", 1))
    bench.do(Declare(infrastructure(pool("a", nodes=3)), (), policy()))
    assert bench.state.nodes["a"].nodes == 1


def test_facts_of_the_world_go_on_record() -> None:
    """They are kept in the order in which they came."""
    bench = running()
    fact = WorldFact(name="agi", value=True, valid_from=bench.now, recorded_at=bench.now, source="panel")
    bench.do(DeclareFact(fact))
    assert [said.fact for said in bench.of(FactDeclared)] == [fact] == bench.state.records.world_facts


def test_a_drain_stops_each_attempt_once() -> None:
    """Pool, site and provider are drained one after the other; a loss then ends what is left."""
    bench = running()
    scopes: tuple[tuple[Any, str], ...] = (("pool", "a"), ("site", "tx"), ("provider", "azure"))
    for scope, name in scopes:
        bench.do(MarkSupply(scope, name, "draining"))
        assert len(bench.of(Stopping)) == (1 if scope == "pool" else 0)
    bench.do(MarkSupply("pool", "a", "lost"))
    assert [fact.outcome for fact in bench.of(Ended)] == ["lost"]


def test_what_is_drained_and_lost_is_still_drained_when_it_is_back() -> None:
    """Two people said two things: that an engine answers again does not undo what an operator wants."""
    bench = Bench(pool("a", "oracle"), pool("b", "aws", price="9"), policy=policy())
    marks: list[str | None] = []
    for status in ("draining", "lost", "draining", "up", "up"):
        bench.do(MarkSupply("pool", "a", status))
        marks.append(bench.state.records.marks.get("pool:a"))
        bench.submit(work(f"after-{len(marks)}"))
    assert marks == ["draining", "lost", "lost", "draining", None]
    assert [bench.where(f"after-{number}") for number in range(1, 6)] == ["b", "b", "b", "b", "a"]
    assert not bench.state.records.drained


def test_what_is_lost_can_be_drained_before_it_is_back() -> None:
    """It stays lost until then; what it lost is told to stop when it is back."""
    bench = running()
    bench.do(MarkSupply("provider", "azure", "lost"))
    bench.do(MarkSupply("provider", "azure", "draining"))
    assert bench.state.records.marks == {"provider:azure": "lost"}
    bench.do(MarkSupply("provider", "azure", "up"))
    assert bench.state.records.marks == {"provider:azure": "draining"}
    assert [effect.attempt for effect in bench.effects] == ["lm.0.1"]


def test_the_marks_of_an_older_journal_mean_what_they_meant() -> None:
    """There the loss took the place of the draining, and its end left neither."""
    bench = Bench(pool("a"), policy=policy())
    for status in ("draining", "lost", "up"):
        fact = SupplyMarked("pool", "a", status)
        bench.machine.apply(Entry(bench.state.records.seq + 1, bench.now, status, fact))
    assert (bench.state.records.marks, bench.state.records.drained) == ({}, {})
