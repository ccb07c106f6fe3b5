"""Whether an endpoint is asked at all: after failures it rests, and one request tries it before it is trusted."""

from __future__ import annotations

FAILURES_BORNE = 3
"""Failures in a row, after which it rests."""
REST_US = 500_000
REST_LIMIT_US = 30_000_000


class Breaker:
    """Closed: asked. Open: not asked before `until`. Half open: one request tries it.

    ::

        closed ── failures in a row, or unreachable ──► open ── rest is over, one request ──► half open
          ▲                                              ▲                                        │
          └───────────────── answered ───────────────────┼──────────────── failed, rests longer ──┤
          └──────────────────────────────────────────────┴──────────────── answered ──────────────┘
    """

    __slots__ = ("_failures", "_rests", "_trying", "until_us")

    def __init__(self) -> None:
        self._failures = 0
        self._rests = 0
        self._trying = False
        self.until_us = 0
        """Microseconds since 1970 until when it rests; 0: it does not."""

    def lets(self, at_us: int) -> bool:
        """Whether it may be asked now. Who asks says afterwards how it went."""
        return self.until_us == 0 or (at_us >= self.until_us and not self._trying)

    def begin(self) -> None:
        """A request is on its way."""
        if self.until_us:
            self._trying = True

    def answered(self) -> None:
        """It works."""
        self._failures = self._rests = self.until_us = 0
        self._trying = False

    def left(self) -> None:
        """The request ended without telling anything about it, as when its client went away."""
        self._trying = False

    def failed(self, at_us: int, *, unreachable: bool = False) -> None:
        """It did not answer, or answered that it cannot. What fails while it rests was on its way before."""
        if at_us < self.until_us and not self._trying:
            return
        self._failures += 1
        if unreachable or self._trying or self._failures >= FAILURES_BORNE:
            self.until_us = at_us + min(REST_LIMIT_US, REST_US << min(self._rests, 16))
            self._rests += 1
        self._trying = False
