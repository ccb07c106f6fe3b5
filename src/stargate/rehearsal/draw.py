"""Chance, by seed and name: every draw comes from a stream of its own, so that one never shifts another."""

from __future__ import annotations

import math
import random
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.time import Duration

LONGEST_US = 10**17
"""No draw is longer: some 3,000 years."""
Sigma = Annotated[float, Meta(ge=0, le=10)]
Chance = Annotated[float, Meta(ge=0, le=1)]
"""A probability."""


def stream(seed: int, name: str) -> random.Random:
    """The draws of one thing. The same seed and name give the same draws, whatever else is drawn."""
    key = blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(key, "big"))  # noqa: S311 - reproducible, not secret


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A length of time that varies: one of `fixed`, `mean`, `median` (with `sigma`), or `low` with `high`."""

    fixed: Duration | None = None
    """Always this."""
    mean: Duration | None = None
    """Exponential: what comes without memory, as the next failure."""
    median: Duration | None = None
    """Lognormal: most are near it, a few take many times as long."""
    sigma: Sigma = 1.0
    """Of the logarithm: with 1, one in six takes 2.7 times the median."""
    low: Duration | None = None
    """Anything between `low` and `high`, each as likely."""
    high: Duration | None = None
    at_most: Duration | None = None
    """Longer ones are cut to this."""

    def __post_init__(self) -> None:
        forms = [self.fixed, self.mean, self.median, self.low]
        if sum(form is not None for form in forms) != 1 or (self.low is None) != (self.high is None):
            raise ValueError("a delay is one of fixed, mean, median, or low with high; give one of them")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high; exchange them")

    @property
    def is_none(self) -> bool:
        """It is always zero, and needs no draw."""
        return self.fixed == 0

    def draw(self, chance: random.Random) -> Duration:
        """One length."""
        if self.fixed is not None:
            drawn = float(self.fixed)
        elif self.mean is not None:
            drawn = chance.expovariate(1.0) * self.mean
        elif self.median is not None:
            drawn = self.median * math.exp(self.sigma * chance.gauss(0.0, 1.0))
        else:
            assert self.low is not None, "a delay has one form"
            assert self.high is not None, "a delay has one form"
            drawn = self.low + (self.high - self.low) * chance.random()
        return Duration(round(min(drawn, LONGEST_US if self.at_most is None else self.at_most)))


AT_ONCE = Delay(fixed=Duration(0))
"""No delay."""
