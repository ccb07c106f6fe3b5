from __future__ import annotations

from typing import get_args

import pytest

from stargate.base.errors import ForbiddenError, NotFoundError
from stargate.server.access import ALLOWED, Action, Resource, demand, demand_sight, demand_source, may
from stargate.server.auth import ROLES, Actor

OPERATOR = Actor("1", "op", "operator")
ENGINEER = Actor("2", "eng", "engineer")
FINANCE = Actor("3", "fin", "finance")
PROVIDER = Actor("4", "desk", "provider", "acme")
GATEWAY = Actor("6", "eu", "gateway")
APPLICATION = Actor("7", "app", "application")

READING = {
    "status.read",
    "workloads.read",
    "needs.read",
    "quotes.read",
    "leases.read",
    "journal.read",
    "explain.read",
    "usage.read",
    "statements.read",
}


def test_every_role_but_the_operator_has_its_row() -> None:
    assert set(ALLOWED) == set(ROLES) - {"operator"}


@pytest.mark.parametrize("action", get_args(Action))
def test_the_operator_may_do_everything(action: str) -> None:
    assert may(OPERATOR, action).allowed


@pytest.mark.parametrize("actor", [ENGINEER, FINANCE, PROVIDER, GATEWAY, APPLICATION])
def test_what_is_not_in_the_table_is_denied(actor: Actor) -> None:
    assert not may(actor, "anything.else").allowed
    assert not may(actor, "").allowed


def test_finance_only_reads() -> None:
    assert ALLOWED["finance"] == READING


@pytest.mark.parametrize(
    "action", ["keys.manage", "declare", "facts.declare", "usage.add", "supply.mark", "waivers.grant"]
)
@pytest.mark.parametrize("actor", [ENGINEER, FINANCE, PROVIDER])
def test_some_things_are_the_operators_alone(actor: Actor, action: str) -> None:
    assert not may(actor, action).allowed


def test_a_gateway_reads_routes_says_what_it_does_puts_usage_on_record_and_nothing_else() -> None:
    assert [action for action in get_args(Action) if may(GATEWAY, action).allowed] == [
        "routes.read",
        "records.add",
        "load.tell",
        "usage.add",
    ]


def test_an_application_has_files_and_batches_here_and_nothing_else() -> None:
    assert [action for action in get_args(Action) if may(APPLICATION, action).allowed] == [
        "files.use",
        "batches.use",
    ]


def test_the_key_of_a_batch_goes_through_that_batch_and_does_nothing_else() -> None:
    runner = Actor("k", "batch_1", "batch")
    assert [action for action in get_args(Action) if may(runner, action).allowed] == ["batches.run"]


@pytest.mark.parametrize("source", ["gateway:eu", "gateway:eu/node-7"])
def test_a_gateway_speaks_for_its_own_name_and_below(source: str) -> None:
    demand_source(GATEWAY, source, "output_tokens")


@pytest.mark.parametrize(
    ("source", "metric"),
    [
        ("gateway:us", "output_tokens"),
        ("gateway:eu-2", "output_tokens"),
        ("gateway:", "output_tokens"),
        ("eu", "output_tokens"),
        ("journal:main", "chip_seconds"),
        ("gateway:eu", "revenue_usd"),
        ("gateway:eu", "payment_usd"),
    ],
)
def test_a_gateway_speaks_for_nobody_else_and_never_of_money(source: str, metric: str) -> None:
    with pytest.raises(ForbiddenError):
        demand_source(GATEWAY, source, metric)
    demand_source(OPERATOR, source, metric)


def test_a_provider_sees_what_is_its_own() -> None:
    assert may(PROVIDER, "offers.read", Resource(("acme",))).allowed
    assert not may(PROVIDER, "offers.read", Resource(("other",))).allowed
    assert not may(PROVIDER, "offers.read", Resource()).allowed


def test_a_provider_sees_the_market() -> None:
    assert may(PROVIDER, "needs.read", Resource(public=True)).allowed


def test_the_market_does_not_widen_a_role() -> None:
    assert not may(PROVIDER, "needs.change", Resource(public=True)).allowed


def test_a_provider_without_party_sees_nothing() -> None:
    nobody = Actor("5", "x", "provider", "")
    assert not may(nobody, "offers.read", Resource(("",))).allowed


def test_a_verdict_says_why() -> None:
    assert "role finance" in may(FINANCE, "workloads.submit").because
    assert "acme" in may(PROVIDER, "offers.read", Resource(("other",))).because


def test_demand_names_the_way_out() -> None:
    with pytest.raises(ForbiddenError, match="another role"):
        demand(FINANCE, "workloads.submit")
    demand(ENGINEER, "workloads.submit")


def test_what_is_not_ones_own_does_not_exist() -> None:
    with pytest.raises(NotFoundError, match="no offer 'o1'"):
        demand_sight(PROVIDER, "offers.read", Resource(("other",)), "offer", "o1")
    demand_sight(PROVIDER, "offers.read", Resource(("acme",)), "offer", "o1")
