"""Every route, every role, and ids of others: what is not allowed is 403, what is not one's own is 404, never 200."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from stargate.base import wire
from stargate.gateway.batch import Results
from stargate.gateway.limits.lease import Leasing
from stargate.gateway.record import Load
from stargate.server import openapi
from stargate.server.access import ALLOWED, may
from stargate.server.api.app import MODULES
from stargate.server.auth import ROLES, Actor
from tests.server.told import shipment, told
from tests.server.world import JOB, REQUIREMENT, TERMS, Caller, Stage, configured, need, peopled, staged

pytestmark = pytest.mark.anyio

PARTIES = {"microsoft": "offers", "oracle-co": "quotes", "amazon": "leases"}
"""Whose is what in this world."""

CALLERS = [
    "nobody",
    "operator",
    "engineer",
    "finance",
    "gateway",
    "application",
    *(f"provider:{party}" for party in PARTIES),
]

BODIES: dict[str, Any] = {
    "submit_workload": {"id": "new", "yaml": JOB},
    "scale_workload": {"replicas": 2},
    "answer_offer": {"answer": "decline"},
    "grant_waiver": {
        "id": "w",
        "clause": "ms-2025/rofr",
        "holder": "microsoft",
        "waiver": "need",
        "need": "offered",
    },
    "open_need": need("new"),
    "revise_need": {"requirement": REQUIREMENT | {"chips": 16}},
    "award_need": {"quote": "quote"},
    "submit_quote": {"id": "new", "provider": "oci", "pool": "oci-h200", "terms": TERMS},
    "report_delivery": {"delivered_chips": 8},
    "mark_supply": {"scope": "pool", "id": "oci-h100", "status": "draining"},
    "set_capacity": {"nodes": 4},
    "declare_fact": {"name": "x", "value": 1},
    "add_usage": {
        "events": [
            {
                "source": "gateway:gateway-",
                "key": "k",
                "metric": "tokens",
                "quantity": "1",
                "start": "2026-03-01",
            }
        ]
    },
    "make_key": {"name": "k", "role": "engineer"},
    "create_batch": {
        "input_file_id": "file-1",
        "endpoint": "/v1/embeddings",
        "completion_window": "24h",
    },
}

PACKED: dict[str, Any] = {
    "add_records": shipment(told(2)),
    "hear_load": Load(node="a"),
    "lend": Leasing("a", "s", 1),
    "add_results": Results(0, ()),
}
"""Bodies that are msgpack."""

IDS = {
    "/v1/workloads/{id}": ("waits", ""),
    "/v1/attempts/{id}": ("done.0.1", ""),
    "/v1/explain/{subject}": ("waits", ""),
    "/v1/offers/{id}": ("offered.o1", "microsoft"),
    "/v1/needs/{id}/quotes": ("quoted", "*"),
    "/v1/needs/{id}": ("quoted", "*"),
    "/v1/quotes/{id}": ("quote", "oracle-co"),
    "/v1/leases/{id}": ("leased.l1", "amazon"),
    "/v1/pools/{id}": ("oci-h100", ""),
    "/v1/keys/{id}": ("nobody", ""),
    "/v1/requests/{id}": ("req_1", ""),
    "/v1/files/{id}": ("file-1", ""),
    "/v1/batches/{id}": ("batch_1", ""),
}
"""By the beginning of a path: an id that exists, and the provider's party that it belongs to (`*`: the market)."""


@cache
def routes() -> list[tuple[str, str, str]]:
    """Method, path and operation of every route."""
    return [
        (method.upper(), path, operation["operationId"])
        for path, item in openapi()["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "delete"}
    ]


@cache
def actions() -> dict[str, str]:
    """Operation to the action that its route names."""
    handlers = [route for module in MODULES for route in module.ROUTES]
    return {handler.fn.__name__: handler.opt.get("action", "") for handler in handlers}


def test_every_route_names_an_action_that_the_table_knows() -> None:
    known = set().union(*ALLOWED.values())
    for name, action in actions().items():
        assert action in known | {"anybody"} or may(Actor("k", "o", "operator"), action).allowed, name
        assert action, f"{name} has no action: it would be closed to everybody but operators"


def test_nothing_but_the_health_check_is_open_to_anybody() -> None:
    assert {name for name, action in actions().items() if action == "anybody"} == {"health"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(configured(tmp_path)) as stage:
        await peopled(stage)
        await stage.house.intake.take(shipment(told(1)), "gateway:eu")
        yield stage


async def caller(stage: Stage, who: str) -> Caller:
    role, _, party = who.partition(":")
    if who == "nobody":
        return Caller(stage.app, "")
    return await stage.caller(role, party)


async def send(caller: Caller, method: str, path: str, operation: str) -> httpx.Response:
    if method == "GET":
        return await caller.http.get(path)
    if method == "DELETE":
        return await caller.http.delete(path)
    if operation == "upload_file":
        return await caller.http.post(path, files={"file": ("a.jsonl", b"{}")}, data={"purpose": "batch"})
    if operation in PACKED:
        content, headers = wire.pack(PACKED[operation]), {"content-type": "application/msgpack"}
        return await caller.http.post(path, content=content, headers=headers)
    return await caller.send(path, BODIES.get(operation))


def at(path: str) -> tuple[str, str]:
    """The path with an id that exists, and whose that is."""
    for beginning, (id, owner) in IDS.items():
        if path.startswith(beginning):
            return path.replace("{id}", id).replace("{subject}", id), owner
    assert "{" not in path, f"add an id for {path}"
    return path, ""


def expected(who: str, action: str, owner: str, path: str) -> set[int]:
    """The statuses that are right. What is allowed may still be refused for its content."""
    role, _, party = who.partition(":")
    fine = {200, 201, 404, 409, 422} if role in {"operator", "application"} else {200, 201, 409, 422}
    if action == "anybody":
        return {200}
    if who == "nobody":
        return {401}
    if role == "operator":
        return fine | {403}
    if action not in ALLOWED[role]:  # type: ignore[index]
        return {403}
    if role == "provider" and owner not in {"", "*", party}:
        return {404}
    return fine


@pytest.mark.parametrize("who", CALLERS)
async def test_every_route_for_every_role(stage: Stage, who: str) -> None:
    somebody = await caller(stage, who)
    known = actions()
    for method, path, operation in routes():
        here, owner = at(path)
        before = stage.digest()
        answer = await send(somebody, method, here, operation)
        right = expected(who, known[operation], owner, path)
        assert answer.status_code in right, f"{who}: {method} {here}: {answer.status_code} {answer.text}"
        if answer.status_code >= 400:
            assert stage.digest() == before, f"{who}: {method} {here} was refused and changed the state"
            assert set(answer.json()["error"]) >= {"type", "message", "remedy"}


NOTHING = ("nobody", "../../etc/passwd", "a b", "'; DROP TABLE", "\x00", "é", "%2e%2e", "x" * 300)


@pytest.mark.parametrize("who", CALLERS[1:])
async def test_ids_of_nothing(stage: Stage, who: str) -> None:
    somebody = await caller(stage, who)
    for method, path, operation in routes():
        for id in NOTHING if "{" in path else ():
            here = path.replace("{id}", quote(id, safe="")).replace("{subject}", quote(id, safe=""))
            answer = await send(somebody, method, here, operation)
            assert answer.status_code in {403, 404, 405, 422}, f"{who}: {method} {here}: {answer.text}"


async def test_a_foreign_id_is_answered_like_one_that_does_not_exist(stage: Stage) -> None:
    """Nothing but the id differs, so an id tells nothing."""
    amazon = await stage.caller("provider", "amazon")
    for path, there in (("/v1/offers", "offered.o1"), ("/v1/needs", "offered")):
        foreign = await amazon.http.get(f"{path}/{there}")
        missing = await amazon.http.get(f"{path}/nothing")
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert foreign.text.replace(there, "?") == missing.text.replace("nothing", "?")


async def test_a_provider_lists_what_is_its_own(stage: Stage) -> None:
    seen = {}
    for party in PARTIES:
        desk = await stage.caller("provider", party)
        seen[party] = {
            kind: [item["id"] for item in (await desk.get(f"/v1/{kind}"))["items"]]
            for kind in ("offers", "needs", "leases")
        }
    assert seen == {
        "microsoft": {"offers": ["offered.o1"], "needs": ["quoted"], "leases": []},
        "oracle-co": {"offers": [], "needs": ["quoted"], "leases": []},
        "amazon": {"offers": [], "needs": ["quoted"], "leases": ["leased.l1"]},
    }


async def test_a_provider_does_not_learn_what_others_quote_or_what_the_buyer_would_pay(stage: Stage) -> None:
    for party, quotes in (("oracle-co", ["quote"]), ("amazon", [])):
        desk = await stage.caller("provider", party)
        shown = await desk.get("/v1/needs/quoted")
        assert [quote["id"] for quote in shown.get("quotes", ())] == quotes
        assert set(shown) <= {"id", "status", "version", "requirement", "market_closes_at", "quotes"}
        assert "max_price_micro_usd_per_chip_hour" not in shown["requirement"]
    assert (
        "max_price_micro_usd_per_chip_hour" in (await stage.operator.get("/v1/needs/quoted"))["requirement"]
    )


async def test_a_provider_quotes_for_itself_only(stage: Stage) -> None:
    amazon = await stage.caller("provider", "amazon")
    body = {"provider": "oci", "pool": "oci-h200", "terms": TERMS}
    error = await amazon.refused(422, "/v1/needs/quoted/quotes", body)
    assert "no provider of amazon" in error["message"]
    taken = {"id": "quote", "provider": "aws", "pool": "aws-h200", "terms": TERMS | {"jurisdiction": "US-TX"}}
    assert "cannot be used" in (await amazon.refused(422, "/v1/needs/quoted/quotes", taken))["message"]
    own = await amazon.post("/v1/needs/quoted/quotes", taken | {"id": ""})
    assert own["quote"]["provider"] == "aws"
    assert own["quote"]["quoted_by"] == "amazon"
    oracle = await stage.caller("provider", "oracle-co")
    await oracle.refused(404, f"/v1/quotes/{own['quote']['id']}/withdraw")
    withdrawn = await amazon.post(f"/v1/quotes/{own['quote']['id']}/withdraw")
    assert withdrawn["quote"]["status"] == "withdrawn"


async def test_a_holder_answers_for_itself(stage: Stage) -> None:
    microsoft = await stage.caller("provider", "microsoft")
    answered = await microsoft.post(
        "/v1/offers/offered.o1/answer", {"answer": "cannot_meet", "unmet": ["start_by"]}
    )
    assert answered["offer"]["status"] == "cannot_meet"
    assert answered["offer"]["answers"][0]["answered_by"] == "microsoft"


async def test_finance_counts_and_does_not_read_scripts(stage: Stage) -> None:
    finance = await stage.caller("finance")
    await stage.operator.post("/v1/workloads", {"id": "secretive", "yaml": JOB + "envs: {TOKEN: hunter2}\n"})
    text = (await finance.http.get("/v1/workloads/secretive")).text
    assert "hunter2" not in text
    assert "echo hello" not in text
    engineer = await stage.caller("engineer")
    assert "hunter2" in (await engineer.http.get("/v1/workloads/secretive")).text


async def test_what_is_no_key(stage: Stage) -> None:
    nobody = Caller(stage.app, "")
    for header in (
        "",
        "Bearer",
        "Bearer ",
        "Basic b3A6b3A=",
        "Bearer sg_live_nonsense",
        "sg_live_x",
        "Bearer \x7f",
    ):
        answer = await nobody.http.get("/v1/status", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "UnauthorizedError"


async def test_a_revoked_key_is_refused_with_the_next_request(stage: Stage) -> None:
    made = await stage.operator.post("/v1/keys", {"name": "k", "role": "engineer"})
    engineer = Caller(stage.app, made["key"])
    await engineer.get("/v1/status")
    await stage.operator.post(f"/v1/keys/{made['id']}/revoke")
    assert (await engineer.http.get("/v1/status")).status_code == 401


async def test_keys_are_shown_once(stage: Stage) -> None:
    made = await stage.operator.post("/v1/keys", {"name": "k", "role": "engineer"})
    text = (await stage.operator.http.get("/v1/keys")).text
    assert made["key"] not in text
    assert made["shown"] in text


async def test_an_applications_scope_is_shown_and_checked(stage: Stage) -> None:
    scope = {"party": "microsoft", "product": "api", "residency": ["NO"], "budget_micro_usd": 5_000_000}
    body = {"name": "app", "role": "application", "scope": scope, "operator": True}
    made = await stage.operator.post("/v1/keys", body)
    assert (made["scope"], made["operator"]) == (scope, True)
    for wrong in (
        body | {"role": "engineer"},
        body | {"scope": {"party": "nobody"}},
        body | {"scope": {"residency": ["UK"]}},
        body | {"scope": {"requests_per_minute": -1}},
        body | {"scope": {"requests": 1}},
        body | {"name": "a\u0000b"},
    ):
        assert (await stage.operator.refused(422, "/v1/keys", wrong))["remedy"]


def test_there_is_a_role_for_everybody() -> None:
    assert set(ROLES) == {"operator", "engineer", "finance", "provider", "gateway", "application", "batch"}
