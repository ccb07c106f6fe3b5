"""One model with two providers, and where three kinds of traffic may go, by the agreements of the example.

In January 2025 the API was exclusive to Azure. The amendment of October 2025 excepted customers of national security;
that of April 2026 ended it. The lab's own product was never bound.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.gateway.plant import running
from tests.gateway.stage import TRAFFIC, Stage

AT_FIRST, WITH_EXCEPTIONS, AFTER_THE_END = "2025-02-01", "2025-11-03", "2026-05-01"
THE_END = datetime(2026, 4, 27, tzinfo=UTC)
CLAUSE = "microsoft-openai/api-exclusive"
pytestmark = pytest.mark.slow
bound = pytest.mark.parametrize("day", [AT_FIRST, WITH_EXCEPTIONS])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("stage"))
    with running(made, workers=1):
        yield made


@bound
def test_the_api_is_served_on_azure_and_nowhere_else(stage: Stage, day: str) -> None:
    stage.on(day)
    said = [stage.chat("api") for _ in range(4)]
    assert {(each.status, each.provider) for each in said} == {(200, "azure")}
    why = json.loads(said[0].why)
    assert why["open"] == [["azure", "fairwater-atlanta"]]
    assert why["grounds"] == [[CLAUSE, "It is exclusive to microsoft, and runs there"]]
    assert [(shut["provider"], shut["clause"]) for shut in why["shut"]] == [("oci", CLAUSE)]


@bound
def test_also_when_azure_is_full(stage: Stage, day: str) -> None:
    """It takes one request at a time. The reason names the clause; Oracle, which has room, is not asked."""
    stage.on(day)
    with stage.full():
        said = stage.chat("api")
    assert (said.status, said.code, said.provider) == (429, "no_capacity", "")
    assert "'lm-6' is served to this key by azure fairwater-atlanta, and takes no more" in said.message
    assert f"not elsewhere: oci abilene: api is exclusive to microsoft ({CLAUSE})" in said.message


@bound
def test_also_when_azure_says_so_itself(stage: Stage, day: str) -> None:
    stage.on(day)
    stage.providers["azure"].play("play=429", times=1)
    said = stage.chat("api")
    assert (said.status, said.code, said.provider) == (429, "upstream_busy", "azure")
    assert f"not elsewhere: oci abilene: api is exclusive to microsoft ({CLAUSE})" in said.message


@bound
def test_the_product_flows_to_oracle(stage: Stage, day: str) -> None:
    """No clause is about it: the cheaper one serves it, and it has the other too."""
    stage.on(day)
    said = stage.chat("chatgpt")
    assert (said.status, said.provider) == (200, "oci")
    assert "shut" not in json.loads(said.why)
    stage.providers["oci"].play("play=503", times=1)
    assert stage.chat("chatgpt").provider == "azure"
    with stage.full():
        assert stage.chat("chatgpt").provider == "oci"


def test_a_government_key_follows_its_exception(stage: Stage) -> None:
    """Which there was not, at first."""
    stage.on(AT_FIRST)
    with stage.full():
        said = stage.chat("government")
        assert (said.status, said.code) == (429, "no_capacity")
        assert CLAUSE in said.message
    stage.on(WITH_EXCEPTIONS)
    with stage.full():
        said = stage.chat("government")
        assert (said.status, said.provider) == (200, "oci")
        ((clause, says),) = json.loads(said.why)["grounds"]
        assert clause == f"{CLAUSE}/national-security"
        assert says == f"The exception national-security covers this request, so {CLAUSE} is silent"
        assert stage.chat("api").status == 429


@pytest.mark.parametrize("traffic", TRAFFIC)
def test_after_its_end_all_of_it_flows_anywhere(stage: Stage, traffic: str) -> None:
    stage.on(AFTER_THE_END)
    assert stage.chat(traffic).provider == "oci"
    stage.providers["oci"].play("play=503", times=1)
    assert stage.chat(traffic).provider == "azure"
    with stage.full():
        assert stage.chat(traffic).provider == "oci"


def test_the_day_comes_though_nobody_says_so(stage: Stage) -> None:
    """A gateway holds the agreements with their dates: its control plane is gone when the amendment takes effect."""
    before_s = 8.0
    moment = THE_END - timedelta(seconds=before_s)
    stage.key_for("api")
    stage.on(moment.isoformat())
    ends_s = time.monotonic() + before_s
    stage.kill_server()
    try:
        with stage.full():
            assert stage.chat("api").status == 429
            assert time.monotonic() < ends_s, "too slow to see the last moments of the clause"
            time.sleep(ends_s - time.monotonic() + 0.5)
            assert stage.chat("api").provider == "oci"
    finally:
        stage.start_server()


def test_explain_says_why(stage: Stage) -> None:
    """What an operator reads of three requests: bound, excepted, free."""
    stage.on(WITH_EXCEPTIONS)
    said = stage.explained(stage.chat("api").request)
    assert said.splitlines()[0] == "chat/completions for api (api): done by azure at fairwater-atlanta"
    assert reasons(said) == [
        "lm-6 may be served to it by azure fairwater-atlanta",
        f"  because it is exclusive to microsoft, and runs there [{CLAUSE}]",
        f"  not by oci abilene, 1 endpoint: api is exclusive to microsoft [{CLAUSE}]",
        (
            "    it would take microsoft as the provider; or "
            "the exception national-security (customer In national_security); or "
            "the exception own-products (audience In own_products); or a waiver by microsoft"
        ),
    ]
    assert reasons(stage.explained(stage.chat("government").request)) == [
        "lm-6 may be served to it by azure fairwater-atlanta, oci abilene",
        (
            f"  because the exception national-security covers this request, so {CLAUSE} is silent"
            f" [{CLAUSE}/national-security]"
        ),
    ]
    stage.on(AFTER_THE_END)
    ended = datetime.now(UTC).date() - timedelta(days=4)  # four days before the day that is staged
    assert reasons(stage.explained(stage.chat("api").request)) == [
        "lm-6 may be served to it by azure fairwater-atlanta, oci abilene",
        f"  because {CLAUSE} does not apply: microsoft-openai-2026-04/any-cloud removed it on {ended} [{CLAUSE}]",
    ]


def test_explain_of_what_was_refused_at_once_says_where_the_reason_stands(stage: Stage) -> None:
    stage.on(WITH_EXCEPTIONS)
    with stage.full():
        refused = stage.chat("api")
    assert "its answer said why" in stage.say("explain", refused.request)


def reasons(said: str) -> list[str]:
    """What stands below the table of attempts."""
    return said.strip().split("\n\n")[-1].splitlines()
