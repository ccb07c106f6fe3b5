"""Rest after failures, and one request that tries."""

from __future__ import annotations

from stargate.gateway.routing import Breaker
from stargate.gateway.routing.breaker import FAILURES_BORNE, REST_LIMIT_US, REST_US


def test_a_few_failures_are_borne_and_an_answer_forgives_them() -> None:
    """Only in a row do they count."""
    breaker = Breaker()
    for _ in range(10):
        for _ in range(FAILURES_BORNE - 1):
            breaker.failed(0)
        assert breaker.lets(0)
        breaker.answered()
    for _ in range(FAILURES_BORNE):
        breaker.failed(0)
    assert not breaker.lets(REST_US - 1)


def test_after_its_rest_one_request_tries_it() -> None:
    """While that is under way no other does; it decides."""
    breaker = Breaker()
    breaker.failed(0, unreachable=True)
    assert breaker.lets(REST_US)
    breaker.begin()
    assert not breaker.lets(REST_US)
    breaker.failed(REST_US)
    assert not breaker.lets(REST_US + 2 * REST_US - 1)
    assert breaker.lets(REST_US + 2 * REST_US)
    breaker.begin()
    breaker.answered()
    assert breaker.lets(REST_US)


def test_a_client_that_leaves_says_nothing_about_it() -> None:
    """The next request tries it."""
    breaker = Breaker()
    breaker.failed(0, unreachable=True)
    breaker.begin()
    breaker.left()
    assert breaker.lets(REST_US)


def test_rests_grow_up_to_a_bound() -> None:
    """A provider that is away for a day is asked twice a minute."""
    breaker, at_us = Breaker(), 0
    for _ in range(50):
        breaker.failed(at_us, unreachable=True)
        assert breaker.until_us - at_us <= REST_LIMIT_US
        at_us = breaker.until_us
    assert breaker.until_us - at_us == 0


def test_what_fails_at_once_is_one_failure() -> None:
    """Twenty streams are cut where a provider is lost once: it rests no longer for that."""
    breaker = Breaker()
    for _ in range(20):
        breaker.failed(0)
    assert breaker.until_us == REST_US
    breaker.begin()
    breaker.failed(1)
    assert breaker.until_us == 1 + 2 * REST_US
