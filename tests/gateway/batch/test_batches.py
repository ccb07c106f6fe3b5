"""Batches with the official client: what goes in comes out, each request once; what is wrong is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import openai
import pytest
from openai.types import Batch

from tests.gateway.batch.yard import Yard, begin, ended, line, lines, text

pytestmark = pytest.mark.timeout(180)


def calls(shop: Yard) -> int:
    return sum(used.calls for provider in shop.used().values() for used in provider.values())


def test_every_request_is_answered_once_and_counted_once(shop: Yard) -> None:
    client = shop.client("whole")
    before = calls(shop)
    asked = [line(f"r{number}", f"tokens={number % 7 + 1}") for number in range(50)]
    asked[13] = line("bad", "play=400")
    batch = ended(client, begin(client, text(asked), metadata={"for": "test"}).id)
    assert (batch.status, batch.model, batch.metadata) == ("completed", "tiny", {"for": "test"})
    assert batch.request_counts is not None
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (
        50,
        49,
        1,
    )
    assert batch.errors is None
    times = (batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at)
    assert sorted(each or 0 for each in times) == list(times)
    output, errors = lines(client, batch.output_file_id), lines(client, batch.error_file_id)
    assert [each["custom_id"] for each in output] == [
        each["custom_id"] for each in asked if each["custom_id"] != "bad"
    ]
    assert [(each["custom_id"], each["response"]["status_code"]) for each in errors] == [("bad", 400)]
    assert {each["response"]["body"]["object"] for each in output} == {"chat.completion"}
    assert calls(shop) - before == 49  # the mock counts no call that it refuses
    shop.wait(lambda: {each["response"]["request_id"] for each in output} <= requests(shop))
    told = [
        each for each in shop.filed().values() if each.key_name == "whole" and each.settled.outcome == "done"
    ]
    assert {each.admitted.batch for each in told} == {batch.id}
    _, request = shop.ask(f"/v1/requests/{output[0]['response']['request_id']}", plane=True)
    assert (request["batch"], request["key_name"]) == (batch.id, "whole")
    assert batch.usage is not None
    assert len(told) == 49
    assert sum(each.settled.tokens.output_tokens for each in told) == batch.usage.output_tokens
    assert sum(each.settled.tokens.input_tokens for each in told) == batch.usage.input_tokens


def requests(shop: Yard) -> set[str]:
    return {each.admitted.request for each in shop.filed().values()}


def test_it_is_a_workload_while_it_runs_and_its_key_ends_with_it(shop: Yard) -> None:
    client = shop.client("work", team="search")
    batch = begin(client, text(line(f"r{number}", "first_ms=5000") for number in range(16)))
    shop.await_runner()
    _, work = shop.ask(f"/v1/workloads/{batch.id}", plane=True)
    assert (work["kind"], work["team"], work["workload"]["model"]) == ("batch", "search", "tiny")
    _, keys = shop.ask("/v1/keys?limit=200", plane=True)
    (key,) = (each for each in keys["items"] if each["name"] == batch.id)
    assert (key["role"], key["scope"]) == ("batch", None)
    secret = next((shop.folder / "plane" / "local" / "secrets").glob(batch.id))
    token = secret.read_text()
    assert token not in str(work)
    assert token.encode() not in (shop.folder / "plane" / "journal.sqlite").read_bytes()
    assert shop.ask("/v1/files", token=token)[0] == 403
    assert shop.ask(f"/v1/batches/{batch.id}", token=token)[0] == 403
    assert shop.ask("/v1/batches/batch_other/input", token=token)[0] == 404
    assert ended(client, batch.id).status == "completed"
    shop.wait(lambda: shop.ask(f"/v1/workloads/{batch.id}", plane=True)[1]["status"] == "succeeded")
    assert not secret.exists()
    _, keys = shop.ask("/v1/keys?limit=200", plane=True)
    assert batch.id not in {each["name"] for each in keys["items"]}
    assert shop.ask(f"/v1/batches/{batch.id}/input", token=token, plane=True)[0] == 401


def test_nobody_sees_what_is_anothers(shop: Yard) -> None:
    one, other = shop.client("one"), shop.client("other")
    file = one.files.create(file=("input.jsonl", text([line("a")])), purpose="batch")
    assert one.files.retrieve(file.id).filename == "input.jsonl"
    batch = ended(one, begin(one, text([line("a")])).id)
    assert batch.output_file_id is not None
    for ask in (
        lambda: other.files.retrieve(file.id),
        lambda: other.files.content(file.id),
        lambda: other.files.content(batch.output_file_id or ""),
        lambda: other.files.delete(file.id),
        lambda: other.batches.retrieve(batch.id),
        lambda: other.batches.cancel(batch.id),
        lambda: other.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        ),
    ):
        with pytest.raises(openai.NotFoundError) as error:
            ask()
        assert batch.id not in str(error.value) or "no batch" in str(error.value)
    assert list(other.files.list()) == []
    assert list(other.batches.list()) == []
    assert {each.id for each in one.files.list(purpose="batch")} >= {file.id}
    assert one.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        one.files.retrieve(file.id)


def test_lists_come_in_pages(shop: Yard) -> None:
    client = shop.client("pages")
    files = [client.files.create(file=("f.jsonl", text([line("a")])), purpose="batch").id for _ in range(5)]
    batches = [
        client.batches.create(input_file_id=id, endpoint="/v1/chat/completions", completion_window="24h").id
        for id in files[:3]
    ]
    for id in batches:
        assert ended(client, id).status == "completed"
    assert [each.id for each in client.batches.list(limit=1)] == batches[::-1]
    assert [each.id for each in client.files.list(limit=2, purpose="batch")] == files[::-1]
    assert [each.id for each in client.files.list(order="asc", purpose="batch")] == files


def test_what_is_wrong_with_an_input_is_said_by_line_and_nothing_is_asked(shop: Yard) -> None:
    client = shop.client("wrong")
    before = calls(shop)
    wrong = [
        line("a"),
        line("a"),
        line("b", url="/v1/embeddings"),
        line("c", body={"model": "other", "messages": []}),
    ]
    batch = ended(client, begin(client, text(wrong) + b"{\n").id)
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(each.code, each.line) for each in batch.errors.data] == [
        ("duplicate_custom_id", 2),
        ("invalid_url", 3),
        ("mismatched_model", 4),
        ("invalid_json_line", 5),
    ]
    unknown = ended(client, begin(client, text([line("a", body={"model": "big", "messages": []})])).id)
    assert unknown.errors is not None
    assert [each.code for each in unknown.errors.data or ()] == ["model_not_found"]
    assert shop.ask(f"/v1/workloads/{batch.id}", plane=True)[0] == 404
    assert calls(shop) == before


def test_what_no_file_or_batch_is(shop: Yard) -> None:
    client = shop.client("none")
    good = client.files.create(file=("f.jsonl", text([line("a")])), purpose="batch")
    for ask in (
        lambda: client.files.create(file=("f.jsonl", b""), purpose="batch"),
        lambda: client.files.create(file=("f.jsonl", b"{}"), purpose="fine-tune"),
        lambda: client.files.create(
            file=("f.jsonl", b"{}"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 60}
        ),
        lambda: client.batches.create(
            input_file_id=good.id, endpoint="/v1/moderations", completion_window="24h"
        ),
        lambda: client.batches.create(
            input_file_id=good.id,
            endpoint="/v1/chat/completions",
            completion_window="1h",  # type: ignore[arg-type]
        ),
    ):
        with pytest.raises(openai.BadRequestError) as error:
            ask()
        assert error.value.body
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sg_live_nonsense").files.list()
    with pytest.raises(openai.NotFoundError):
        client.batches.create(
            input_file_id="file-none", endpoint="/v1/chat/completions", completion_window="24h"
        )


def test_a_file_that_is_too_large_is_refused(shop: Yard) -> None:
    client = shop.client("large")
    with pytest.raises((openai.APIStatusError, openai.APIConnectionError)) as error:
        client.with_options(max_retries=0).files.create(file=("f.jsonl", b"x" * 200_000_001), purpose="batch")
    if isinstance(error.value, openai.APIStatusError):
        assert error.value.status_code == 413
    assert list(client.files.list()) == []
    on_disk = {each.name for each in (shop.folder / "plane" / "batches").glob("file-*")}
    assert on_disk == on_record(shop)


def on_record(shop: Yard) -> set[str]:
    with closing(sqlite3.connect(shop.folder / "plane" / "batches" / "batches.sqlite")) as database:
        return {name for (name,) in database.execute("SELECT id FROM file")}


def test_a_cancelled_batch_keeps_what_was_answered(shop: Yard) -> None:
    client = shop.client("cancel")
    asked = [line(f"r{number}", "first_ms=100") for number in range(400)]
    batch = begin(client, text(asked))
    shop.wait(lambda: counted(client.batches.retrieve(batch.id)) > 20)
    assert client.batches.cancel(batch.id).status == "cancelling"
    assert client.batches.cancel(batch.id).status in {"cancelling", "finalizing", "cancelled"}
    over = ended(client, batch.id)
    assert over.status == "cancelled"
    output, errors = lines(client, over.output_file_id), lines(client, over.error_file_id)
    assert 20 < len(output) == counted(over) < 400
    assert sorted(each["custom_id"] for each in (*output, *errors)) == sorted(
        each["custom_id"] for each in asked
    )
    assert {each["error"]["code"] for each in errors} == {"batch_cancelled"}
    answered = {each["response"]["request_id"] for each in output}
    shop.wait(lambda: answered <= requests(shop))
    shop.wait(lambda: not shop.runners())


def counted(batch: Batch) -> int:
    return batch.request_counts.completed if batch.request_counts else 0


def test_limits_of_the_key_hold_for_its_batches_and_are_waited_for(shop: Yard) -> None:
    client = shop.client("slow", requests_per_minute=600, concurrent_requests=2)
    batch = ended(client, begin(client, text(line(f"r{number}") for number in range(40))).id)
    assert batch.status == "completed"
    assert counted(batch) == 40


def test_a_budget_that_is_spent_ends_requests_with_an_error(shop: Yard) -> None:
    client = shop.client("poor", budget_micro_usd=2_000)
    batch = ended(client, begin(client, text(line(f"r{number}", "tokens=16") for number in range(200))).id)
    assert batch.status == "completed"
    errors = lines(client, batch.error_file_id)
    assert {each["response"]["body"]["error"]["code"] for each in errors} == {"insufficient_quota"}
    assert 0 < counted(batch) < 200


def test_a_batch_ends_with_the_key_that_made_it(shop: Yard) -> None:
    client = shop.client("gone")
    batch = begin(client, text(line(f"r{number}", "first_ms=100") for number in range(400)))
    shop.wait(lambda: counted(client.batches.retrieve(batch.id)) > 0)
    _, keys = shop.ask("/v1/keys?limit=200", plane=True)
    (id,) = (each["id"] for each in keys["items"] if each["name"] == "gone")
    shop.ask(f"/v1/keys/{id}/revoke", {}, plane=True)
    shop.wait(lambda: shop.ask(f"/v1/workloads/{batch.id}", plane=True)[1]["status"] == "cancelled")
    shop.wait(lambda: not shop.runners())
