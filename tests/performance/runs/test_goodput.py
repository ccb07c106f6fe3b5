"""Goodput: closed forms against a simulation of single events, published figures, and what must always hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.number import ARRAY, SCALAR, stack
from stargate.performance.runs.goodput import Conditions, first_order, goodput
from stargate.performance.runs.spares import shortage

PARTS = ("fraction", "stall", "lost_work", "restart", "shortage", "provider_loss", "corruption")
HOUR = 3_600.0
RUNS = 24
"""Independent simulations of one case: their spread gives the error of their mean."""
CHANCE = 4.0
"""Standard errors by which a mean may miss: 1 in 16,000 by chance, and the seeds are fixed."""


class Simulation:
    """One long run, event by event: it steps through segments, and forgets what an interruption takes.

    Written apart from the formulas: it keeps a list of checkpoints with the time from which each can be
    used, and counts progress alone.
    """

    def __init__(self, case: Conditions, seed: int, spares: int = 10**9, repair: float = 0.0) -> None:
        self.case, self.random = case, np.random.default_rng(seed)
        self.spares, self.repair = spares, repair
        self.now = self.progress = self.stalled = 0.0
        self.checkpoints = [(0.0, 0.0, 0.0)]
        """Taken, usable from, progress."""
        self.repairs: list[float] = []
        self.rates = {
            "chip": case.chips * case.interruptions_per_chip_hour / HOUR,
            "provider": case.providers * case.losses_per_provider_hour / HOUR,
            "corruption": case.chips * case.corruptions_per_chip_hour / HOUR,
        }

    def share(self, interruptions: int) -> float:
        """Goodput over so many interruptions."""
        for _ in range(interruptions):
            kind, after = self.next()
            self.work(self.now + after)
            self.interrupt(kind)
        return self.progress / self.now

    def next(self) -> tuple[str, float]:
        """What strikes first, and after how long."""
        total = sum(self.rates.values())
        kind = self.random.choice(list(self.rates), p=[rate / total for rate in self.rates.values()])
        return str(kind), self.random.exponential(1.0 / total)

    def work(self, until: float) -> None:
        """Restart, then segments of work and stall, for as long as there is time."""
        case = self.case
        self.now += case.restart_seconds
        while self.now + case.interval_seconds + case.stall_seconds <= until:
            self.now += case.interval_seconds + case.stall_seconds
            self.progress += case.interval_seconds
            self.checkpoints.append((self.now, self.now + case.write_seconds, self.progress))
            del self.checkpoints[:-400]
        self.now = until

    def interrupt(self, kind: str) -> None:
        """Fall back to the newest checkpoint that this interruption leaves, and wait as it demands."""
        case, at = self.case, self.now
        wait, before = 0.0, at
        if kind == "chip":
            wait = self.broken(at)
        elif kind == "provider":
            wait = case.move_seconds if case.moves else case.outage_seconds
            before = at - (case.copy_age_seconds if case.moves else 0.0)
        else:
            before = at - case.rollback_seconds
        while len(self.checkpoints) > 1 and not self.usable(self.checkpoints[-1], kind, before, at):
            self.checkpoints.pop()
        self.progress = self.checkpoints[-1][2]
        self.now += wait

    @staticmethod
    def usable(checkpoint: tuple[float, float, float], kind: str, before: float, at: float) -> bool:
        taken, written, _ = checkpoint
        return written <= at and (taken <= before if kind == "corruption" else written <= before)

    def broken(self, at: float) -> float:
        """A node goes to repair, for a time that is far from exponential; how long the run waits for one."""
        if not self.repair:
            return 0.0
        self.repairs = sorted(end for end in self.repairs if end > at)
        self.repairs.append(at + self.repair * self.random.choice([0.2, 1.8]))
        self.repairs.sort()
        return self.repairs[0] - at if len(self.repairs) > self.spares else 0.0


def simulated(case: Conditions, interruptions: int = 1_500, **more: Any) -> tuple[float, float]:
    """Mean goodput over independent simulations, and its standard error."""
    shares = [Simulation(case, seed, **more).share(interruptions) for seed in range(RUNS)]
    return float(np.mean(shares)), float(np.std(shares, ddof=1)) / RUNS**0.5


def cases() -> Iterator[Any]:
    """Runs from calm to hopeless, one hazard after the other."""
    often = {"chips": 16_384, "interval_seconds": 800.0, "stall_seconds": 30.0, "restart_seconds": 600.0}
    yield pytest.param(Conditions(**often), id="chips")
    yield pytest.param(Conditions(**often, write_seconds=300.0), id="slow writes")
    rare = {"chips": 1_000_000, "interval_seconds": 90.0, "stall_seconds": 40.0, "restart_seconds": 120.0}
    yield pytest.param(Conditions(**rare), id="a failure every three minutes")
    lost = {"losses_per_provider_hour": 0.004, "providers": 3, "outage_seconds": 7_200.0}
    yield pytest.param(Conditions(**often, **lost), id="waits for a provider")
    moved = lost | {"moves": 1, "move_seconds": 1_500.0, "copy_age_seconds": 3_000.0}
    yield pytest.param(Conditions(**often, **moved), id="moves elsewhere")
    yield pytest.param(
        Conditions(**often, corruptions_per_chip_hour=2e-6, rollback_seconds=5_400.0), id="corruption"
    )


@pytest.mark.parametrize("case", list(cases()))
def test_the_closed_form_meets_the_simulation(case: Conditions) -> None:
    mean, error = simulated(case)
    assert error < 0.004
    assert goodput(SCALAR, case).fraction == pytest.approx(mean, abs=CHANCE * error)


def test_spares_and_failures_together_meet_the_simulation() -> None:
    case = Conditions(chips=16_384, interval_seconds=400.0, stall_seconds=10.0, restart_seconds=300.0)
    mean, error = simulated(case, 2_000, spares=6, repair=18.0 * HOUR)
    waits = shortage(SCALAR, 6, 16_384 / 50_677, 18.0)
    assert 0.1 < waits < 0.3
    case = Conditions(
        **{name: getattr(case, name) for name in case.__struct_fields__} | {"shortage_fraction": waits}
    )
    assert goodput(SCALAR, case).fraction == pytest.approx(mean, abs=CHANCE * error)


@pytest.mark.parametrize(
    ("stall", "restart", "usual"), [(30.0, 600.0, 0.873), (60.0, 900.0, 0.815), (5.0, 600.0, 0.916)]
)
def test_the_usual_estimate_of_llama_3(stall: float, restart: float, usual: float) -> None:
    """By Young's interval and first-order losses, at one interruption in 3.09 h."""
    case = Conditions(chips=16_384, stall_seconds=stall, restart_seconds=restart)
    assert first_order(SCALAR, case) == pytest.approx(usual, abs=0.0005)
    assert 0 < goodput(SCALAR, case).fraction - usual < 0.016


def test_llama_3_is_explained_by_short_stalls_and_restarts() -> None:
    """More than 90 % was reported; the defaults say 92 %, a stall of a minute and 15 min to restart do not."""
    assert goodput(SCALAR, Conditions(chips=16_384)).fraction == pytest.approx(0.919, abs=0.001)
    slow = Conditions(chips=16_384, stall_seconds=60.0, restart_seconds=900.0)
    assert goodput(SCALAR, slow).fraction < 0.85


def test_bloom_is_explained_by_what_was_published() -> None:
    """Reported: more than 95 %. A failure in 43,008 chip-hours, 40 s every 3 h, a restart of a quarter hour."""
    case = Conditions(
        chips=384,
        interruptions_per_chip_hour=1 / 43_008,
        interval_seconds=10_800.0,
        stall_seconds=40.0,
        restart_seconds=900.0,
    )
    found = goodput(SCALAR, case)
    assert found.fraction == pytest.approx(0.981, abs=0.001)
    assert found.lost_work == pytest.approx(1.5 / 112.0, abs=0.0005)


def test_megascale_is_explained_by_what_was_published() -> None:
    """Reported: more than 90 %, back at the last progress within 15 min on average: restart and lost work."""
    case = Conditions(chips=10_000, stall_seconds=5.0, restart_seconds=900.0)
    assert goodput(SCALAR, case).fraction == pytest.approx(0.930, abs=0.001)


def test_byterobust_needs_restarts_of_some_eight_minutes() -> None:
    """Reported: 97 %, with each step kept in memory. At Llama 3's rate that leaves 8 min for an interruption."""

    def at(restart: float) -> float:
        case = Conditions(
            chips=9_600, stall_seconds=0.1, least_interval_seconds=20.0, restart_seconds=restart
        )
        return float(goodput(SCALAR, case).fraction)

    assert at(540.0) < 0.97 < at(450.0)


def test_opt_is_not_explained_by_interruptions() -> None:
    """Reported: 58 %. 90 restarts in 57 days with hourly restarts and 3 h between checkpoints still give 84 %.

    What is missing are weeks without anybody, restarts after divergence, and a deleted cluster.
    """
    case = Conditions(
        chips=1_024,
        interruptions_per_chip_hour=1 / 15_565,
        interval_seconds=10_800.0,
        stall_seconds=40.0,
        restart_seconds=3_600.0,
    )
    assert goodput(SCALAR, case).fraction == pytest.approx(0.844, abs=0.001)


@st.composite
def conditions(draw: st.DrawFn) -> Conditions:
    """Any run, also hopeless ones."""

    def number(low: float, high: float) -> float:
        return draw(st.floats(low, high))

    return Conditions(
        chips=draw(st.integers(1, 1_000_000)),
        interruptions_per_chip_hour=number(0.0, 1e-3),
        stall_seconds=number(0.0, 600.0),
        write_seconds=number(0.0, 600.0),
        restart_seconds=number(0.0, 3_600.0),
        interval_seconds=draw(st.sampled_from([0.0, 0.0, 60.0, 1_800.0, 86_400.0])),
        shortage_fraction=number(0.0, 0.9),
        providers=draw(st.integers(1, 8)),
        losses_per_provider_hour=number(0.0, 0.01),
        outage_seconds=number(0.0, 1e6),
        moves=draw(st.sampled_from([0.0, 1.0])),
        move_seconds=number(0.0, 1e5),
        copy_age_seconds=number(0.0, 1e5),
        corruptions_per_chip_hour=number(0.0, 1e-6),
        rollback_seconds=number(0.0, 1e5),
    )


def changed(case: Conditions, **fields: Any) -> Conditions:
    """The same run with other numbers."""
    return Conditions(**{name: getattr(case, name) for name in case.__struct_fields__} | fields)


@given(conditions())
def test_the_parts_are_shares_of_one_whole(case: Conditions) -> None:
    found = goodput(SCALAR, case)
    parts = [getattr(found, name) for name in PARTS]
    assert all(-1e-12 <= part <= 1 for part in parts)
    assert sum(parts) == pytest.approx(1.0)
    assert found.fraction >= 0


@given(conditions(), st.floats(1.0, 10.0), st.sampled_from(["interruptions", "losses", "corruptions"]))
def test_goodput_falls_as_anything_fails_more_often(case: Conditions, times: float, hazard: str) -> None:
    name = next(name for name in case.__struct_fields__ if name.startswith(hazard))
    worse = changed(case, **{name: getattr(case, name) * times})
    assert goodput(SCALAR, worse).fraction <= goodput(SCALAR, case).fraction * (1 + 1e-9)


@given(conditions(), st.floats(0.1, 10.0))
def test_no_other_interval_is_better_than_the_best(case: Conditions, times: float) -> None:
    best = goodput(SCALAR, changed(case, interval_seconds=0.0))
    other = goodput(SCALAR, changed(case, interval_seconds=best.interval_seconds * times))
    assert other.fraction <= best.fraction * (1 + 1e-6)


@given(st.lists(conditions(), min_size=1, max_size=5))
def test_a_column_says_what_its_entries_say(cases: list[Conditions]) -> None:
    column = goodput(ARRAY, stack(cases))
    for index, case in enumerate(cases):
        single = goodput(SCALAR, case)
        for name in (*PARTS, "interval_seconds", "interruptions_per_hour", "provider_losses_per_hour"):
            assert getattr(column, name)[index] == pytest.approx(getattr(single, name), rel=1e-9, abs=1e-12)


def test_a_run_that_nothing_interrupts_is_all_progress() -> None:
    calm = goodput(SCALAR, Conditions(chips=8, interruptions_per_chip_hour=0.0))
    assert calm.fraction == pytest.approx(1.0, abs=1e-5)


def test_moving_away_is_worth_it_where_outages_last() -> None:
    lost = Conditions(chips=8_192, losses_per_provider_hour=1 / 2_000, outage_seconds=48 * HOUR)
    moved = changed(lost, moves=1.0, move_seconds=2 * HOUR, copy_age_seconds=HOUR)
    assert goodput(SCALAR, moved).fraction - goodput(SCALAR, lost).fraction > 0.02
    assert goodput(SCALAR, moved).provider_losses_per_hour > 0
