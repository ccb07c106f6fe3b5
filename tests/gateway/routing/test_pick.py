"""Which endpoint is asked."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import msgspec

from stargate.gateway.record import Endpoint
from stargate.gateway.routing import Switchboard, prefix_of
from stargate.gateway.routing.pick import SLACK


def endpoints(count: int, **more: object) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            id=f"e{each}", model="m", url=f"http://127.0.0.1:{each + 1}/v1", provider="p", party="p", **more
        )  # type: ignore[arg-type]
        for each in range(count)
    )


def board(ways: tuple[Endpoint, ...]) -> Switchboard:
    made = Switchboard()
    made.update(ways)
    return made


def test_the_least_busy_is_asked() -> None:
    """By the requests that are open."""
    ways = endpoints(3)
    made = board(ways)
    for _ in range(30):
        post = made.pick(ways, 0, 0)
        assert post is not None
        post.outstanding += 1
    assert [post.outstanding for post in made.posts.values()] == [10, 10, 10]


def test_of_many_none_is_forgotten() -> None:
    """Only some are compared, and others each time."""
    ways = endpoints(100)
    made = board(ways)
    for _ in range(1_000):
        post = made.pick(ways, 0, 0)
        assert post is not None
        post.outstanding += 1
    open_there = [post.outstanding for post in made.posts.values()]
    assert min(open_there) >= 8
    assert max(open_there) <= 12


def test_a_prompt_goes_where_its_beginning_is_known_unless_that_is_busy() -> None:
    """And others stay where they are when an endpoint is lost."""
    ways = endpoints(5)
    made = board(ways)
    homes = {}
    for each in range(200):
        prefix = prefix_of(b"%d" % each)
        first, second = made.pick(ways, prefix, 0), made.pick(ways, prefix, 0)
        assert first is not None
        assert first is second
        homes[prefix] = first.endpoint.id
    assert min(Counter(homes.values()).values()) > 15
    fewer = ways[1:]
    moved = 0
    for prefix, home in homes.items():
        post = made.pick(fewer, prefix, 0)
        assert post is not None
        moved += post.endpoint.id != home
        assert home in {"e0", post.endpoint.id}
    assert moved == Counter(homes.values())["e0"]
    prefix = next(iter(homes))
    made.posts[homes[prefix]].outstanding = SLACK + 1
    busy = made.pick(ways, prefix, 0)
    assert busy is not None
    assert busy.endpoint.id != homes[prefix]


def test_of_those_that_are_alike_the_cheaper_is_asked() -> None:
    """A replica that is paid for anyway before an API that bills."""
    dear, cheap = endpoints(2)
    dear = msgspec.structs.replace(dear, cost_usd_per_million_tokens=Decimal(3))
    made = board((dear, cheap))
    assert {made.pick((dear, cheap), 0, 0) for _ in range(10)} == {made.posts["e1"]}


def test_full_draining_and_resting_endpoints_are_passed_over() -> None:
    """None is left: none is asked."""
    full, leaving, resting = endpoints(3)
    full = msgspec.structs.replace(full, outstanding_requests=1)
    leaving = msgspec.structs.replace(leaving, draining=True)
    ways = (full, leaving, resting)
    made = board(ways)
    made.posts["e0"].outstanding = 1
    made.posts["e2"].breaker.failed(0, unreachable=True)
    assert made.pick(ways, 0, 1) is None
    made.posts["e0"].outstanding = 0
    assert made.pick(ways, 0, 1) is made.posts["e0"]
    assert made.pick(ways, 0, 1, tried={"e0"}) is None


def test_what_is_known_of_an_endpoint_outlives_new_routes() -> None:
    """Its open requests and its failures; another address is another endpoint."""
    ways = endpoints(2)
    made = board(ways)
    made.posts["e0"].outstanding = 7
    moved = msgspec.structs.replace(ways[1], url="http://127.0.0.1:99/v1")
    made.posts["e1"].outstanding = 7
    made.update((ways[0], moved))
    assert made.posts["e0"].outstanding == 7
    assert made.posts["e1"].outstanding == 0
