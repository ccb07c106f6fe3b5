from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.errors import LimitError, NotFoundError
from stargate.broker.command import Submit
from stargate.journal import SqliteReader
from stargate.server.history import History, Until
from tests.server.test_driver import job, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A journal with five workloads, submitted at different entries, and a snapshot after the third."""
    path = tmp_path / "journal.sqlite"
    async with running(path) as rig:
        for n in range(5):
            await rig.driver.ask(f"c{n}", Submit(f"j{n}", job(f"j{n}")))
            if n == 2:
                await rig.driver.snapshot()
    return path


async def test_the_state_before_an_entry_is_what_was_known_then(path: Path) -> None:
    history = History(path, 1_000)
    for entry in await history.entries(0, 100):
        seq, digest, known = await history.before(
            entry.seq, lambda state: (state.records.seq, state.digest(), set(state.records.workloads))
        )
        assert seq == entry.seq - 1
        assert len(digest) == 32
        name = getattr(entry.fact, "id", None)
        assert name not in known


async def test_a_state_from_a_snapshot_is_the_same_as_one_from_the_start(path: Path) -> None:
    history = History(path, 1_000)
    with SqliteReader(path) as reader:
        (snapshot,) = reader.snapshots()
        head = reader.head().seq
        assert Until(reader, snapshot - 1).snapshots() == ()
        assert Until(reader, snapshot).snapshots() == (snapshot,)
        assert Until(reader, head).head() == reader.head()
        assert len(list(Until(reader, 3).read())) == 3
        assert len(list(Until(reader, 3).read(after=1, limit=1))) == 1
        assert list(Until(reader, 3).read(after=3)) == []
        latest = Until(reader, head).latest()
        assert latest is not None
        assert latest.seq == snapshot
    assert await history.before(head + 1, lambda state: state.records.seq) == head


async def test_entries_by_number(path: Path) -> None:
    history = History(path, 1_000)
    assert (await history.entry(1)).seq == 1
    for seq in (0, -1, 10_000):
        with pytest.raises(NotFoundError):
            await history.entry(seq)
    assert [entry.seq for entry in await history.entries(2, 3)] == [3, 4, 5]


async def test_grounds_of_several_entries(path: Path) -> None:
    history = History(path, 1_000)
    placed = [entry.seq for entry in await history.entries(0, 100) if hasattr(entry.fact, "score_micro_usd")]
    grounds = await history.grounds(placed)
    assert set(grounds) == set(placed)
    assert all("cheapest" in found[0].says for found in grounds.values())


async def test_how_far_back_is_bounded(path: Path) -> None:
    with pytest.raises(LimitError, match="bound"):
        await History(path, 2).before(6, lambda state: state.records.seq)


async def test_the_journal_is_verified_beside_its_writer(path: Path) -> None:
    found = await History(path, 1_000).verify()
    assert found.ok
    assert len(found.snapshots) == 1
