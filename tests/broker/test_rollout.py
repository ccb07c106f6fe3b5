"""Versions of a service: what is placed is the newest, what runs goes on, and what fails is what it was before."""

from __future__ import annotations

from typing import Any

import pytest

from stargate.base.errors import NotFoundError, StateConflictError
from stargate.base.time import MINUTE
from stargate.broker.command import Cancel, EndRollout, Replace, Revise, Scale, Submit
from stargate.broker.effect import StartAttempt
from stargate.broker.fact import Requeued, Revised, RolloutEnded, Scaled, Stopping, WorkloadEnded
from stargate.broker.rollout import ROLLER
from stargate.workloads import Rollout, Service, Workload
from tests.broker.world import Bench, pool, work


def service(run: str = "one", replicas: int = 2, **changes: Any) -> Workload:
    bounds = Service(min_replicas=replicas, max_replicas=replicas)
    return work(
        "chat",
        kind="serve",
        replicas=replicas,
        service=bounds,
        checkpoint=None,
        time_limit=None,
        run=run,
        **changes,
    )


def served(replicas: int = 2) -> Bench:
    """A service that runs, with room beside it."""
    it = Bench(pool("p", nodes=8))
    it.submit(service(replicas=replicas))
    for number in range(replicas):
        it.run(f"chat.{number}.1")
    return it


def current(it: Bench) -> Workload:
    return it.state.records.workloads["chat"].workload


def revised(it: Bench, to: Workload) -> None:
    it.do(Revise("chat", to, "somebody"))


def started(it: Bench) -> list[str]:
    """What each replica that the last command started runs."""
    return [effect.workload.run for effect in it.effects if isinstance(effect, StartAttempt)]


def test_what_runs_goes_on_and_what_starts_is_new() -> None:
    it = served()
    revised(it, service("two"))
    (fact,) = it.of(Revised)
    assert (fact.replicas, fact.actor) == (2, "somebody")
    assert fact.grounds[0].says == "a new version by somebody: run"
    assert not it.of(Stopping)
    assert current(it).rollout == Rollout(it.state.records.seq, service(), 2)
    it.do(Scale("chat", 3, ROLLER))
    assert started(it) == ["two"]
    (effect,) = [effect for effect in it.effects if isinstance(effect, StartAttempt)]
    assert effect.workload == service("two"), "engines are told nothing of the version before"
    it.do(Replace("chat.1.1", "replaced", "a new version takes its place"))
    (stopping,) = it.of(Stopping)
    assert (stopping.attempt, stopping.reason) == ("chat.1.1", "replaced")
    it.report("chat.1.1", "stopped")
    assert started(it) == ["two"]
    assert it.replayed().digest() == it.state.digest()


def test_a_roll_out_that_is_done_leaves_the_number_as_it_was() -> None:
    it = served(1)
    revised(it, service("two", 1))
    it.do(Scale("chat", 2, ROLLER))
    it.run("chat.1.1")
    it.do(Replace("chat.0.1", "replaced"))
    it.report("chat.0.1", "stopped")
    it.run("chat.0.2")
    it.do(EndRollout("chat", "done", "all answer"))
    assert [type(fact) for fact in it.facts] == [RolloutEnded, Scaled, Stopping]
    assert it.of(Stopping)[0].attempt == "chat.1.1"
    assert current(it) == service("two", 1)
    it.report("chat.1.1", "stopped")
    assert not it.of(Requeued)
    assert it.where("chat", 0) == "p"
    assert it.replayed().digest() == it.state.digest()


def test_one_that_fails_is_what_it_was_before() -> None:
    it = served()
    revised(it, service("two"))
    it.do(Scale("chat", 3, ROLLER))
    it.do(Replace("chat.1.1", "replaced"))
    it.report("chat.1.1", "stopped")
    it.do(EndRollout("chat", "failed", "it does not answer"))
    assert {fact.attempt: fact.reason for fact in it.of(Stopping)} == {
        "chat.1.2": "replaced", "chat.2.1": "scaled_down",
    }  # fmt: skip
    assert current(it) == service()
    it.report("chat.2.1", "stopped")
    it.report("chat.1.2", "stopped")
    assert started(it) == ["one"]
    it.do(EndRollout("chat", "done"))
    assert it.facts == []
    assert it.replayed().digest() == it.state.digest()


def test_a_version_on_top_of_another_still_goes_back_to_what_was_good() -> None:
    it = served()
    revised(it, service("two"))
    revised(it, service("three"))
    it.do(EndRollout("chat", "failed"))
    assert current(it) == service("one")
    revised(it, service("two"))
    revised(it, service("one"))
    assert it.of(Revised), "back again is a version like any other"


def test_the_same_again_is_nothing_new() -> None:
    it = served()
    revised(it, service())
    assert it.facts == []
    revised(it, service("two"))
    revised(it, service("two"))
    assert it.facts == []
    it.do(Submit("chat", service("two"), "tester"))
    assert it.facts == [], "submitted again it is the same submission"


def test_waiting_replicas_wait_on_as_the_new_version() -> None:
    it = Bench(pool("p", nodes=1))
    it.submit(service(replicas=3))
    it.run("chat.0.1")
    revised(it, service("two", 3))
    assert it.where("chat", 1) == ""
    it.do(Replace("chat.0.1", "replaced"))
    it.report("chat.0.1", "stopped")
    assert started(it) == ["two"]
    it.do(Cancel("chat"))
    it.report("chat.0.2", "stopped")
    assert it.of(WorkloadEnded)
    it.do(EndRollout("chat", "done"))
    assert it.facts == []


def test_bounds_of_the_new_version_hold() -> None:
    it = served()
    revised(it, service("two", 3))
    assert it.of(Revised)[0].replicas == 3
    revised(it, service("two", 1))
    assert it.of(Revised)[0].replicas == 1


@pytest.mark.parametrize(
    "changes",
    [{"team": "other"}, {"nodes": 2}, {"priority": 9}, {"kind": "train", "service": None, "replicas": 1}],
)
def test_what_would_be_another_service_is_refused(changes: dict[str, Any]) -> None:
    it = served()
    to = work("chat", **{"kind": "serve", "replicas": 2, "service": Service(2, 2), **changes})
    with pytest.raises(StateConflictError):
        revised(it, to)


def test_only_services_that_go_on_have_versions() -> None:
    it = served()
    it.submit(work("job"))
    for command in (Revise("job", service()), Replace("job.0.1", "replaced")):
        with pytest.raises(StateConflictError):
            it.do(command)
    with pytest.raises(NotFoundError):
        it.do(Replace("chat.9.9", "replaced"))
    it.do(Cancel("chat"))
    with pytest.raises(StateConflictError):
        revised(it, service("two"))


def test_nobody_scales_a_service_while_it_is_rolled_out() -> None:
    it = served()
    revised(it, service("two"))
    with pytest.raises(StateConflictError, match="is being rolled out"):
        it.do(Scale("chat", 5, "somebody"))
    it.do(EndRollout("chat", "failed"))
    it.do(Scale("chat", 1, "somebody"))
    assert it.of(Scaled)


def test_one_that_does_not_answer_is_started_again_later_and_later() -> None:
    it = served(1)
    waits = []
    for count in range(1, 5):
        it.do(Replace(f"chat.0.{count}", "unready", "it has not answered for a minute"))
        assert it.of(Stopping)[0].grounds[0].says == "it has not answered for a minute"
        it.report(f"chat.0.{count}", "stopped")
        (requeued,) = it.of(Requeued)
        assert requeued.counts == "restart"
        waits.append(requeued.not_before - it.now)
        it.wait(60 * MINUTE)
        it.do(Scale("chat", 1))  # somebody says something: the machine looks at its queue
        it.submit(work(f"job{count}"))
        it.run(f"chat.0.{count + 1}")
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


def test_a_replica_that_goes_already_is_left_alone() -> None:
    it = served()
    it.do(Scale("chat", 1))
    it.do(Replace("chat.1.1", "unready"))
    assert it.facts == []
