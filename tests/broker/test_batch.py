"""Commands that come together: each keeps its own facts, a refused one refuses itself, the queue is looked at once."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import UserError
from stargate.base.time import HOUR, MINUTE, Duration, Instant
from stargate.broker import Envelope, Machine, Outcome
from stargate.broker.command import Cancel, Command, MarkSupply, Report, SetCapacity, Submit, Wake
from stargate.broker.fact import Ended, Entry, Placed, Submitted, WorkloadEnded
from stargate.broker.invariants import violations
from stargate.broker.policy import SourcingPolicy, Team
from stargate.broker.queue import decide_queue, queue_steps
from tests.broker.naive import AGREEMENTS, breaches
from tests.broker.world import START, Bench, derived, policy, pool, work


def together(bench: Bench, *commands: Command) -> tuple[Outcome | UserError, ...]:
    """Handle the commands as one batch, under the ids b1, b2, …"""
    envelopes = [Envelope(f"b{number}", bench.now, one) for number, one in enumerate(commands, start=1)]
    answers = bench.machine.handle_all(envelopes)
    for answer in answers:
        if isinstance(answer, Outcome):
            bench.entries += answer.entries
    assert violations(bench.state) == []
    return answers


def kinds(answer: Outcome | UserError) -> list[type]:
    """The kinds of an answer's facts."""
    assert isinstance(answer, Outcome)
    return [type(entry.fact) for entry in answer.entries]


def test_each_command_is_the_cause_of_its_facts_and_the_last_of_what_follows() -> None:
    bench = Bench(pool("a", nodes=1), policy=policy())
    bench.submit(work("old"))
    bench.run("old.0.1")
    answers = together(
        bench, Report("old.0.1", "done"), Submit("new", work("new")), Submit("next", work("next"))
    )
    assert [kinds(answer) for answer in answers] == [[Ended, WorkloadEnded], [Submitted], [Submitted, Placed]]
    for number, answer in enumerate(answers, start=1):
        assert isinstance(answer, Outcome)
        assert {entry.cause for entry in answer.entries} == {f"b{number}"}
    assert bench.where("new") == "a"
    assert bench.replayed().digest() == bench.state.digest()


def test_a_refused_command_refuses_only_itself() -> None:
    bench = Bench(pool("a"), policy=policy())
    first, refused, last = together(bench, Submit("a", work("a")), Cancel("nobody"), Submit("b", work("b")))
    assert isinstance(refused, UserError)
    assert kinds(first) == [Submitted]
    assert kinds(last) == [Submitted, Placed, Placed]


def test_what_follows_belongs_to_the_last_that_was_taken() -> None:
    bench = Bench(pool("a"), policy=policy())
    taken, refused = together(bench, Submit("a", work("a")), Cancel("nobody"))
    assert isinstance(refused, UserError)
    assert kinds(taken) == [Submitted, Placed]


def test_a_batch_of_refusals_changes_nothing() -> None:
    bench = Bench(pool("a"), policy=policy())
    before = bench.state.digest()
    answers = together(bench, Cancel("nobody"), Cancel("nobody else"))
    assert all(isinstance(answer, UserError) for answer in answers)
    assert bench.state.digest() == before


def test_the_same_id_twice_in_a_batch_is_done_once() -> None:
    bench = Bench(pool("a"), policy=policy())
    same = Envelope("key", bench.now, Submit("a", work("a")))
    first, again = bench.machine.handle_all([same, same])
    assert isinstance(first, Outcome)
    assert isinstance(again, Outcome)
    assert again.entries == ()
    assert again.repeated_seq == first.entries[0].seq


def test_an_order_that_lets_the_last_of_a_batch_go_first() -> None:
    """One look at all: who ranks first gets the node, not who was handed in first."""
    bench = Bench(pool("a", nodes=1), policy=policy())
    together(bench, Submit("low", work("low")), Submit("high", work("high", priority=5)))
    assert (bench.where("low"), bench.where("high")) == ("", "a")


def test_nothing_at_all_is_answered_with_nothing() -> None:
    assert Machine().handle_all([]) == ()


def test_room_that_is_being_made_is_kept_whatever_seems_free_sooner_elsewhere() -> None:
    """What is overdue on one pool may run on for ever; what stops on the other makes the room."""
    bench = Bench(pool("a", tenure="owned", nodes=2), pool("b", "oracle", nodes=2), policy=policy())
    for name, where, nodes, chips in (("overdue", "a", 1, 8), ("goes", "a", 1, 8), ("spread", "b", 2, 4)):
        bench.submit(work(name, nodes, pool=where, chips_per_node=chips))
    bench.wait(2 * HOUR)
    small = work("small", 2, chips_per_node=4)
    answers = together(
        bench,
        Cancel("goes"),
        Cancel("spread"),
        Submit("head", work("head", 2, priority=7)),
        Submit("small", small),
    )
    assert kinds(answers[-1]) == [Submitted]
    bench.report("spread.0.1", "stopped")
    assert (bench.where("head"), bench.where("small")) == ("b", "")


COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "submit", "submit", "done", "failed", "cancel", "mark", "count", "wake"]),
        st.integers(0, 20),
        st.sampled_from([1, 1, 2, 3, 5]),
        st.sampled_from([8, 8, 4, 1]),
        st.sampled_from([5 * MINUTE, HOUR, 30 * HOUR]),
        st.sampled_from([-5, 0, 0, 7]),
        st.sampled_from(["red", "blue"]),
    ),
    min_size=1,
    max_size=25,
)
POLICIES = st.sampled_from(
    [
        policy(),
        policy(backfill="none"),
        policy(order="srtf", backfill="none"),
        policy(order="sjf"),
        policy(order="fifo", preemption=False, backfill_depth=2),
        policy(teams=(Team("red", 24), Team("blue", 16))),
        policy(sourcing=SourcingPolicy()),
    ]
)


def command(bench: Bench, drawn: tuple[Any, ...], number: int) -> Command:
    """A drawn command, about whatever there is."""
    kind, which, nodes, chips, limit, priority, team = drawn
    attempts, names = list(bench.state.records.attempts), list(bench.state.records.workloads)
    if kind in {"done", "failed"} and attempts:
        return Report(attempts[which % len(attempts)], kind)
    if kind == "cancel" and names:
        return Cancel(names[which % len(names)])
    if kind == "mark":
        return MarkSupply("pool", "b", ("up", "lost", "draining")[which % 3])
    if kind == "count":
        return SetCapacity("a", which % 5)
    if kind == "wake":
        return Wake()
    name = f"w{number}"
    changes: dict[str, Any] = {"chips_per_node": chips, "priority": priority, "team": team}
    return Submit(name, work(name, nodes, time_limit=Duration(limit), **changes))


@settings(max_examples=150, deadline=None)
@given(batches=st.lists(COMMANDS, min_size=1, max_size=6), chosen=POLICIES)
def test_whatever_comes_together_the_invariants_hold_and_nothing_is_left_undone(
    batches: list[list[tuple[Any, ...]]], chosen: Any
) -> None:
    """Facts are gapless and replay to the same state; a look at the whole queue finds nothing more."""
    bench = Bench(
        pool("a", tenure="owned"), pool("b", "oracle", nodes=3), policy=chosen, agreements=AGREEMENTS
    )
    numbers = count()
    for batch in batches:
        bench.wait(17 * MINUTE)
        envelopes = []
        for drawn in batch:
            number = next(numbers)
            envelopes.append(Envelope(f"e{number}", bench.now, command(bench, drawn, number)))
        for envelope, answer in zip(envelopes, bench.machine.handle_all(envelopes), strict=True):
            if isinstance(answer, Outcome):
                assert {entry.cause for entry in answer.entries} <= {envelope.id}
                bench.entries += answer.entries
        state = bench.state
        assert violations(state) == []
        rest, state.at_rest = state.at_rest, None
        assert decide_queue(state, state.clock) == ()
        state.at_rest = rest
    assert breaches(bench.state, bench.entries) == []
    replayed = bench.replayed()
    assert replayed.digest() == bench.state.digest()
    assert derived(replayed) == derived(bench.state)


@settings(max_examples=150, deadline=None)
@given(batch=COMMANDS, later=COMMANDS, chosen=POLICIES)
def test_a_pass_decides_the_same_tried_or_applied(
    batch: list[tuple[Any, ...]], later: list[tuple[Any, ...]], chosen: Any
) -> None:
    """What is decided on trial, and taken back, is what is decided step by step."""
    chosen = policy(**{name: getattr(chosen, name) for name in ("order", "backfill", "preemption", "teams")})
    bench = Bench(pool("a", tenure="owned"), pool("b", "oracle", nodes=3), policy=chosen)
    for number, drawn in enumerate(batch):
        bench.machine.handle_all([Envelope(f"e{number}", bench.now, command(bench, drawn, number))])
    bench.wait(HOUR)
    state = bench.state
    for number, drawn in enumerate(later, start=len(batch)):
        one = command(bench, drawn, number)
        if isinstance(one, Submit) and one.id not in state.records.workloads:
            _applied(bench, Submitted(one.id, one.workload, ""))
    state.at_rest = None
    before = state.digest()
    tried = decide_queue(state, bench.now)
    assert state.digest() == before
    assert [_applied(bench, fact) for fact in queue_steps(state, bench.now)] == list(tried)


def _applied(bench: Bench, fact: Any) -> Any:
    """The fact, after it has happened."""
    records = bench.state.records
    bench.machine.apply(Entry(records.seq + 1, Instant(max(records.at, START)), "test", fact))
    return fact
