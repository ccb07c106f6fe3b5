"""A scenario summed up: the figures agree with what the engines' models know of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.time import HOUR
from stargate.broker import Entry
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.staged import report, reported
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.report.write import PAGE, read
from stargate.rehearsal.scenario import load
from tests.rehearsal.report import naive

SCENARIO = """
scenario:
  name: breaking
  start: 2026-01-05
  demand:
  - name: work
    jobs:
    - {id: a, submit_seconds: 0, run_seconds: 36000, chips: 16, requested_seconds: 36000}
    - {id: b, submit_seconds: 60, run_seconds: 18000, chips: 16, requested_seconds: 18000}
    - {id: c, submit_seconds: 120, run_seconds: 7200, chips: 8, requested_seconds: 7200, team: red}
    - {id: d, submit_seconds: 180, run_seconds: 7200, chips: 8, requested_seconds: 7200, status: cancelled}
    form: {save_every: 10m}
  engines:
  - start: {fixed: 90s}
    failures: {chip_hours_between: 40}
    saving: {stall: 20s, reported_every: 1h}
  faults:
  - {fault: outage, scope: site, id: ohio, at: 2026-01-05T02:00:00Z, lasts: 3h}
---
parties: [{id: lab}, {id: cloudy}]
providers: [{id: own, party: lab}, {id: cloudy, party: cloudy}]
sites: [{id: texas, jurisdiction: US-TX}, {id: ohio, jurisdiction: US-OH}]
pools:
- id: home
  provider: own
  site: texas
  chip: H100-SXM
  chips_per_node: 8
  tenure: owned
  nodes: [{from: 2025-01-01, nodes: 3}]
- id: cloud
  provider: cloudy
  site: ohio
  chip: H100-SXM
  chips_per_node: 8
  tenure: on_demand
  nodes: [{from: 2025-01-01, nodes: 2}]
  prices: [{from: 2025-01-01, usd_per_chip_hour: 2}]
---
policy: {lab: lab, sourcing: {automatic: false}}
"""


def conserved(found: Summary) -> None:
    """What was used went somewhere, once; classes of sizes and places are the same hours in other heaps."""
    time = found.chip_time
    parts = ("useful", "discarded", "saving", "redone", "overhead")
    assert sum(getattr(time, f"{part}_chip_hours") for part in parts) == pytest.approx(time.used_chip_hours)
    assert min(getattr(time, f"{part}_chip_hours") for part in parts) >= 0
    for size in found.sizes:
        spent = size.worked_chip_hours + size.saving_chip_hours + size.redone_chip_hours
        assert spent + size.overhead_chip_hours == pytest.approx(size.used_chip_hours)
    for places in (found.providers, found.sites, found.pools):
        assert sum(place.used_chip_hours for place in places) == pytest.approx(time.used_chip_hours)
        assert sum(place.paid_micro_usd for place in places) == found.paid_micro_usd


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The scenario in a file."""
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    return file


def test_the_models_and_the_facts_agree(path: Path) -> None:
    """Engines know what they did; the collector has only heard. A step is a second: that much they may differ."""
    for seed in range(6):
        entries: list[Entry] = []
        staged, found = reported(load(path), seed, entries.extend)
        totals, time = staged.world.engines.totals, found.chip_time
        slack = 16 * 2 * totals.attempts / 3600
        assert totals.hows.get("broken", 0) > 0
        assert found.work.recoveries > 0
        assert time.useful_chip_hours + time.discarded_chip_hours == pytest.approx(
            totals.kept / HOUR, abs=slack
        )
        # A checkpoint that was cut short is lost time to the collector.
        cut = 16 * 20 * totals.attempts / 3600
        assert time.saving_chip_hours + time.redone_chip_hours == pytest.approx(
            (totals.lost + totals.stalled) / HOUR, abs=slack
        )
        assert totals.stalled / HOUR - cut <= time.saving_chip_hours <= totals.stalled / HOUR + slack
        assert time.overhead_chip_hours == pytest.approx((totals.waited + totals.idle) / HOUR, abs=slack)
        assert time.down_chip_hours == 16 * 3
        conserved(found)
        naively = naive.figures(entries, found.ends)
        assert naively["average_wait_seconds"] == found.work.wait_seconds.average
        assert naively["metered_micro_usd"] == found.metered_micro_usd > 0
        assert found.facts["declared"] == 1
        assert sum(found.facts.values()) == len(entries)


def test_a_journal_read_later_says_the_same(path: Path) -> None:
    """But for what only a rehearsal knows: how long a step takes."""
    entries: list[Entry] = []
    _, found = reported(load(path), 3, entries.extend)
    collector = Collector()
    for entry in entries:
        collector((entry,))
    later = collector.finish(Identity(), found.ends)
    assert later.chip_time.used_chip_hours == found.chip_time.used_chip_hours
    assert later.chip_time.held_chip_hours == found.chip_time.held_chip_hours
    assert later.work.wait_seconds == found.work.wait_seconds
    assert later.work.completion_seconds == found.work.completion_seconds
    assert (later.work.stops, later.work.recoveries) == (found.work.stops, found.work.recoveries)
    assert later.course.whole["used_chips"] == found.course.whole["used_chips"]


def test_the_folder_holds_it_all(path: Path, tmp_path: Path) -> None:
    summary = report(load(path), 1, tmp_path / "out")
    assert read(tmp_path / "out") == summary
    assert summary.identity.title == "breaking"
    assert len(summary.identity.input_digest) == len(summary.identity.state_digest) == 32
    assert "breaking" in (tmp_path / "out" / PAGE).read_text()
