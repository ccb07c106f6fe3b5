"""Which of the endpoints that may answer is asked: health first, then where the prompt is known, then the least load.

The load of an endpoint is what is open there, times how much slower than the others it begins to answer, times, unless
only speed counts, how dear it is. Of those that are alike the nearer is asked, then the cheaper, then each in turn.

An endpoint that has seen the beginning of a prompt answers faster, as long as it is not much busier than the
others: the beginning's hash names one endpoint (highest random weight, so that others stay where they are when one
comes or goes), and it is taken while it has at most `SLACK` more requests open than the least loaded of those looked
at, and is not much slower.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from stargate.agreements.scope import within
from stargate.gateway.record import Endpoint
from stargate.gateway.record.endpoint import Prefer
from stargate.gateway.routing.breaker import Breaker
from stargate.gateway.routing.pace import Pace

LOOKED_AT = 8
"""Of many endpoints so many are compared; the least loaded of a few is nearly the least loaded of all."""
SLACK = 2
ALIKE = 1.25
"""Endpoints whose paces differ by less are equally fast."""
SLOWER_BORNE = 2.0
"""How much slower the endpoint that knows a prompt may be."""
EARLY = 8
"""Requests at a time that are given to an endpoint which rests, where no other takes any."""
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Post:
    """An endpoint as one worker sees it."""

    __slots__ = ("begun", "breaker", "cost", "endpoint", "far", "outstanding", "paces", "salt", "turn")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.breaker = Breaker()
        self.outstanding = 0
        """Requests that this worker has open there, and those that it is about to send."""
        self.begun = 0
        """Requests that this worker has ever sent there."""
        self.paces = (Pace(), Pace())
        """Of whole answers, and of streams."""
        self.cost = 0
        """Micro-USD of a million tokens."""
        self.far = False
        """It is not in the gateway's own region."""
        self.turn = 0
        """When it was picked last: of those that are alike, the one longest ago is next."""
        self.salt = int.from_bytes(blake2b(endpoint.id.encode(), digest_size=8).digest())

    def takes(self, at_us: int) -> bool:
        """Whether it may be given a request now."""
        return self._has_room() and self.breaker.lets(at_us)

    def takes_early(self) -> bool:
        """Whether it may be given one although it rests, as nobody else takes it: it may be well again."""
        return self._has_room() and self.outstanding < EARLY

    def _has_room(self) -> bool:
        bound = self.endpoint.outstanding_requests
        return not self.endpoint.draining and (not bound or self.outstanding < bound)

    def began(self, took_us: int, at_us: int, *, stream: bool) -> None:
        """It began to answer so long after it was asked."""
        self.paces[stream].saw(took_us, at_us)


class Switchboard:
    """The endpoints of a worker. What is known of one outlives new routes that still name it."""

    def __init__(self, region: str = "") -> None:
        """`region`: a site, or a place as ISO 3166 has it; endpoints there are asked before others that are alike."""
        self.posts: dict[str, Post] = {}
        self._left: list[Post] = []
        """Those that routes name no more, until the last request there is over."""
        self._region = region
        self._turn = 0

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        """New routes."""
        old, self.posts = self.posts, {}
        for endpoint in endpoints:
            post = old.get(endpoint.id)
            if post is None or post.endpoint.url != endpoint.url:
                post = Post(endpoint)
            post.endpoint = endpoint
            post.cost = int(endpoint.cost_usd_per_million_tokens * 1_000_000)
            post.far = bool(self._region) and not _is_in(endpoint, self._region)
            self.posts[endpoint.id] = post
        self._left += [post for id, post in old.items() if self.posts.get(id) is not post]

    def used(self) -> list[Post]:
        """All that requests may be open at, also where routes have ended."""
        self._left = [post for post in self._left if post.outstanding]
        return [*self._left, *self.posts.values()]

    def pick(
        self,
        ways: Sequence[Endpoint],
        prefix: int,
        at_us: int,
        tried: Collection[str] = (),
        prefer: Prefer = "balanced",
        *,
        stream: bool = False,
    ) -> Post | None:
        """The one to ask; None: none takes a request now.

        `prefix`: 64 bits of the hash of the prompt's beginning, 0 for none; `tried`: ids that were asked already.
        """
        self._turn += 1
        takers = self._takers(ways, at_us, tried, len(ways) if prefix else LOOKED_AT)
        if not takers:
            return self._resting(ways, tried)
        if len(takers) < 2:
            return takers[0]
        known = max(takers, key=lambda post: _weight(prefix, post.salt)) if prefix else None
        takers = takers[:LOOKED_AT]
        loads = _Loads(takers, prefer, at_us, stream=stream)
        found = min(takers, key=loads.rank)
        if known is not None and loads.is_near(known, found):
            found = known
        found.turn = self._turn
        return found

    def _takers(self, ways: Sequence[Endpoint], at_us: int, tried: Collection[str], most: int) -> list[Post]:
        """So many of those that take a request now, from another one on each time where there are many."""
        if len(ways) > LOOKED_AT:
            start = (self._turn * _GOLDEN & _MASK) % len(ways)
            ways = (*ways[start:], *ways[:start])
        posts = self.posts
        found: list[Post] = []
        for endpoint in ways:
            post = posts.get(endpoint.id)
            if post is not None and post.takes(at_us) and endpoint.id not in tried:
                found.append(post)
                if len(found) >= most:
                    break
        return found

    def _resting(self, ways: Sequence[Endpoint], tried: Collection[str]) -> Post | None:
        """Of those that rest after failures, the one that is due next; None: there is none, or enough try it."""
        resting = [
            post
            for endpoint in ways
            if endpoint.id not in tried
            and (post := self.posts.get(endpoint.id)) is not None
            and post.takes_early()
        ]
        return min(resting, key=lambda post: post.breaker.until_us, default=None)


class _Loads:
    """How those that are compared stand to each other."""

    __slots__ = ("_at_us", "_best_us", "_dearest", "_prefer", "_stream")

    def __init__(self, posts: Sequence[Post], prefer: Prefer, at_us: int, *, stream: bool) -> None:
        self._prefer = prefer
        self._at_us = at_us
        self._stream = stream
        paces = [mean for post in posts if (mean := post.paces[stream].expected_us())]
        self._best_us = min(paces, default=0.0)
        self._dearest = max([post.cost for post in posts])

    def rank(self, post: Post) -> tuple[int, float, bool, int, int]:
        """Less is better."""
        load = (post.outstanding + 1) * self._slowness(post)
        prefer, cost = self._prefer, post.cost
        if prefer == "cheapest":
            return cost, load, post.far, 0, post.turn
        if prefer == "balanced" and cost:
            load *= 1 + cost / self._dearest  # the dearest is taken to be twice as busy
        return 0, load, post.far, cost, post.turn

    def is_near(self, known: Post, least: Post) -> bool:
        """Whether an endpoint that knows the prompt is to be preferred to the least loaded."""
        if self._prefer == "cheapest" and known.cost > least.cost:
            return False
        return (
            known.outstanding <= least.outstanding + SLACK
            and self._slowness(known) <= self._slowness(least) * SLOWER_BORNE
        )

    def _slowness(self, post: Post) -> float:
        found = post.paces[self._stream].slowness(self._best_us, self._at_us)
        return found if found > ALIKE else 1.0


def prefix_of(beginning: bytes) -> int:
    """A prompt's beginning as `pick` wants it."""
    return int.from_bytes(blake2b(beginning, digest_size=8).digest()) if beginning else 0


def _is_in(endpoint: Endpoint, region: str) -> bool:
    return endpoint.site == region or within(endpoint.jurisdiction, region)


def _weight(prefix: int, salt: int) -> int:
    mixed = ((prefix ^ salt) * _GOLDEN) & _MASK
    return ((mixed ^ (mixed >> 29)) * _GOLDEN) & _MASK
