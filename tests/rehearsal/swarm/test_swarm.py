"""The swarm: it finds nothing in the broker, finds what is planted, and says the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import stargate
from stargate.base.errors import StateConflictError, UserError
from stargate.broker import due
from stargate.rehearsal.swarm import Case, Outcome, keep, kept, run, smaller, swarm
from stargate.rehearsal.swarm.case import FAULTS
from stargate.rehearsal.swarm.lies import LIES
from stargate.rehearsal.swarm.marks import SELDOM, WANTED
from stargate.rehearsal.swarm.plan import draw
from stargate.rehearsal.swarm.storage import torn_log

SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.json"))
SCRIPT = """
from stargate.rehearsal.swarm import swarm
print(swarm(3_000, 40).digest)
"""
SHORT = 20_000
LONG = 1_000_000
"""Events of the swarm that is part of every CI run."""


@pytest.fixture(scope="module")
def short() -> Outcome:
    return swarm(SHORT, 0)


def test_a_short_swarm_finds_nothing(short: Outcome) -> None:
    assert [(one.case.seed, one.violations[0]) for one in short.failures] == []
    assert short.violations == 0
    assert short.events >= SHORT
    assert short.facts > SHORT // 3


def test_what_is_common_was_reached(short: Outcome) -> None:
    often = ("Ended", "fault", "crash", "WorkloadEnded", "SupplyMarked", "attempt placed", "need asking")
    missing = [mark for mark in WANTED if mark.startswith(often) and not short.marks.get(mark)]
    assert len(missing) <= 8, missing
    assert short.unreached == (), "too few events to say"


@pytest.mark.slow
def test_a_million_events_violate_nothing_and_reach_the_rare_states() -> None:
    long = swarm(LONG, 100_000, jobs=2)
    assert [(one.case.seed, one.violations[0]) for one in long.failures] == []
    assert long.events >= LONG
    assert long.unreached == ()


def test_what_is_seldom_is_wanted_too() -> None:
    assert set(WANTED) >= SELDOM
    rare = Outcome(seed=1, events=30_000_000, marks=dict.fromkeys(set(WANTED) - {"TermsChanged"}, 1))
    assert rare.unreached == ("TermsChanged",)
    assert msgspec.structs.replace(rare, events=2_000_000).unreached == ()


def test_most_lies_were_told(short: Outcome) -> None:
    told = [lie.name for lie in LIES if short.marks.get(f"lie {lie.name}")]
    assert len(told) >= 20, told


def test_a_swarm_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    swarm(1_000, 7, record=record)
    part = json.loads(record.read_text())
    assert 1_000 <= part["events"] < 6_000
    whole = swarm(6_000, 7, record=record)
    assert whole == swarm(6_000, 7)
    assert whole.seeds > part["seeds"]
    assert swarm(6_000, 7, record=record) == whole, "what is done is not done again"
    with pytest.raises(StateConflictError, match="seeds from 7 on"):
        swarm(6_000, 8, record=record)


def test_processes_change_nothing() -> None:
    assert swarm(4_000, 11, jobs=2) == swarm(4_000, 11)


def test_torn_logs_keep_what_was_there_before() -> None:
    assert torn_log(b"abc", b"abcdef", 0.0) == b"abc"
    assert torn_log(b"abc", b"abcdefgh", 0.5) == b"abcde"
    assert torn_log(b"abcdefgh", b"abXYZWgh", 0.5) == b"abXYefgh"


def test_the_real_journal_loses_nothing_that_was_committed_and_keeps_nothing_that_was_torn() -> None:
    seeds = [seed for seed in range(200) if draw(Case(seed)).habits.on_disk][:6]
    assert len(seeds) == 6
    results = [run(Case(seed, 200)) for seed in seeds]
    assert [result.violations for result in results] == [()] * 6


def test_lies_are_a_table_of_kinds_each_with_a_sentence() -> None:
    assert len(LIES) >= 20
    assert len({lie.name for lie in LIES}) == len(LIES)
    assert all(lie.says.endswith(".") for lie in LIES)


def test_the_digest_is_the_same_in_another_process() -> None:
    source = Path(stargate.__file__).parents[1]
    said = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": str(source)},
            capture_output=True, text=True, check=True,
        ).stdout
        for number in ("1", "77")
    ]  # fmt: skip
    assert said[0] == said[1]
    assert said[0].strip() == swarm(3_000, 40).digest


def test_another_seed_gives_another_digest() -> None:
    assert run(Case(1, 60)).digest != run(Case(2, 60)).digest


def test_what_a_case_leaves_out_moves_nothing_else() -> None:
    whole, part = draw(Case(3)), draw(Case(3, skip=(0, 1), without=FAULTS))
    assert part.work == whole.work[2:]
    assert part.infrastructure == whole.infrastructure
    assert not any(part.rates.of.values())


def test_a_planted_bug_is_found_and_made_smaller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The broker asks twice whoever stands on nodes that are gone.
    real = due.clear_nodes
    monkeypatch.setattr(
        due, "clear_nodes", lambda *said: tuple(one for fact in real(*said) for one in (fact, fact))
    )  # fmt: skip
    failing = next(result for seed in range(40) if (result := run(Case(seed, 300))).violations)
    assert "Stopping cannot happen" in failing.violations[0]
    less = smaller(failing)
    assert less.violations
    assert sum(len(batch.envelopes) for batch in less.case.tape) <= 12, "what was said, cut to what matters"
    path = keep(less, tmp_path, "abc")
    again = kept(path)
    assert again.commit == "abc"
    assert run(again).violations == less.violations
    monkeypatch.undo()
    assert run(again).violations == ()


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_what_once_failed_stays_mended(path: Path) -> None:
    assert run(kept(path)).violations == ()


def test_no_events_are_refused() -> None:
    with pytest.raises(UserError):
        swarm(0, 0)


def test_seeds_say_what_was_found() -> None:
    assert SEEDS
    assert all(json.loads(path.read_text())["found"] for path in SEEDS)
