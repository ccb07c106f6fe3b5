"""Every token counts under one metric, under a name that is the attempt's for ever."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.gateway.record import Scope, Tokens
from stargate.server.counted import events, fault
from stargate.server.request_log import Filed, Where
from tests.server.told import AT_US, EPOCH, TOKENS, told

LABS = Scope()


def filed(tokens: Tokens = TOKENS, scope: Scope = LABS, seq: int = 3, **changes: object) -> Filed:
    epoch, admitted, settled = told(seq, "k1", tokens=tokens, **changes)  # type: ignore[arg-type]
    where = Where("azure", "microsoft", site="texas")
    return Filed("gateway:eu", "node-1", epoch, admitted, settled, "shop", scope, where, lab="lab")


@pytest.mark.parametrize(
    ("tokens", "parts"),
    [
        (
            Tokens(100, 40, 30, 10),
            {"input_tokens": 60, "cached_tokens": 40, "output_tokens": 20, "reasoning_tokens": 10},
        ),
        (Tokens(7, 0, 3, 0), {"input_tokens": 7, "output_tokens": 3}),
        (Tokens(8, 8, 0, 0), {"cached_tokens": 8}),
        (Tokens(), {}),
        (Tokens(5, 9, 0, 0), {"cached_tokens": 9}),
    ],
)
def test_each_token_counts_once(tokens: Tokens, parts: dict[str, int]) -> None:
    found = {event.metric: event.quantity for event in events(filed(tokens))}
    assert found == {"requests": 1} | parts


def test_an_event_says_whose_it_is_and_where() -> None:
    event = next(events(filed(scope=Scope(product="api", team="web"))))
    assert (event.source, event.key) == ("gateway:eu", f"{EPOCH}/3/requests")
    assert (event.party, event.provider, event.quantity) == ("lab", "microsoft", Decimal(1))
    assert (event.start, event.end) == (AT_US + 3_000, AT_US + 503_000)
    assert event.attributes == {
        "kind": "serve", "model": "big", "product": "api", "team": "web", "key": "shop", "provider": "azure",
        "site": "texas", "count_source": "upstream", "outcome": "done", "chargeable": "yes",
    }  # fmt: skip


def test_who_owes_is_the_scopes_party() -> None:
    assert {event.party for event in events(filed(scope=Scope(party="acme")))} == {"acme"}


def test_what_was_tried_in_vain_is_a_cost_of_ours() -> None:
    (event,) = events(filed(Tokens(), outcome="unsent", counted="none"))
    assert (event.attributes["outcome"], event.attributes["chargeable"]) == ("unsent", "no")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": Tokens(-1, 0, 0, 0)},
        {"tokens": Tokens(1, -1, 0, 0)},
        {"tokens": Tokens(10**13, 0, 0, 0)},
        {"request": "a\u0000b"},
        {"request": "x" * 400},
        {"seq": 0},
        {"seq": 10**15},
    ],
)
def test_what_can_never_be_counted_is_named(wrong: dict[str, object]) -> None:
    assert fault(filed(**wrong))  # type: ignore[arg-type]
    assert not fault(filed())
