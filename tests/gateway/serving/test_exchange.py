"""Whatever an endpoint or a client does: one answer, one settlement, and the count that the endpoint itself has."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stargate.base.errors import SpoolError
from stargate.gateway.record import Model, Price, Settled
from tests.gateway.provider import FAULTS, STYLES, Provider
from tests.gateway.serving.rig import Call, Rig, chat, endpoint, key, rig

pytestmark = pytest.mark.anyio


def only(made: Rig) -> Settled:
    """The one attempt, settled."""
    ((_, settled),) = made.attempts()
    assert settled is not None
    return settled


def counted(provider: Provider, made: Rig) -> None:
    """Each attempt has the tokens that the endpoint itself counts under its name, unless it was never asked."""
    for admitted, settled in made.attempts():
        assert settled is not None, "admitted, and never settled"
        used = provider.tally.requests.get(f"{admitted.request}.{admitted.nth}")
        if used is None:
            assert settled.outcome in ("unsent", "refused", "cut")
        elif settled.counted != "estimate":
            assert settled.tokens == used.tokens()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("style", sorted(STYLES))
async def test_every_style_of_answer_passes_and_is_counted(tmp_path: Path, style: str, stream: bool) -> None:
    """Engines write answers in many ways."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = await made.ask(stream=stream, mock=f"play={style}&tokens=5&cached=2")
        assert call.status == 200
        if stream:
            text = "".join(
                choice["delta"].get("content") or ""
                for event in call.events
                if event != "[DONE]"
                for choice in event["choices"]
            )
            assert len(text.split()) == 5
            assert all(
                event == "[DONE]" or event["choices"] or style == "empty-choices" for event in call.events
            )
        settled = only(made)
        assert settled.outcome == ("cut" if style == "no-usage,no-done" else "done")
        if style == "zero-usage":
            assert (settled.counted, settled.tokens.output_tokens) == ("upstream", 0)
        else:
            counted(provider, made)
            assert settled.counted in ("upstream", "lookup")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_every_fault_ends_in_one_clear_answer_and_one_settlement(
    tmp_path: Path,
    fault: str,
    stream: bool,
) -> None:
    """And in the endpoint's own count, where it has one."""
    async with Provider() as provider, rig(tmp_path, first_byte_s=0.3, idle_s=0.3) as made:
        made.route(endpoint(provider))
        call = await made.ask(stream=stream, mock=f"play={fault}&tokens=6")
        assert call.status
        settled = only(made)
        if call.status == 200 and stream:
            last = call.body.rstrip().rpartition(b"\n")[2]
            assert last == b"data: [DONE]" or b'"error"' in last
        elif call.status != 200 and fault != "400":
            assert call.error["code"]
        assert settled.outcome in ("cut", "refused", "unsent", "done")
        counted(provider, made)


@pytest.mark.parametrize("fault", ["429", "500", "503"])
async def test_another_endpoint_answers_where_the_first_says_that_it_cannot(
    tmp_path: Path, fault: str
) -> None:
    """The client sees nothing of it, and one attempt is charged."""
    async with Provider() as bad, Provider() as good, rig(tmp_path) as made:
        bad.play(f"play={fault}")
        made.route(endpoint(bad), endpoint(good))
        for _ in range(6):
            assert (await made.ask()).status == 200
        attempts = made.attempts()
        charged = [settled for _, settled in attempts if settled is not None and settled.chargeable]
        assert len(charged) == 6
        assert len(attempts) > 6
        assert good.tally.total().finished == 6


async def test_an_endpoint_that_is_not_reached_is_not_asked_for_long(tmp_path: Path) -> None:
    """The first request finds it out, and the others go elsewhere at once."""
    async with Provider() as gone, Provider() as good, rig(tmp_path) as made:
        made.route(endpoint(gone), endpoint(good))
        await gone.refuse(reset=True)
        for _ in range(20):
            assert (await made.ask()).status == 200
        unsent = [
            settled for _, settled in made.attempts() if settled is not None and settled.outcome == "unsent"
        ]
        assert 1 <= len(unsent) <= 2


@pytest.mark.parametrize(("play", "code"), [("429", "upstream_busy"), ("503", "upstream_failed")])
async def test_where_those_that_may_cannot_it_is_said_why_others_may_not(
    tmp_path: Path, play: str, code: str
) -> None:
    """Free room elsewhere is no room for this key."""
    async with Provider() as at_home, Provider() as abroad, rig(tmp_path) as made:
        made.route(
            endpoint(at_home, jurisdiction="DE-HE"),
            endpoint(abroad, site="abilene", jurisdiction="US-TX"),
            application=key(residency=("DE",)),
        )
        at_home.play(f"play={play}")
        call = await made.ask()
        assert call.error["code"] == code
        assert call.error["message"].endswith(
            "; not elsewhere: azure abilene: abilene is in US-TX; requests must stay in DE"
        )
        assert not abroad.tally.requests


async def test_what_may_be_at_work_somewhere_is_not_sent_again(tmp_path: Path) -> None:
    """A connection that breaks after the request was sent says nothing about whether it was served."""
    async with Provider() as bad, Provider() as good, rig(tmp_path) as made:
        bad.play("play=shut")
        made.route(
            endpoint(bad, cost_usd_per_million_tokens=0), endpoint(good, cost_usd_per_million_tokens=9)
        )
        call = await made.ask()
        assert call.status == 502
        assert call.error["code"] == "upstream_broke"
        assert good.tally.total().calls == 0


@pytest.mark.parametrize("policy", ["cancel", "drain"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_client_that_leaves_pays_for_what_was_made(tmp_path: Path, stream: bool, policy: str) -> None:
    """The endpoint is told to stop, or read to its end where it bills anyway."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider, abort=policy))
        pace = "pace_ms=10" if stream else "first_ms=200"
        call = Call(chat(stream=stream, mock=f"tokens=40&{pace}"))
        running = asyncio.create_task(made.run(call))
        if stream:
            await call.came.wait()
        await asyncio.sleep(0.1)
        call.leave()
        await asyncio.wait_for(running, 5)
        settled = only(made)
        counted(provider, made)
        if policy == "drain":
            assert settled.tokens.output_tokens == 40
            assert settled.outcome == "done"
            assert provider.tally.total().finished == 1
        else:
            assert settled.outcome == "aborted"
            assert settled.counted == "lookup"
            assert settled.tokens.output_tokens < 40
            assert provider.tally.total().aborted == 1
        assert settled.chargeable


async def test_a_client_that_leaves_its_answer_unread_is_let_go(tmp_path: Path) -> None:
    """It holds up nobody else, and is charged what was made."""
    async with Provider() as provider, rig(tmp_path, send_s=0.5) as made:
        made.route(endpoint(provider))
        call = Call(chat(stream=True, mock="tokens=2000&pace_ms=1"))
        call.reading.clear()
        running = asyncio.create_task(made.run(call))
        await asyncio.sleep(1.5)
        call.reading.set()
        await asyncio.wait_for(running, 5)
        assert only(made).outcome == "aborted"
        assert not made.desk.open_requests


async def test_usage_is_on_disk_before_the_last_byte_leaves(tmp_path: Path) -> None:
    """Whoever has the end of an answer knows that it is recorded."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))

        class Watching(Call):
            async def send_bytes(self, data: bytes) -> None:
                if b"[DONE]" in data:
                    assert only(made).outcome == "done"
                else:
                    ((_, settled),) = made.attempts()
                    assert settled is None
                await super().send_bytes(data)

        call = await made.run(Watching(chat(stream=True)))
        assert call.events[-1] == "[DONE]"


REFUSALS: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown model": ({"model": "huge"}, 404, "model_not_found"),
    "no model": ({"model": ""}, 400, "invalid_request"),
    "no messages": ({"messages": None, "model": "tiny", "stream": "x"}, 400, "invalid_request"),
}


@pytest.mark.parametrize("name", sorted(REFUSALS))
async def test_refusals_have_the_shape_that_clients_know(tmp_path: Path, name: str) -> None:
    """With a code, the field, and whether to try again; nothing is sent anywhere."""
    body, status, code = REFUSALS[name]
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = await made.ask(**body)
        assert (call.status, call.error["code"]) == (status, code)
        assert set(call.error) == {"message", "type", "param", "code"}
        assert call.headers["x-should-retry"] == "false"
        assert call.headers["x-request-id"].startswith("req_")
        assert not made.attempts()


@pytest.mark.parametrize("token", ["", "sg_live_other", "x" * 10_000, "ünïcode"])
async def test_without_a_good_key_nothing_is_said(tmp_path: Path, token: str) -> None:
    """Not even which part is wrong."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = await made.ask(token=token)
        assert (call.status, call.error["code"]) == (401, "invalid_api_key")


async def test_a_key_that_is_revoked_is_worth_nothing_with_the_next_routes(tmp_path: Path) -> None:
    """What is open goes on."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))
        call = Call(chat(stream=True, mock="tokens=20&pace_ms=10"))
        running = asyncio.create_task(made.run(call))
        await call.came.wait()
        made.route(endpoint(provider), application=another())
        assert (await made.ask()).status == 401
        await running
        assert call.events[-1] == "[DONE]"


def another() -> Any:
    """Another key."""
    return msgspec.structs.replace(key(), sha256="0" * 64)


async def test_a_fallback_answers_where_the_model_has_no_endpoint(tmp_path: Path) -> None:
    """In the order in which the model names them."""
    async with Provider() as provider, rig(tmp_path) as made:
        models = (Model(id="large", fallbacks=("gone", "tiny")), Model(id="tiny"))
        made.route(endpoint(provider), models=models)
        call = await made.ask(model="large")
        assert call.status == 200
        ((admitted, _),) = made.attempts()
        assert admitted.model == "tiny"


async def test_limits_are_told_with_the_time_to_wait(tmp_path: Path) -> None:
    """And come back when a request is over."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider), application=key(requests_per_minute=2))
        assert [(await made.ask()).status for _ in range(3)] == [200, 200, 429]
        call = await made.ask()
        assert call.error["code"] == "rate_limit_exceeded"
        assert 55 <= int(call.headers["retry-after"]) <= 62
        made.route(endpoint(provider), application=key(concurrent_requests=1))
        first = asyncio.create_task(made.ask(mock="first_ms=200"))
        await asyncio.sleep(0.1)
        assert (await made.ask()).status == 429
        assert (await first).status == 200
        assert (await made.ask()).status == 200


async def test_a_budget_is_spent_to_its_end_and_not_beyond(tmp_path: Path) -> None:
    """At the model's prices, by what was used."""
    price = Price(input_usd_per_million_tokens=Decimal(1), output_usd_per_million_tokens=Decimal(10))
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(
            endpoint(provider),
            application=key(budget_micro_usd=1_000),
            models=(Model(id="tiny", price=price),),
        )
        statuses = [(await made.ask(max_tokens=8, mock="tokens=8")).status for _ in range(30)]
        spent = sum(
            settled.tokens.input_tokens + 10 * settled.tokens.output_tokens
            for _, settled in made.attempts()
            if settled is not None
        )
        assert statuses == sorted(statuses)
        assert 900 <= spent <= 1_000
        refused = await made.ask(max_tokens=8)
        assert refused.error["code"] == "insufficient_quota"


async def test_where_nothing_can_be_recorded_nothing_is_served(tmp_path: Path, monkeypatch: Any) -> None:
    """A full disk stops new requests; no endpoint is asked."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider))

        async def full(_: object) -> None:
            raise SpoolError("no space left on device", "Make room")

        monkeypatch.setattr(made.desk.spool, "write", full)
        call = await made.ask()
        assert (call.status, call.error["code"]) == (503, "cannot_record")
        assert provider.tally.total().calls == 0


async def test_a_response_may_leave_out_its_model(tmp_path: Path) -> None:
    """Then the first that its key lists is meant; where it lists none, nobody knows which."""
    async with Provider() as provider, rig(tmp_path) as made:
        made.route(endpoint(provider), application=key(models=("tiny",)))
        call = await made.run(Call(b'{"input":"hello"}'), "/v1/responses")
        assert call.status == 200
        assert json.loads(call.body)["model"] == "tiny"
        made.route(endpoint(provider))
        call = await made.run(Call(b'{"input":"hello"}'), "/v1/responses")
        assert (call.status, call.error["param"]) == (400, "model")
