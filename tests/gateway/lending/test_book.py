"""The bank of several hosts, in a file and in a PostgreSQL server: the same answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.gateway.lending import Book, SqliteBook
from stargate.gateway.lending.shelf import HOLD_US, LEASE_US, MINUTE_US
from stargate.gateway.limits import NoBankError, Returned, Slice, Wish
from stargate.gateway.limits.lease import Leased, Leasing

pytestmark = pytest.mark.anyio


class Clock:
    """Of the file alone: a database has its own."""

    def __init__(self) -> None:
        self.us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.us


class Caller:
    """A host that asks."""

    def __init__(self, book: Book, node: str = "h", limit: int = 100) -> None:
        self.book = book
        self.node = node
        self.limit = limit
        self.number = 0

    async def say(
        self,
        *wishes: Wish,
        back: tuple[Returned, ...] = (),
        slots: dict[str, int] | None = None,
        again: bool = False,
    ) -> Leased:
        self.number += not again
        leasing = Leasing(self.node, "s", self.number, wishes, back, slots)
        return await self.book.lend(leasing, lambda _: self.limit)

    async def take(self, count: int, ahead: int = 0, kind: str = "requests") -> Slice:
        (found,) = (await self.say(Wish("k", kind, count, ahead))).slices  # type: ignore[arg-type]
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Callable[[], Book]:
    """Opens the same book, each time by a connection of its own."""
    if request.param == "sqlite":
        return lambda: SqliteBook(tmp_path / "leases.sqlite", clock)
    url = request.getfixturevalue("cluster").make()
    from stargate.gateway.lending.postgres import PostgresBook

    return lambda: PostgresBook(url)


async def test_hosts_share_what_there_is(make: Callable[[], Book]) -> None:
    """What one has another cannot have, and what goes back another can."""
    book = make()
    first, second = Caller(book), Caller(book, "other")
    given = await first.take(60)
    assert given.count == 60
    assert given.until_us - given.given_us == LEASE_US
    assert (await second.take(41)).count == 0
    assert (await second.take(40)).count == 40
    refused = await second.take(1)
    assert refused.count == 0
    assert MINUTE_US <= refused.more_us - refused.given_us <= MINUTE_US + 2 * LEASE_US
    await first.say(back=(Returned("k", "requests", 25, given.given_us),))
    assert (await second.take(25)).count == 25
    assert (await second.take(1)).count == 0
    await book.close()


async def test_slices_shrink_with_what_is_left_and_with_the_hosts(make: Callable[[], Book]) -> None:
    """So that nothing lies idle at one while another refuses."""
    book = make()
    alone = Caller(book, limit=1_000)
    assert (await alone.take(1, ahead=500)).count == 1 + 999 // 8
    for each in range(3):
        await Caller(book, f"other{each}").say()
    assert (await alone.take(1, ahead=500)).count == 1 + (1_000 - 125 - 1) // 32
    alone.limit = 156
    assert (await alone.take(1, ahead=500)).count == 1
    await book.close()


async def test_a_book_that_is_opened_anew_has_forgotten_nothing(make: Callable[[], Book]) -> None:
    """It gives nothing twice."""
    book = make()
    assert (await Caller(book).take(100)).count == 100
    await book.close()
    book = make()
    assert (await Caller(book, "other").take(1)).count == 0
    await book.close()


async def test_what_is_said_again_goes_back_once(make: Callable[[], Book]) -> None:
    """An answer may be lost."""
    book = make()
    caller = Caller(book)
    given = await caller.take(100)
    back = (Returned("k", "requests", 30, given.given_us),)
    await caller.say(back=back)
    await caller.say(back=back, again=True)
    other = Caller(book, "other")
    assert (await other.take(31)).count == 0
    assert (await other.take(30)).count == 30
    await book.close()


async def test_what_was_used_beyond_counts(make: Callable[[], Book]) -> None:
    """For a minute, as of when it was told; what goes back of what nobody was given changes nothing."""
    book = make()
    caller = Caller(book)
    await caller.say(back=(Returned("k", "requests", -100, 7), Returned("k", "requests", 50, 9)))
    assert (await caller.take(1)).count == 0
    await book.close()


async def test_requests_at_a_time_are_what_each_host_says(make: Callable[[], Book]) -> None:
    """Whatever was lost between them before."""
    book = make()
    first, second = Caller(book), Caller(book, "other")
    assert (await first.take(70, kind="slots")).count == 70
    assert (await second.take(40, kind="slots")).count == 0
    await first.say(slots={"k": 10})
    assert (await second.take(90, kind="slots")).count == 90
    await second.say()
    assert (await first.take(1, kind="slots")).count == 0
    await second.say(slots={})
    assert (await first.take(90, kind="slots")).count == 90
    await book.close()


async def test_a_host_that_is_silent_holds_nothing_for_long(tmp_path: Path, clock: Clock) -> None:
    """Its requests are over, or it has said so."""
    book = SqliteBook(tmp_path / "leases.sqlite", clock)
    gone, here = Caller(book), Caller(book, "other")
    await gone.take(100, kind="slots")
    await gone.take(100)
    clock.us += HOLD_US
    assert (await here.take(1, kind="slots")).count == 1
    assert (await here.take(1)).count == 0
    clock.us += MINUTE_US
    assert (await here.take(100)).count == 100
    assert (await here.say()).hosts == 1
    await book.close()


async def test_many_that_ask_at_once_get_no_more_than_there_is(make: Callable[[], Book]) -> None:
    """Each by its own connection."""
    callers = [Caller(make(), f"h{each}") for each in range(6)]
    draw = random.Random(3)

    async def ask(caller: Caller) -> int:
        got = 0
        for _ in range(15):
            kinds = draw.sample(["requests", "tokens", "slots"], 3)
            found = await caller.say(*(Wish("k", kind, 3, 4) for kind in kinds))  # type: ignore[arg-type]
            got += found.slices[kinds.index("requests")].count
        return got

    got = sum(await asyncio.gather(*map(ask, callers)))
    for caller in callers:
        await caller.book.close()
    assert 95 <= got <= 100


async def test_a_database_that_is_not_there_says_so(tmp_path: Path) -> None:
    """And is asked again, as if it had always been."""
    from stargate.gateway.lending.postgres import PostgresBook

    book = PostgresBook(f"postgresql://books:s3cret@/postgres?host={tmp_path}")
    with pytest.raises(NoBankError) as caught:
        await Caller(book).take(1)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(NoBankError):
        await Caller(book).take(1)
    await book.close()
    with pytest.raises(InputError) as refused:
        PostgresBook("postgresql://books:s3cret@[/x")
    assert "s3cret" not in str(refused.value)


async def test_a_file_that_is_none_says_so(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "leases.sqlite").write_bytes(b"something else" * 100)
    book = SqliteBook(tmp_path / "leases.sqlite", clock)
    with pytest.raises(NoBankError):
        await Caller(book).take(1)
    await book.close()
