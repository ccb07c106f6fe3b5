"""Which of the endpoints that may answer is asked: health first, then where the prompt is known, then the least busy.

An endpoint that has seen the beginning of a prompt answers faster, as long as it is not much busier than the
others: the beginning's hash names one endpoint (highest random weight, so that others stay where they are when one
comes or goes), and it is taken while it has at most `SLACK` more requests open than the least busy of those looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from stargate.gateway.record import Endpoint
from stargate.gateway.routing.breaker import Breaker

LOOKED_AT = 8
"""Of many endpoints so many are compared; the least busy of a few is nearly the least busy of all."""
SLACK = 2
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Post:
    """An endpoint as one worker sees it."""

    __slots__ = ("breaker", "endpoint", "outstanding", "salt")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.breaker = Breaker()
        self.outstanding = 0
        """Requests that this worker has open there."""
        self.salt = int.from_bytes(blake2b(endpoint.id.encode(), digest_size=8).digest())

    def takes(self, at_us: int) -> bool:
        """Whether it may be given a request now."""
        endpoint = self.endpoint
        bound = endpoint.outstanding_requests
        return not endpoint.draining and (not bound or self.outstanding < bound) and self.breaker.lets(at_us)


class Switchboard:
    """The endpoints of a worker. What is known of one outlives new routes that still name it."""

    def __init__(self) -> None:
        self.posts: dict[str, Post] = {}
        self._turn = 0

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        """New routes."""
        old, self.posts = self.posts, {}
        for endpoint in endpoints:
            post = old.get(endpoint.id)
            if post is None or post.endpoint.url != endpoint.url:
                post = Post(endpoint)
            post.endpoint = endpoint
            self.posts[endpoint.id] = post

    def pick(
        self, ways: Sequence[Endpoint], prefix: int, at_us: int, tried: Collection[str] = ()
    ) -> Post | None:
        """The one to ask; None: none takes a request now.

        `prefix`: 64 bits of the hash of the prompt's beginning, 0 for none; `tried`: ids that were asked already.
        """
        posts = self.posts
        takers = [
            post
            for endpoint in ways
            if endpoint.id not in tried and (post := posts.get(endpoint.id)) is not None and post.takes(at_us)
        ]
        if len(takers) < 2:
            return takers[0] if takers else None
        known = max(takers, key=lambda post: _weight(prefix, post.salt)) if prefix else None
        self._turn += 1
        if len(takers) > LOOKED_AT:
            start = (self._turn * _GOLDEN & _MASK) % len(takers)
            takers = (takers + takers[:LOOKED_AT])[start : start + LOOKED_AT]
        turn = self._turn % len(takers)
        least = min(
            takers[turn:] + takers[:turn],
            key=lambda post: (post.outstanding, post.endpoint.cost_usd_per_million_tokens),
        )
        if known is not None and known.outstanding <= least.outstanding + SLACK:
            return known
        return least


def prefix_of(beginning: bytes) -> int:
    """A prompt's beginning as `pick` wants it."""
    return int.from_bytes(blake2b(beginning, digest_size=8).digest()) if beginning else 0


def _weight(prefix: int, salt: int) -> int:
    mixed = ((prefix ^ salt) * _GOLDEN) & _MASK
    return ((mixed ^ (mixed >> 29)) * _GOLDEN) & _MASK
