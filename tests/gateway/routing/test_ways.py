"""Where requests may go under the agreements of the example, at three dates, by product and customer."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from stargate import agreements
from stargate.base.time import FOREVER, Instant
from stargate.gateway.record import Application, Endpoint, Routes, Scope
from stargate.gateway.routing import Map

AZURE = Endpoint(id="azure-1", model="lm-6", url="http://127.0.0.1:1/v1", provider="azure", party="microsoft",
                 site="iowa", jurisdiction="US-IA")  # fmt: skip
ORACLE = Endpoint(id="oracle-1", model="lm-6", url="http://127.0.0.1:2/v1", provider="oracle", party="oracle",
                  site="abilene", jurisdiction="US-TX")  # fmt: skip
EUROPE = Endpoint(id="azure-2", model="lm-6", url="http://127.0.0.1:3/v1", provider="azure", party="microsoft",
                  site="dublin", jurisdiction="IE")  # fmt: skip

API = Application(id="k1", name="api", sha256="1", scope=Scope(product="api", customer="enterprise"))
CHAT = Application(id="k2", name="chat", sha256="2", scope=Scope(product="chatgpt"))
SECURITY = Application(
    id="k3", name="gov", sha256="3", scope=Scope(product="api", customer="national_security")
)
HOME = Application(
    id="k4", name="home", sha256="4", scope=Scope(product="api", attributes={"audience": "own_products"})
)
LOCAL = Application(id="k5", name="eu", sha256="5", scope=Scope(product="chatgpt", residency=("IE", "FR")))

FEBRUARY_2025 = Instant.parse("2025-02-01T00:00:00Z")
NOVEMBER_2025 = Instant.parse("2025-11-03T00:00:00Z")
MAY_2026 = Instant.parse("2026-05-01T00:00:00Z")


@pytest.fixture(scope="module")
def example(repository: Path) -> Map:
    loaded = agreements.load_all(repository / "examples/stargate/agreements")
    return Map(
        Routes(
            version=1,
            made=FEBRUARY_2025,
            lab="openai",
            applications=(API, CHAT, SECURITY, HOME, LOCAL),
            endpoints=(AZURE, ORACLE, EUROPE),
            agreements=tuple(loaded.agreements),
            facts=tuple(loaded.facts),
        )
    )


def sites(routes: Map, application: Application, at: Instant) -> set[str]:
    return {endpoint.site for endpoint in routes.ways(application, "lm-6", at).open}


@pytest.mark.parametrize(
    ("application", "february", "november", "may"),
    [
        (API, {"iowa", "dublin"}, {"iowa", "dublin"}, {"iowa", "dublin", "abilene"}),
        (CHAT, {"iowa", "dublin", "abilene"}, {"iowa", "dublin", "abilene"}, {"iowa", "dublin", "abilene"}),
        (SECURITY, {"iowa", "dublin"}, {"iowa", "dublin", "abilene"}, {"iowa", "dublin", "abilene"}),
        (HOME, {"iowa", "dublin"}, {"iowa", "dublin", "abilene"}, {"iowa", "dublin", "abilene"}),
        (LOCAL, {"dublin"}, {"dublin"}, {"dublin"}),
    ],
    ids=lambda each: each.name if isinstance(each, Application) else "",
)
def test_terms_in_force_say_where_traffic_may_go(
    example: Map, application: Application, february: set[str], november: set[str], may: set[str]
) -> None:
    """Exclusive at first, with exceptions from October 2025, and free from April 2026."""
    assert sites(example, application, FEBRUARY_2025) == february
    assert sites(example, application, NOVEMBER_2025) == november
    assert sites(example, application, MAY_2026) == may


def test_what_is_shut_names_its_clause_and_what_would_change_it(example: Map) -> None:
    """The reason is there for whoever asks why."""
    (shut,) = example.ways(API, "lm-6", NOVEMBER_2025).why.shut
    assert (shut.provider, shut.site, shut.endpoints, shut.filter) == ("oracle", "abilene", 1, "agreement")
    assert shut.clause == "microsoft-openai/api-exclusive"
    assert "microsoft" in shut.says.lower()


def test_what_is_open_says_why_where_a_clause_spoke(example: Map) -> None:
    """A clause that lets, an exception, one that ended; of what no clause is about, nothing."""
    ((clause, says),) = example.ways(API, "lm-6", NOVEMBER_2025).why.grounds
    assert (clause, says) == (
        "microsoft-openai/api-exclusive",
        "It is exclusive to microsoft, and runs there",
    )
    ((clause, says),) = example.ways(SECURITY, "lm-6", NOVEMBER_2025).why.grounds
    assert clause == "microsoft-openai/api-exclusive/national-security"
    assert "covers this request" in says
    ((clause, says),) = example.ways(API, "lm-6", MAY_2026).why.grounds
    assert "microsoft-openai-2026-04/any-cloud removed it on 2026-04-27" in says
    assert example.ways(CHAT, "lm-6", NOVEMBER_2025).why.grounds == ()


def test_an_answer_holds_until_a_date_of_the_agreements(example: Map) -> None:
    """Nobody has to tell a gateway that an exclusivity has ended."""
    ways = example.ways(API, "lm-6", NOVEMBER_2025)
    assert NOVEMBER_2025 < ways.until <= MAY_2026
    assert example.ways(API, "lm-6", NOVEMBER_2025) is ways
    assert example.ways(API, "lm-6", MAY_2026).digest != ways.digest


def test_keys_of_which_agreements_think_alike_share_an_answer() -> None:
    """A million keys of a product are one question."""
    other = Application(id="k9", name="other", sha256="9", scope=Scope(product="api", requests_per_minute=3))
    plain = Application(id="k8", name="plain", sha256="8", scope=Scope(product="api"))
    routes = Map(Routes(version=1, made=MAY_2026, applications=(plain, other), endpoints=(AZURE,)))
    assert routes.ways(plain, "lm-6", MAY_2026) is routes.ways(other, "lm-6", MAY_2026)
    assert routes.ways(plain, "lm-6", MAY_2026).until == FOREVER


def test_a_place_that_is_not_said_is_no_place_to_stay_in() -> None:
    """Residency: whoever does not say where it is, does not get the request."""
    nowhere = Endpoint(id="x", model="lm-6", url="https://api.example/v1", provider="acme", party="acme",
                       cost_usd_per_million_tokens=Decimal(1))  # fmt: skip
    routes = Map(Routes(version=1, made=MAY_2026, applications=(LOCAL,), endpoints=(nowhere,)))
    (shut,) = routes.ways(LOCAL, "lm-6", MAY_2026).why.shut
    assert shut.filter == "residency"
    assert "is not said" in shut.says


def test_a_model_without_endpoints_has_no_ways(example: Map) -> None:
    """And nothing is shut: it is not served at all."""
    ways = example.ways(API, "unheard-of", MAY_2026)
    assert (ways.open, ways.why.shut) == ((), ())
