"""Killed at every write, at every point of it, and restarted: the story ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from stargate.broker import Fact, StartAttempt
from stargate.journal import Head, SqliteJournal, export_lines, import_lines, restart
from tests.crash.faulty import POINTS, Crash, FaultyJournal, Point, SimulatedCrash
from tests.crash.server import World, serve
from tests.crash.story import world


class Manner(msgspec.Struct, frozen=True):
    """How the server writes."""

    snapshot_every: int = 0
    """Writes between snapshots; 0: none."""
    batch: int = 1
    """Commands committed together, at most."""


PLAIN = Manner()
MANNERS = {
    "plain": PLAIN,
    "with snapshots": Manner(snapshot_every=12),
    "in batches": Manner(snapshot_every=30, batch=6),
}


class Ending(msgspec.Struct, frozen=True):
    """What must not depend on crashes."""

    head: Head
    """Every fact, its time and its cause: the chain's hash covers them all."""
    digest: str
    programs: tuple[str, ...]
    """What engines really began and ended, in order."""
    running: dict[str, StartAttempt]
    outcomes: dict[str, str]
    """What people and holders were told."""


def ending(story: World, journal: FaultyJournal, digest: str) -> Ending:
    told = {
        name: outcome
        for name, outcome in story.outcomes.items()
        if not name.startswith(("said-again", "wake"))
    }
    return Ending(journal.head(), digest, tuple(story.engine.log), story.engine.alive(), told)


def tell(folder: Path, crashes: list[Crash], how: Manner = PLAIN) -> tuple[Ending, list[tuple[int, Point]]]:
    """The story from its beginning to its end, through these crashes, one for each start of the server."""
    story, path = world(), folder / "disk" / "journal.db"
    for crash in [*crashes, None]:
        journal = FaultyJournal(path, crash)
        try:
            machine = serve(story, journal, how.snapshot_every, how.batch)
        except SimulatedCrash as gone:
            path = gone.disk
            journal.close()
            continue
        break
    assert journal.verify().ok
    found = ending(story, journal, machine.state.digest())
    journal.close()
    return found, journal.reached


class Told(msgspec.Struct, frozen=True):
    """A story told without a crash, and every point at which there could be one."""

    ending: Ending
    points: list[tuple[int, Point]]


@pytest.fixture(scope="module", params=MANNERS.values(), ids=list(MANNERS))
def how(request: pytest.FixtureRequest) -> Manner:
    """How the server writes."""
    manner: Manner = request.param
    return manner


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, how: Manner) -> Told:
    """The ending without any crash."""
    return Told(*tell(tmp_path_factory.mktemp("undisturbed"), [], how))


def test_the_story_is_worth_telling(undisturbed: Told) -> None:
    """It reaches every kind of point, most of what an attempt can meet, and ends with nothing running."""
    assert {point for _, point in undisturbed.points} == set(POINTS)
    assert undisturbed.ending.head.seq > 250
    assert undisturbed.ending.running == {}
    ends = {line.rpartition(": ")[2] for line in undisturbed.ending.programs if "ended" in line}
    assert ends == {"done", "failed", "stopped", "lost"}


UNTOLD = {"terms_changed"}
"""Kinds of facts that do not happen in the story. Add what is new to the story rather than here."""


def test_it_tells_of_every_kind_of_fact(tmp_path: Path) -> None:
    journal = FaultyJournal(tmp_path / "journal.db")
    serve(world(), journal)
    told = {record.kind for record in journal.read()}
    journal.close()
    known = {kind.__struct_config__.tag for kind in get_args(Fact)}
    assert known - told == UNTOLD


def test_it_does_not_depend_on_snapshots(undisturbed: Told, how: Manner, tmp_path: Path) -> None:
    without = msgspec.structs.replace(how, snapshot_every=0)
    assert tell(tmp_path, [], without)[0] == undisturbed.ending


def crash_at_each(points: list[tuple[int, Point]], folder: Path, expected: Ending, how: Manner) -> None:
    for number, (write, point) in enumerate(points):
        place = folder / str(number)
        found, _ = tell(place, [Crash(write, point, torn_fraction=number % 10 / 10)], how)
        assert len(list(place.iterdir())) == 2, f"there was no crash at write {write}, {point}"
        assert found == expected, f"after a crash at write {write}, {point}"
        shutil.rmtree(place)


def test_a_crash_at_some_writes_changes_nothing(undisturbed: Told, how: Manner, tmp_path: Path) -> None:
    """A sample of the test below, every kind of point in it."""
    some = undisturbed.points[3::37]
    assert {point for _, point in some} == set(POINTS)
    crash_at_each(some, tmp_path, undisturbed.ending, how)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_crash_at_any_write_changes_nothing(undisturbed: Told, how: Manner, tmp_path: Path) -> None:
    crash_at_each(undisturbed.points, tmp_path, undisturbed.ending, how)


@pytest.mark.parametrize("seed", range(4))
def test_crash_after_crash_changes_nothing(undisturbed: Told, how: Manner, tmp_path: Path, seed: int) -> None:
    """A server that hardly ever lives for long."""
    chance = random.Random(seed)
    crashes = [Crash(chance.randrange(12), chance.choice(POINTS), chance.random()) for _ in range(25)]
    found, _ = tell(tmp_path, crashes, how)
    assert len(list(tmp_path.iterdir())) > 10, "it crashed often"
    assert found == undisturbed.ending


def test_an_exported_story_imports_to_the_same_state(undisturbed: Told, how: Manner, tmp_path: Path) -> None:
    story = world()
    journal = FaultyJournal(tmp_path / "journal.db")
    serve(story, journal, batch=how.batch)
    lines = list(export_lines(journal))
    journal.close()
    with SqliteJournal(tmp_path / "copy.db", durable=False) as copy:
        import_lines(lines, copy)
        found = restart(copy)
    assert (found.head, found.state.state.digest()) == (undisturbed.ending.head, undisturbed.ending.digest)
