"""A scenario rehearsed from end to end, and summed up on the way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from stargate.base.time import FOREVER, Instant
from stargate.broker import Entry
from stargate.rehearsal.play import Sink
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.gait import Gait
from stargate.rehearsal.report.job import Lines
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.report.write import Folder
from stargate.rehearsal.scenario import Plan
from stargate.rehearsal.stage import Stage, stage
from stargate.rehearsal.world.behaviour import STEP, Behaviour


def reported(
    plan: Plan, seed: int | None = None, sink: Sink | None = None, lines: Lines | None = None,
    overrides: Mapping[str, str] | None = None,
) -> tuple[Stage, Summary]:  # fmt: skip
    """Rehearse a plan and sum it up; `sink` gets the entries as well. Raises what `stage` raises."""
    early: list[tuple[Entry, ...]] = []
    collector: Collector | None = None

    def tell(entries: tuple[Entry, ...]) -> None:
        if sink is not None:
            sink(entries)
        if collector is None:
            early.append(entries)
        else:
            collector(entries)

    staged = stage(plan, seed, tell)
    collector = collecting(staged, lines)
    for entries in early:
        collector.note(entries)
    staged.run()
    return staged, collector.finish(identity_of(staged, overrides), ended(staged))


def collecting(staged: Stage, lines: Lines | None = None) -> Collector:
    """A collector for a stage that has been set and has not run: what its state holds is adopted."""
    state, engines = staged.play.machine.state, staged.plan.scenario.engines

    @cache
    def pace(pool: str) -> Gait:
        behaviour = next((one for one in engines if one.fits(state.catalog_pools[pool])), Behaviour())
        saving = behaviour.saving
        return Gait(STEP * behaviour.stretch, saving.stall, saving.interval)

    return Collector(state, begins=staged.start, lines=lines, pace=pace)


def ended(staged: Stage) -> Instant:
    """When the rehearsal is over: its horizon has come, or nothing more came."""
    return staged.until if staged.until < FOREVER else max(staged.play.clock.now, staged.start)


def identity_of(staged: Stage, overrides: Mapping[str, str] | None = None) -> Identity:
    """What was rehearsed."""
    scenario = staged.plan.scenario
    return Identity(
        title=scenario.name or "Rehearsal",
        policy=scenario.policy_named,
        seed=staged.seed,
        input_digest=staged.input_digest,
        state_digest=staged.state_digest,
        overrides=dict(overrides or {}),
    )


def report(plan: Plan, seed: int | None, out: Path, sink: Sink | None = None) -> Summary:
    """Rehearse a plan and write everything about it to a folder. Raises what `stage` raises, and OSError."""
    with Folder(out) as folder:
        _, summary = reported(plan, seed, sink, folder)
        folder.close(summary)
    return summary
