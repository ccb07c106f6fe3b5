"""Gangs that have ended are kept as runs of nodes, and nothing of them is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stargate.broker.spans import from_spans, to_spans
from tests.broker.world import Bench, pool, work


@given(nodes=st.lists(st.integers(0, 40), unique=True, max_size=30))
def test_every_gang_comes_back_in_its_order(nodes: list[int]) -> None:
    """The order is that of the ranks."""
    assert from_spans(to_spans(tuple(nodes))) == tuple(nodes)


def test_neighbours_are_one_run() -> None:
    assert to_spans((4, 5, 6, 9)) == (4, 3, 9, 1)
    assert to_spans(tuple(range(100, 10_100))) == (100, 10_000)
    assert to_spans((7,)) == (7, 1)


def test_what_has_ended_says_where_it_stood() -> None:
    """It holds no nodes any more; its chips are what they were."""
    bench = Bench(pool("a"))
    bench.submit(work("job", nodes=3))
    attempt = bench.state.records.attempts["job.0.1"]
    before = attempt.nodes
    bench.run("job.0.1")
    bench.report("job.0.1", "done")
    assert attempt.status == "ended"
    assert attempt.nodes == ()
    assert from_spans(attempt.stood_on) == before
    assert attempt.chips == 24
