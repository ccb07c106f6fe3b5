"""What an estimate is: a point with its range, the terms it is made of, and which of them binds."""

from __future__ import annotations

import msgspec


class Range(msgspec.Struct, frozen=True):
    """A point with the range in which 8 of 10 measurements fell around such points when calibrating."""

    point: float
    low: float
    """10 % of measurements were below."""
    high: float
    """10 % of measurements were above."""

    def scaled(self, factor: float) -> Range:
        """The same range in another unit, or over more time."""
        assert factor >= 0, "a range is scaled by what is not negative"
        return Range(self.point * factor, self.low * factor, self.high * factor)

    def inverse(self, over: float = 1.0) -> Range:
        """`over` divided by it: a time becomes a rate; the bounds change places."""
        return Range(over / self.point, over / self.high, over / self.low)


class Term(msgspec.Struct, frozen=True):
    """One part of a time."""

    name: str
    """`matmul`, `attention`, `tensor_parallel`, `bubble`, …: the words of `docs/reference/performance.md`."""
    seconds: float
    binds: str
    """What it waits for: `compute`, `memory_bandwidth`, `communication`, `bubble`, `overhead`."""


class DoesNotFit(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that the memory of a chip cannot hold: an answer, not a failure."""

    needed_bytes: float
    """Per chip, of the chip that needs most."""
    available_bytes: float
    largest: str
    """The part that needs most: `weights`, `optimizer`, `activations`, `cache`, …"""

    @property
    def missing_bytes(self) -> float:
        """By how much it does not fit."""
        return self.needed_bytes - self.available_bytes

    def __str__(self) -> str:
        return (
            f"needs {self.needed_bytes / 1e9:.1f} GB a chip where {self.available_bytes / 1e9:.1f} GB are free: "
            f"{self.missing_bytes / 1e9:.1f} GB too much, mostly {self.largest}"
        )
