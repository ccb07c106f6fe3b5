"""Which endpoint is asked."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any

import msgspec
import pytest

from stargate.gateway.record import Endpoint
from stargate.gateway.record.endpoint import Prefer
from stargate.gateway.routing import Switchboard, prefix_of
from stargate.gateway.routing.pick import EARLY, SLACK


def endpoints(count: int, **more: Any) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            id=f"e{each}", model="m", url=f"http://127.0.0.1:{each + 1}/v1", provider="p", party="p", **more
        )
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
    made.posts["e2"].outstanding = EARLY
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


def answered(made: Switchboard, id: str, took_us: int, at_us: int = 1_000) -> None:
    made.posts[id].began(took_us, at_us, stream=True)


def test_what_a_model_prefers_decides_between_the_cheap_and_the_fast() -> None:
    """By default one that is dear counts as if it were busier, and one that is slow as if it were as much busier."""
    dear, cheap = endpoints(2)
    dear = msgspec.structs.replace(dear, cost_usd_per_million_tokens=Decimal(3))
    ways = (dear, cheap)
    made = board(ways)

    def best(prefer: Prefer) -> str:
        post = made.pick(ways, 0, 1_000, (), prefer, stream=True)
        assert post is not None
        return post.endpoint.id

    answered(made, "e0", 100_000)
    answered(made, "e1", 150_000)
    assert [best("cheapest"), best("balanced"), best("fastest")] == ["e1", "e1", "e0"]
    made.posts["e1"].outstanding = 1
    assert [best("cheapest"), best("balanced"), best("fastest")] == ["e1", "e0", "e0"]
    made.posts["e1"].outstanding = 0
    answered(made, "e1", 400_000)
    assert best("balanced") == "e0"


def test_streams_and_whole_answers_are_told_apart() -> None:
    """A whole answer begins when it is done: that says nothing about streams."""
    ways = endpoints(2)
    made = board(ways)
    made.posts["e0"].began(9_000_000, 1_000, stream=False)
    made.posts["e1"].began(1_000_000, 1_000, stream=False)
    assert {made.pick(ways, 0, 1_000, stream=True) for _ in range(4)} == set(made.posts.values())
    assert {made.pick(ways, 0, 1_000) for _ in range(4)} == {made.posts["e1"]}


def test_the_gateways_own_region_comes_first_among_those_that_are_alike() -> None:
    """A site, or a place with all that lies in it; a nearer one that is busier is not alike."""
    far, near, here = endpoints(3)
    near = msgspec.structs.replace(near, jurisdiction="US-TX")
    here = msgspec.structs.replace(here, jurisdiction="DE-HE", site="fra")
    far = msgspec.structs.replace(far, jurisdiction="SG")
    ways = (far, near, here)
    for region, home in (("US", "e1"), ("US-TX", "e1"), ("DE", "e2"), ("fra", "e2"), ("SG", "e0")):
        made = Switchboard(region)
        made.update(ways)
        assert {made.pick(ways, 0, 0) for _ in range(6)} == {made.posts[home]}
        made.posts[home].outstanding = 1
        assert made.posts[home] not in {made.pick(ways, 0, 0) for _ in range(6)}


def test_a_prompt_does_not_stay_with_an_endpoint_that_has_become_slow() -> None:
    """What it saves there is less than what it waits."""
    ways = endpoints(3)
    made = board(ways)
    prefix = prefix_of(b"beginning")
    home = made.pick(ways, prefix, 1_000, stream=True)
    assert home is not None
    for post in made.posts.values():
        post.began(100_000, 1_000, stream=True)
    assert made.pick(ways, prefix, 1_000, stream=True) is home
    home.began(900_000, 2_000, stream=True)
    assert made.pick(ways, prefix, 2_000, stream=True) is not home


class World:
    """Endpoints that take a time each to begin to answer, and are done then; requests come at a steady pace."""

    def __init__(self, *took_ms: int) -> None:
        self.ways = endpoints(len(took_ms))
        self.board = board(self.ways)
        self.took_us = [each * 1_000 for each in took_ms]
        self.at_us = 1_000_000_000
        self._ends: list[tuple[int, int, str]] = []

    def run(self, requests: int, every_ms: int) -> Counter[str]:
        """Who was asked how often."""
        asked: Counter[str] = Counter()
        for _ in range(requests):
            self.at_us += every_ms * 1_000
            while self._ends and self._ends[0][0] <= self.at_us:
                end_us, begin_us, id = heappop(self._ends)
                self.board.posts[id].outstanding -= 1
                self.board.posts[id].began(end_us - begin_us, end_us, stream=True)
            post = self.board.pick(self.ways, 0, self.at_us, stream=True)
            assert post is not None
            post.outstanding += 1
            id = post.endpoint.id
            asked[id] += 1
            heappush(self._ends, (self.at_us + self.took_us[int(id[1:])], self.at_us, id))
        return asked


@pytest.mark.parametrize("every_ms", [10, 40, 200])
def test_a_slow_endpoint_gets_less_and_is_found_when_it_has_recovered(every_ms: int) -> None:
    """At least as much less as it is slower; it is tried now and then, and so shares fairly again."""
    world = World(100, 100, 400)
    world.run(200, every_ms)
    asked = world.run(3_000, every_ms)
    fair = (asked["e0"] + asked["e1"]) / 2
    assert 0 < asked["e2"] <= fair / 4 * 1.2
    assert abs(asked["e0"] - asked["e1"]) < 0.1 * fair
    world.took_us[2] = 100_000
    world.run(60_000 // every_ms, every_ms)
    again = world.run(3_000, every_ms)
    assert min(again.values()) > 900


def test_where_nobody_else_is_left_one_that_rests_is_tried() -> None:
    """It may be well again; a few requests at a time find out."""
    ways = endpoints(2)
    made = board(ways)
    first, second = made.posts.values()
    first.breaker.failed(0, unreachable=True)
    assert made.pick(ways, 0, 1) is second
    assert made.pick(ways, 0, 1, {"e1"}) is first
    first.breaker.begin()
    first.outstanding = EARLY - 1
    assert made.pick(ways, 0, 1, {"e1"}) is first
    first.outstanding = EARLY
    assert made.pick(ways, 0, 1, {"e1"}) is None
    first.breaker.answered()
    assert made.pick(ways, 0, 1, {"e1"}) is first
