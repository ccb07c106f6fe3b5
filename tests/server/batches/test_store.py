"""Files and batches on disk: each a key's own, bounded, whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stargate.base.errors import LimitError, NotFoundError, StateConflictError
from stargate.base.time import SECOND, Instant
from stargate.gateway.batch import Result
from stargate.gateway.record import Tokens
from stargate.server.batches import store as kept
from stargate.server.batches.record import Batch, File
from stargate.server.batches.store import Store

AT = Instant.parse("2026-03-01")
USED = b'{"usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "batches")
    yield made
    made.close()


def put(store: Store, owner: str = "a", content: bytes = b"{}\n", kept_s: int = 3_600) -> File:
    path = store.fresh()
    path.write_bytes(content)
    return store.add(path, owner, "input.jsonl", AT, kept_s)


def begin(store: Store, id: str = "batch_1", owner: str = "a", lines: int = 4) -> Batch:
    file = put(store, owner)
    batch = Batch(
        id, owner, "embeddings", file.id, AT, AT.plus(SECOND), 3_600, status="in_progress", lines=lines
    )
    return store.begin(batch)


def test_a_file_is_its_keys_own(store: Store) -> None:
    file = put(store)
    assert store.file(file.id, "a") == file
    assert store.path(file.id).read_bytes() == b"{}\n"
    for ask in (
        lambda: store.file(file.id, "b"),
        lambda: store.remove(file.id, "b"),
        lambda: store.file("x", "a"),
    ):
        with pytest.raises(NotFoundError):
            ask()
    assert store.files("b", "", "", 10, newest_first=True) == ([], False)
    store.remove(file.id, "a")
    assert not store.path(file.id).exists()


def test_files_come_in_pages(store: Store) -> None:
    ids = [put(store).id for _ in range(5)]
    found, more = store.files("a", "", "", 2, newest_first=True)
    assert ([each.id for each in found], more) == (ids[:2:-1], True)
    found, more = store.files("a", "batch", found[-1].id, 5, newest_first=True)
    assert ([each.id for each in found], more) == (ids[2::-1], False)
    assert [each.id for each in store.files("a", "", ids[1], 9, newest_first=False)[0]] == ids[2:]
    assert store.files("a", "batch_output", "", 5, newest_first=True) == ([], False)
    with pytest.raises(NotFoundError):
        store.files("b", "", ids[0], 5, newest_first=True)


def test_what_a_key_keeps_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FILES_LIMIT", 2)
    put(store), put(store)
    with pytest.raises(LimitError):
        put(store)
    put(store, "b")
    monkeypatch.setattr(kept, "FILES_LIMIT", 9)
    monkeypatch.setattr(kept, "BYTES_LIMIT", 9)
    assert store.room("a") == 3
    begin(store, owner="c")
    store.answer("batch_1", [Result(0, 200, "r", b'{"12": 4}')])
    with pytest.raises(LimitError):
        store.room("c")


def test_batches_that_have_not_ended_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "OPEN_LIMIT", 1)
    first = begin(store)
    with pytest.raises(LimitError):
        begin(store, "batch_2")
    begin(store, "batch_3", "b")
    store.end(first.moved("cancelled", AT), [])
    begin(store, "batch_2")
    monkeypatch.setattr(kept, "OPEN_LIMIT", 9)
    monkeypatch.setattr(kept, "BATCHES_LIMIT", 2)
    begin(store, "batch_4")
    assert [each.id for each in store.batches("a", "", 9)[0]] == ["batch_4", "batch_2"]


def test_an_input_stays_as_long_as_it_is_needed(store: Store) -> None:
    batch = begin(store)
    later = AT.plus(10_000 * SECOND)
    with pytest.raises(StateConflictError):
        store.remove(batch.input_file, "a")
    assert store.sweep(later) == 0
    store.end(batch.moved("cancelled", AT), [])
    assert store.sweep(later) == 1
    assert not store.path(batch.input_file).exists()


def test_of_each_line_the_first_answer_holds(store: Store) -> None:
    begin(store)
    store.answer("batch_1", [Result(2, 200, "r1", USED), Result(0, 400, "r2", b"{}")])
    again = store.answer(
        "batch_1", [Result(2, 400, "r3", b"{}"), Result(3, 200, "r4", USED), Result(9, 200, "r5", USED)]
    )
    assert (again.completed, again.failed, again.tokens) == (2, 1, Tokens(10, 0, 14, 0))
    assert store.done("batch_1") == ((0, 1), (2, 4))
    assert [(each.line, each.request) for each in store.answers("batch_1")] == [
        (0, "r2"),
        (2, "r1"),
        (3, "r4"),
    ]


def test_what_has_ended_takes_no_more_answers(store: Store) -> None:
    batch = begin(store)
    store.answer("batch_1", [Result(1, 200, "r1", USED)])
    path = store.fresh()
    path.write_bytes(b"x")
    output = File(path.name, "a", "batch_output", 1, AT, AT.plus(SECOND), "o")
    store.end(store.batch("batch_1").moved("expired", AT, output_file=path.name), [output])
    assert store.answer("batch_1", [Result(0, 200, "r2", USED)]).kept == 1
    assert store.done(batch.id) == ()
    assert store.file(path.name, "a").purpose == "batch_output"


def test_what_a_crash_left_is_removed_and_the_rest_is_there(tmp_path: Path) -> None:
    before = Store(tmp_path)
    file = put(before)
    begin(before)
    before.fresh().write_bytes(b"half")
    before.answer("batch_1", [Result(0, 200, "r", USED)])
    before.close()
    after = Store(tmp_path)
    assert len(list(tmp_path.glob("file-*"))) == 2
    assert after.file(file.id, "a") == file
    assert after.done("batch_1") == ((0, 1),)
    after.close()


def test_asked_once_more_it_is_the_same_batch(store: Store) -> None:
    batch = begin(store)
    assert store.begin(batch) == batch
    with pytest.raises(StateConflictError):
        begin(store)
