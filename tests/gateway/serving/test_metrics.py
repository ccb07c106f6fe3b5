"""What operators are told is what happened, and only they are told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stargate.gateway.observing import Observer, Shelf
from stargate.gateway.serving.health import gauges
from tests.gateway.provider import Provider
from tests.gateway.serving.rig import TOKEN, Call, Rig, chat, clock_us, endpoint, key, rig

pytestmark = pytest.mark.anyio
PREFIX = "stargate_gateway_"
Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def told(made: Rig) -> Found:
    """Every sample of `/metrics`, by its name without the prefix and its labels."""
    call = await made.get("/metrics", TOKEN)
    assert call.status == 200
    assert call.headers["content-type"].startswith("text/plain")
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(call.body.decode())
        for sample in family.samples
    }


def at(found: Found, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


WAY = {"model": "tiny", "provider": "azure", "operation": "chat/completions"}


async def test_requests_tokens_and_times_are_counted(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        for stream in (False, True, True):
            assert (await made.ask(stream=stream, mock="tokens=5&cached=2")).status == 200
        found = await told(made)
        used = provider.tally.total()
        assert at(found, "requests_total", **WAY, outcome="done", status="200") == 3
        assert at(found, "attempts_total", **WAY, outcome="done", status="200") == 3
        tokens = {"model": "tiny", "provider": "azure", "source": "upstream"}
        assert at(found, "tokens_total", **tokens, kind="input") == used.input_tokens > 0
        assert at(found, "tokens_total", **tokens, kind="cached") == used.cached_tokens == 6
        assert at(found, "tokens_total", **tokens, kind="output") == used.output_tokens == 15
        assert at(found, "request_duration_seconds_count", **WAY) == 3
        assert at(found, "time_to_first_token_seconds_count", **WAY) == 2
        assert at(found, "time_per_output_token_seconds_count", **WAY) == 2
        assert at(found, "time_to_first_token_seconds_sum", **WAY) <= at(
            found, "request_duration_seconds_sum", **WAY
        )


async def test_a_second_attempt_is_one_request(tmp_path: Path) -> None:
    async with Provider() as bad, Provider() as good, rig(tmp_path) as made:
        bad.play("play=503")
        made.route(msgspec.structs.replace(endpoint(bad), provider="oci"), endpoint(good))
        for _ in range(4):
            assert (await made.ask()).status == 200
        found = await told(made)
        assert at(found, "requests_total", **WAY, outcome="done", status="200") == 4
        assert at(found, "attempts_total", **{**WAY, "provider": "oci"}, outcome="refused", status="503") >= 1
        assert at(found, "attempts_total", **WAY, outcome="done", status="200") == 4


async def test_refusals_are_counted_by_code_and_unknown_names_are_no_labels(tmp_path: Path) -> None:
    """Else anybody could fill the memory of whoever keeps the series."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        for number in range(3):
            assert (await made.ask(model=f"no-such-{number}")).status == 404
        assert (await made.ask(token="wrong")).status == 401
        assert (await made.get("/nowhere/at/all")).status == 404
        assert (await made.get("/v1/models", TOKEN)).status == 200
        found = await told(made)
        assert at(found, "refusals_total", code="model_not_found") == 3
        assert at(found, "refusals_total", code="invalid_api_key") == 1
        nobody = {"model": "", "provider": "", "outcome": "refused"}
        assert at(found, "requests_total", **nobody, operation="chat/completions", status="404") == 3
        assert at(found, "requests_total", **nobody, operation="chat/completions", status="401") == 1
        assert at(found, "requests_total", **nobody, operation="other", status="404") == 1
        assert (
            at(found, "requests_total", **{**nobody, "outcome": "done"}, operation="models", status="200")
            == 1
        )
        assert not any("no-such" in str(labels) for _, labels in found)


async def test_a_client_that_left_is_counted_as_one(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = Call(chat(mock="first_ms=5000"))
        running = asyncio.create_task(made.run(call))
        while not made.attempts():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)
        found = await told(made)
        assert at(found, "open_requests") == 1
        assert at(found, "open_streams") == 0
        call.leave()
        await running
        found = await told(made)
        assert at(found, "requests_total", **WAY, outcome="aborted", status="499") == 1
        assert at(found, "open_requests") == 0
        assert at(found, "request_duration_seconds_count", **WAY) == 0


async def test_an_error_within_a_stream_is_an_outcome(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = await made.ask(stream=True, mock="play=cut-fin&tokens=6")
        assert call.status == 200
        found = await told(made)
        assert at(found, "requests_total", **WAY, outcome="cut", status="200") == 1


async def test_what_a_worker_is_is_told(tmp_path: Path) -> None:
    """An endpoint that is not reached rests; the spool's writes are timed; routes have a version."""
    async with Provider() as gone, Provider() as good, rig(tmp_path) as made:
        made.desk.observer = Observer(clock_us, Shelf(tmp_path / "metrics", "w"))
        made.desk.observer.gauges = lambda: gauges(made.desk)
        made.desk.spool.committed = made.desk.observer.committed
        made.route(endpoint(gone), endpoint(good, id="good"))
        await gone.refuse(reset=True)
        for _ in range(4):
            assert (await made.ask()).status == 200
        found = await told(made)
        place = {"model": "tiny", "provider": "azure"}
        assert at(found, "endpoint_resting", endpoint=f"at-{gone.port}", **place) == 1
        assert at(found, "endpoint_resting", endpoint="good", **place) == 0
        assert at(found, "routes_version") == 1
        assert at(found, "ready") == 1
        assert at(found, "spool_commit_seconds_count") >= 8
        assert at(found, "spool_unsettled_attempts") == 0
        assert at(found, "starts_total", process="worker") == 1
        assert at(found, "processes", process="worker") == 1
        assert any(
            name == "process_resident_memory_bytes" and value > 1 << 20 for (name, _), value in found.items()
        )


async def test_the_loop_puts_down_what_it_has_counted(tmp_path: Path) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        shelf = Shelf(tmp_path / "metrics", "w")
        made.desk.observer = Observer(clock_us, shelf)
        running = asyncio.create_task(made.desk.observer.run())
        made.route(endpoint(provider))
        assert (await made.ask()).status == 200
        while not sum(shelf.total().counters.get("requests", {}).values()):  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.05)
        lags = shelf.total().histograms["event_loop_lag_seconds"][()]
        assert sum(lags.counts) >= 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.desk.observer.close()


async def test_metrics_are_for_operators(tmp_path: Path) -> None:
    """A proxy before a gateway comes from loopback like anybody else, so where one comes from opens nothing."""
    async with Provider() as provider, rig(tmp_path) as made:
        assert (await made.get("/metrics", TOKEN)).error["code"] == "no_routes"
        made.route(endpoint(provider))
        assert (await made.get("/metrics")).status == 401
        assert (await made.get("/metrics", "sg_live_other")).status == 401
        made.route(endpoint(provider), application=msgspec.structs.replace(key(), operator=False))
        assert (await made.get("/metrics", TOKEN)).error["code"] == "not_an_operator"
        made.route(endpoint(provider))
        made.desk.heard_us = 1
        assert (await made.ask()).error["code"] == "stale_routes"
        assert (await made.get("/metrics", TOKEN)).status == 200
        assert (await made.run(Call(b""), "/metrics")).status == 405


async def test_metrics_may_be_open(tmp_path: Path) -> None:
    async with rig(tmp_path, open_metrics=True) as made:
        call = await made.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
        assert call.status == 200
        assert call.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert call.body.endswith(b"# EOF\n")


async def test_metrics_are_told_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When they are wanted most."""
    async with rig(tmp_path, open_metrics=True) as made:
        made.desk.observer = Observer(clock_us, Shelf(tmp_path / "metrics", "w"))
        await made.get("/nowhere")
        await made.desk.observer.put()

        def full(self: Path, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        await made.desk.observer.put()
        assert at(await told(made), "refusals_total", code="not_found") == 1


async def test_those_who_ask_at_a_time_are_told_the_same(tmp_path: Path) -> None:
    """Many readers cost one reading."""
    async with rig(tmp_path, open_metrics=True) as made:
        calls = await asyncio.gather(*(made.get("/metrics") for _ in range(20)))
        assert {call.status for call in calls} == {200}
        assert len({call.body for call in calls}) == 1
