"""The machine under random commands: whatever comes, in whatever order, the invariants hold."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stargate.agreements.right import Terms
from stargate.base.errors import UserError
from stargate.base.time import HOUR, MINUTE, Duration
from stargate.broker import Policy
from stargate.broker.command import Cancel, MarkSupply, Report, Scale, SetCapacity, Submit, Wake
from stargate.broker.fact import Placed
from stargate.broker.policy import SourcingPolicy, Team
from stargate.broker.queue import decide_queue
from stargate.broker.sourcing.command import AnswerOffer, SubmitQuote, WithdrawNeed
from stargate.workloads import Checkpoint, Resources, Size
from tests.broker.naive import AGREEMENTS, breaches, overlooked
from tests.broker.world import PROVIDERS, START, Bench, derived, policy, pool, work

POOLS = (
    pool("own", "azure", "wi", tenure="owned", nodes=2),
    pool("big", "oracle", "tx", price="2", nodes=6, block_nodes=3),
    pool("far", "aws", "no", price="1", nodes=4, fabric="rail"),
    pool("new", "oracle", "tx", tenure="market", price="3", nodes=8),
    pool("next", "aws", "tx", tenure="market", price="4", nodes=8),
    pool("more", "azure", "wi", tenure="market", price="5", nodes=8),
)
POLICY = Policy(
    lab="lab",
    teams=(Team("red", 64), Team("blue", 32, borrowing_limit_chips=32)),
    sourcing=SourcingPolicy(start_within=Duration(2 * HOUR)),
)
SUPPLY = st.sampled_from(
    [("provider", name) for name in PROVIDERS]
    + [("site", "tx"), ("pool", "own"), ("pool", "big"), ("pool", "new")]
)


class BrokerUnderFire(RuleBasedStateMachine):
    """Users, engines, providers and the clock, all at random."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(*POOLS, policy=POLICY, agreements=AGREEMENTS)
        self.names: list[str] = []

    def attempt(self, command: Any) -> None:
        """Handle it; a refusal must leave no trace."""
        before = self.bench.state.digest()
        try:
            self.bench.do(command)
        except UserError:
            assert self.bench.state.digest() == before

    @rule(  # drawn by name
        nodes=st.sampled_from([1, 1, 2, 3, 7, 9]),
        chips=st.sampled_from([8, 8, 4, 1]),
        team=st.sampled_from(["red", "blue", "none"]),
        priority=st.sampled_from([-10, 0, 0, 50]),
        kind=st.sampled_from(["train", "train", "batch", "serve"]),
        product=st.sampled_from(["", "", "api", "secret"]),
        home=st.booleans(),
        limit=st.sampled_from([None, 5 * MINUTE, HOUR, 30 * HOUR]),
        saves=st.booleans(),
        preemptible=st.booleans(),
        hurry=st.booleans(),
    )
    def submit(
        self,
        *,
        nodes: int, chips: int, team: str, priority: int, kind: Any, product: str, home: bool,
               limit: int | None, saves: bool, preemptible: bool, hurry: bool) -> None:  # fmt: skip
        """Somebody wants something."""
        name = f"w{len(self.names)}"
        self.names.append(name)
        workload = work(
            name, nodes, chips_per_node=chips, team=team, priority=priority, kind=kind, product=product,
            residency=("US",) if home else (), time_limit=None if limit is None else Duration(limit),
            checkpoint=Checkpoint(path="c") if saves else None, preemptible=preemptible,
            replicas=2 if kind == "serve" else 1, max_restarts=1, max_recoveries=3,
            deadline=self.bench.now.plus(2 * HOUR) if hurry else None,
        )  # fmt: skip
        self.attempt(Submit(name, workload))

    @rule(
        sizes=st.lists(
            st.builds(
                lambda nodes, chips, hours, fabrics: Size(
                    resources=Resources(chip="H100", chips_per_node=chips),
                    nodes=nodes,
                    duration=Duration(hours * HOUR),
                    fabrics=fabrics,
                ),
                st.sampled_from([1, 2, 3, 7]),
                st.sampled_from([8, 8, 2]),
                st.sampled_from([0, 1, 5, 30]),
                st.sampled_from([(), (), ("rail",), ("", "rail")]),
            ),
            min_size=1,
            max_size=4,
        ),
        priority=st.sampled_from([-10, 0, 50]),
        hurry=st.booleans(),
        ordered=st.booleans(),
        saves=st.booleans(),
    )
    def submit_sized(
        self, sizes: list[Size], priority: int, *, hurry: bool, ordered: bool, saves: bool
    ) -> None:
        """Somebody stated the work, and it was sized."""
        name = f"w{len(self.names)}"
        self.names.append(name)
        workload = work(
            name, team="red", priority=priority, time_limit=None, sizes=tuple(sizes), ordered=ordered, max_recoveries=3,
            checkpoint=Checkpoint(path="c") if saves else None,
            deadline=self.bench.now.plus(6 * HOUR) if hurry else None,
        )  # fmt: skip
        self.attempt(Submit(name, workload))

    @precondition(lambda self: self.bench.state.records.attempts)
    @rule(
        data=st.data(),
        phase=st.sampled_from(["accepted", "running", "checkpointed", "done", "failed", "stopped"]),
        failure=st.sampled_from([None, "no_capacity", "preempted", "infrastructure", "user"]),
        step=st.sampled_from([None, 1, 5, 50]),
    )
    def report(self, data: st.DataObject, phase: Any, failure: Any, step: int | None) -> None:
        """An engine says something about some attempt, true or not."""
        attempts = self.bench.state.records.attempts
        recent = list(attempts)[-12:]
        self.attempt(Report(data.draw(st.sampled_from(recent)), phase, failure=failure, step=step))

    @precondition(lambda self: self.names)
    @rule(data=st.data(), replicas=st.integers(0, 3), cancel=st.booleans())
    def change_mind(self, data: st.DataObject, replicas: int, cancel: bool) -> None:
        """Owners cancel and scale."""
        name = data.draw(st.sampled_from(self.names))
        self.attempt(Cancel(name) if cancel else Scale(name, replicas))

    @rule(supply=SUPPLY, status=st.sampled_from(["up", "up", "lost", "draining"]))
    def mark(self, supply: tuple[Any, str], status: Any) -> None:
        """Providers fail, come back, are drained."""
        self.attempt(MarkSupply(supply[0], supply[1], status))

    @rule(name=st.sampled_from(["own", "big"]), nodes=st.integers(0, 7))
    def count(self, name: str, nodes: int) -> None:
        """An engine counts nodes."""
        self.attempt(SetCapacity(name, nodes))

    @rule(duration=st.sampled_from([0, MINUTE, 30 * MINUTE, HOUR, 26 * HOUR]))
    def time_passes(self, duration: int) -> None:
        """The clock goes on, and wakes the machine."""
        self.bench.wait(duration)
        self.attempt(Wake())

    @precondition(lambda self: self.bench.state.sourcing.offers)
    @rule(data=st.data(), answer=st.sampled_from(["accept", "partial", "decline", "cannot_meet", "waive"]))
    def answer(self, data: st.DataObject, answer: Any) -> None:
        """The holder answers an offer."""
        offer = data.draw(st.sampled_from(list(self.bench.state.sourcing.offers)))
        self.attempt(
            AnswerOffer(
                offer, answer, "microsoft", chips=8 if answer == "partial" else None,
                unmet=("chips",) if answer == "cannot_meet" else (),
            )
        )  # fmt: skip

    @precondition(lambda self: self.bench.state.sourcing.needs)
    @rule(data=st.data(), price=st.integers(1, 6), withdraw=st.booleans())
    def quote(self, data: st.DataObject, price: int, withdraw: bool) -> None:
        """A provider quotes, or the buyer gives up."""
        need = data.draw(st.sampled_from(list(self.bench.state.sourcing.needs)))
        if withdraw:
            self.attempt(WithdrawNeed(need, "changed plans"))
            return
        wanted = self.bench.state.sourcing.needs[need].requirement
        terms = Terms(wanted.chips, price * 1_000_000, self.bench.now, wanted.duration, "H100-SXM", "US-TX")
        self.attempt(SubmitQuote(f"q{len(self.bench.entries)}", need, "aws", "next", terms))

    @invariant()
    def nothing_is_breached(self) -> None:
        """The naive judge finds nothing."""
        assert breaches(self.bench.state, self.bench.entries) == []

    @invariant()
    def nothing_is_left_undone(self) -> None:
        """A look at the whole queue finds no more than the short look at the newcomers did."""
        state = self.bench.state
        rest, state.at_rest = state.at_rest, None
        assert decide_queue(state, state.clock) == ()
        state.at_rest = rest

    @invariant()
    def nothing_due_is_missed(self) -> None:
        """The machine asks to be woken no later than the first date that concerns it."""
        assert overlooked(self.bench.machine, self.bench.now) == []

    def teardown(self) -> None:
        """Replaying the facts gives the same state, and so does a snapshot."""
        state = self.bench.state
        again = type(state).unpack(state.pack())
        replayed = self.bench.replayed()
        assert replayed.digest() == again.digest() == state.digest()
        assert derived(replayed) == derived(again) == derived(state)


TestBrokerUnderFire = BrokerUnderFire.TestCase
TestBrokerUnderFire.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_repeated_command_is_answered_not_repeated() -> None:
    """The same id is the same command, whatever happened in between."""
    bench = Bench(pool("a"), policy=policy())
    first = bench.do(Submit("lm", work("lm")), "key-1")
    assert [type(e.fact) for e in first.entries][-1] is Placed
    again = bench.do(Submit("lm", work("lm")), "key-1")
    assert again.entries == ()
    assert again.repeated_seq == first.entries[-1].seq


def test_a_clock_that_is_set_back_does_not_turn_history_around() -> None:
    """Entries are dated in order; what is timed is timed by the latest clock seen."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    bench.wait(-HOUR)
    bench.run("lm.0.1")
    dates = [entry.at for entry in bench.entries]
    assert dates == sorted(dates)
    assert bench.state.records.attempts["lm.0.1"].started_at == START


def test_reports_of_progress_look_at_nothing() -> None:
    """What an engine says of running work lets nothing else start, and costs no pass over the queue."""
    bench = Bench(pool("a", nodes=1), policy=policy())
    for name in ("lm", "waits"):
        bench.submit(work(name))
    rest = bench.state.at_rest
    assert rest is not None
    bench.run("lm.0.1")
    bench.report("lm.0.1", "checkpointed", step=3)
    assert bench.state.at_rest is rest


def test_a_newcomer_that_ranks_first_is_not_taken_for_one_behind() -> None:
    """The short look at newcomers gives way to a whole one."""
    bench = Bench(pool("a", nodes=2), policy=policy(preemption=False))
    bench.submit(work("running"))
    bench.submit(work("head", nodes=2))
    bench.submit(work("long", time_limit=Duration(9 * HOUR)))
    assert bench.where("long") == ""
    bench.submit(work("urgent", priority=5, time_limit=Duration(9 * HOUR)))
    assert bench.where("urgent") == "a"
