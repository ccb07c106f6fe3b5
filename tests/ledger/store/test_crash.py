"""Whatever is interrupted, wherever: what was acknowledged is there, nothing is there twice, months close alike.

STARGATE_KILLS says how often processes are killed and servers stopped, STARGATE_SEED at which moments.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from stargate.base.errors import LedgerError
from stargate.base.time import DAY
from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record.month import span_of
from stargate.ledger.store import Database
from tests.ledger import writer
from tests.ledger.making import BEGIN, MONTHS, chain_broken_at, closed, events, paper, roots
from tests.ledger.stopping import stopped

KILLS = int(os.environ.get("STARGATE_KILLS", "4"))
SEED = int(os.environ.get("STARGATE_SEED", "1"))
BATCHES, SIZE = 10 * KILLS, 25
PATIENCE_S = 120

Opened = Callable[..., Store]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The roots of the months after all batches, written at once by nobody who crashes."""
    store = open_store(tmp_path_factory.mktemp("undisturbed") / "ledger.sqlite", durable=False)
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    ledger.take(events(BATCHES * SIZE + 2), BEGIN)
    found = closed(store)
    store.close()
    return found


def expect_all(store: Store, undisturbed: dict[str, bytes]) -> None:
    """Everything is on record once, and comes to the same."""
    used = [one.key for month in MONTHS for one in store.usage(span_of(month))]
    assert len(used) == len(set(used)) == BATCHES * SIZE + 2
    assert closed(store) == undisturbed
    assert sum(store.balances().values()) == 0
    assert chain_broken_at(store) is None


def expect_acknowledged(store: Store, batches: set[int]) -> None:
    keys = {one.key for month in MONTHS for one in store.usage(span_of(month))}
    assert {one.key for number in batches for one in events(SIZE, number * SIZE)} <= keys
    assert chain_broken_at(store) is None


# -- killed at random ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * KILLS)
def test_writers_that_are_killed_lose_nothing(where: str, undisturbed: dict[str, bytes]) -> None:
    chance = random.Random(SEED)
    acknowledged: set[int] = set()
    for kill in range(KILLS):
        with writer.running(where, 2 * chance.randrange(1000) + 1, BATCHES, SIZE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 8)):
                if line := process.stdout.readline():
                    acknowledged.add(int(line))
            time.sleep(chance.random() * 0.1)
            process.kill()
            acknowledged.update(int(line) for line in process.stdout)
        store = open_store(where, durable=False)
        expect_acknowledged(store, acknowledged)
        if kill % 2:
            Ledger(store).rate(BEGIN)
        store.close()
    assert acknowledged
    assert set(writer.write(where, SEED, BATCHES, SIZE)) == set(range(BATCHES))
    store = open_store(where, durable=False)
    expect_all(store, undisturbed)
    store.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_processes_write_one_after_the_other(where: str, undisturbed: dict[str, bytes]) -> None:
    with (
        writer.running(where, SEED, BATCHES, SIZE) as one,
        writer.running(where, SEED + 1, BATCHES, SIZE) as other,
    ):
        for process in (one, other):
            said, _ = process.communicate(timeout=PATIENCE_S)
            assert {int(word) for word in said.split()} == set(range(BATCHES))
    store = open_store(where, durable=False)
    expect_all(store, undisturbed)
    store.close()


@pytest.mark.slow
@pytest.mark.timeout(180 + 20 * KILLS)
def test_a_server_that_is_stopped_at_once_loses_nothing() -> None:
    """For minutes, with a pause of 5 to 40 seconds between stops: `python -m tests.ledger.stopping`."""
    found = stopped((0.2, 1.5), SEED, least=KILLS)
    assert found.ok, found
    assert found.acknowledged > 0


# -- at every statement -------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone. No handler of errors may see it."""


def watched(database: Database, act: Callable[[int, str], None], *, after: bool = False) -> None:
    """Have `act` called at every statement, with its number and its words."""
    numbers = count()

    def watch(inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(statement: str, *values: Any, **more: Any) -> Any:
            number = next(numbers)
            if not after:
                act(number, statement)
            found = inner(statement, *values, **more)
            if after:
                act(number, statement)
            return found

        return call

    for name in ("run", "find", "insert"):
        setattr(database, name, watch(getattr(database, name)))


def vanish(store: Store, to: Path) -> str:
    """What the process leaves as it dies: its file as it lies on disk, or a connection that ends."""
    database: Any = store._database
    if isinstance(database._connection, sqlite3.Connection):
        to.mkdir()
        for path in Path(store.name).parent.glob(f"{Path(store.name).name}*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, to / path.name)
        return str(to / Path(store.name).name)
    database._connection.pgconn.finish()
    return str(database._url)


def vanish_at(statement: int, store: Store, to: Path, left: list[str], number: int, words: str) -> None:
    if number == statement:
        left.append(vanish(store, to))
        raise Crash


def work(store: Store) -> Iterator[object]:
    """What is done, step by step; each may be done again."""
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    yield ledger.take(events(60), BEGIN)
    yield ledger.rate(BEGIN)
    yield ledger.take(events(60, 30), BEGIN)
    yield ledger.close(MONTHS[0], span_of(MONTHS[0]).end.plus(DAY))
    yield ledger.take(events(30, 80), BEGIN)
    yield ledger.close(MONTHS[1], span_of(MONTHS[1]).end.plus(DAY))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_crash_at_any_statement_is_as_if_it_had_never_been(where: str, tmp_path: Path) -> None:
    """One ledger, which crashes on its way at every statement in turn, and each time starts over."""
    expected = open_store(tmp_path / "expected.sqlite", durable=False)
    assert len(list(work(expected))) == 6
    for statement in count():
        store = open_store(where, durable=False)
        left: list[str] = []
        die = partial(vanish_at, statement, store, tmp_path / f"left-{statement}", left)
        watched(store._database, die)
        try:
            list(work(store))
        except Crash:
            where = left[0]
        store.close()
        after = open_store(where, durable=False)
        assert chain_broken_at(after) is None
        if not left:
            break
        after.close()
    assert statement > 40
    assert roots(after) == roots(expected)
    assert after.balances() == expected.balances()
    after.close()
    expected.close()


def test_a_statement_that_fails_is_as_if_it_had_never_been(opened: Opened, tmp_path: Path) -> None:
    """One connection, which fails at every statement in turn and is used on."""
    expected = open_store(tmp_path / "expected.sqlite", durable=False)
    assert len(list(work(expected))) == 6
    store, left = opened(), [0]

    def fail(number: int, words: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise LedgerError("the disk is full")

    watched(store._database, fail)
    for statement in count(1):
        left[0] = statement
        try:
            list(work(store))
        except LedgerError:
            assert store.position().block == len(store._database.run("SELECT seq FROM block"))
        else:
            break
    left[0] = 0
    assert statement > 40
    assert roots(store) == roots(expected)
    assert store.balances() == expected.balances()
    assert chain_broken_at(store) is None
    expected.close()


def test_a_commit_whose_acknowledgement_is_lost_is_done_again(opened: Opened, tmp_path: Path) -> None:
    expected = open_store(tmp_path / "expected.sqlite", durable=False)
    steps = len(list(work(expected)))
    store = opened()
    lost: list[int] = []

    def lose(number: int, words: str) -> None:
        """Of every block, the first thing that is heard is that the connection was lost."""
        if words == "COMMIT" and (block := store.position().block) not in [0, *lost]:
            lost.append(block)
            raise LedgerError("the connection was lost")

    watched(store._database, lose, after=True)
    done = 0
    while done < steps:
        with contextlib.suppress(LedgerError):
            done = len(list(work(store)))
    assert lost == list(range(1, store.position().block + 1))
    assert roots(store) == roots(expected)
    assert store.balances() == expected.balances()
    count_usage = "SELECT count(*) FROM usage_event"
    assert store._database.run(count_usage) == expected._database.run(count_usage) == [(110,)]
    assert chain_broken_at(store) is None
    expected.close()
