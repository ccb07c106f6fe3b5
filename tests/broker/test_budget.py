"""Budgets of teams: a fact says that one is spent; new work waits, what has begun goes on."""

from __future__ import annotations

from stargate.agreements import WorldFact
from stargate.base.time import DAY
from stargate.broker import explain
from stargate.broker.budget import OVER_BUDGET, WITHIN
from stargate.broker.command import DeclareFact
from stargate.broker.policy import SourcingPolicy
from tests.broker.world import Bench, derived, policy, pool, work


def say(bench: Bench, team: str, value: str) -> None:
    """The ledger says how a team stands."""
    name = f"{OVER_BUDGET}{team}"
    source = "$1,002.50 of $1,000.00 spent"
    bench.do(DeclareFact(WorldFact(name=name, value=value, valid_from=bench.now, source=source)))


def test_new_work_of_a_team_whose_budget_is_spent_waits() -> None:
    """Others start beside it; a later fact of the team lets it start too."""
    bench = Bench(pool("a"))
    say(bench, "red", "2026-01")
    bench.submit(work("red1", team="red"))
    bench.submit(work("blue1", team="blue"))
    assert [bench.where(name) for name in ("red1", "blue1")] == ["", "a"]
    say(bench, "red", WITHIN)
    assert bench.where("red1") == "a"


def test_explain_names_budget_month_spent_and_the_way_out() -> None:
    """It is not a question of places: they are judged beside it."""
    bench = Bench(pool("a"))
    say(bench, "red", "2026-01")
    bench.submit(work("red1", team="red"))
    found = explain(bench.state, "red1", 0, bench.now)
    assert found.summary == (
        "team red has spent its budget of 2026-01 ($1,002.50 of $1,000.00 spent): what has begun goes on, and new work"
        " waits for the next month, or until `stargate budget set red --limit-usd N` raises it"
    )
    assert found.grounds[0].facts == ("over_budget/red=2026-01",)
    assert found.candidates[0].verdict == "best"


def test_what_has_begun_goes_on() -> None:
    """It runs, and after a failure of the infrastructure it is taken up again."""
    bench = Bench(pool("a"), pool("b", "oracle"))
    bench.submit(work("red1", team="red"))
    bench.run("red1.0.1")
    say(bench, "red", "2026-01")
    assert bench.where("red1") == "a"
    bench.report("red1.0.1", "failed", failure="infrastructure")
    bench.wait(DAY)
    bench.submit(work("other"))
    assert bench.where("red1") != ""


def test_a_new_month_begins_anew() -> None:
    """The fact speaks of its month alone."""
    bench = Bench(pool("a"))
    say(bench, "red", "2026-01")
    bench.submit(work("red1", team="red"))
    bench.wait(31 * DAY)
    bench.submit(work("red2", team="red"))
    assert bench.where("red2") == "a"
    assert explain(bench.state, "red1", 0, bench.now).grounds == ()


def test_nothing_is_bought_for_it() -> None:
    """Work that may not start needs no capacity."""
    rules = policy(sourcing=SourcingPolicy(automatic=True))
    bench = Bench(pool("m", "aws", tenure="market"), policy=rules)
    say(bench, "red", "2026-01")
    bench.submit(work("red1", team="red"))
    assert not bench.state.sourcing.needs
    bench.submit(work("blue1", team="blue"))
    assert bench.state.sourcing.needs


def test_a_replay_knows_it() -> None:
    """What is derived from facts as they come is what is derived from all of them."""
    bench = Bench(pool("a"))
    say(bench, "red", "2026-01")
    bench.submit(work("red1", team="red"))
    assert derived(bench.replayed()) == derived(bench.state)
