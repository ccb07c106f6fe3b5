"""Scaling, splicing, filtering and assigning, alone and from YAML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.base.document import parse, typed
from stargate.base.errors import InputError
from stargate.rehearsal.traces import Job, Request
from stargate.rehearsal.traces.transform import (
    Assign,
    Condition,
    Filter,
    Rule,
    Scale,
    Span,
    Splice,
    Transformation,
    assigned,
    filtered,
    merged,
    scaled,
    spliced,
    transformed,
)


def jobs(count: int = 10, apart: int = 10, chips: int = 8) -> list[Job]:
    return [
        Job(
            str(n),
            n * apart,
            100,
            chips,
            200,
            user=f"u{n % 3}",
            nodes=-(-chips // 8),
            chips_per_node=min(chips, 8),
        )
        for n in range(count)
    ]


class Steps(msgspec.Struct, forbid_unknown_fields=True):
    """What a scenario holds."""

    transform: list[Transformation]


def test_yaml_says_it_all() -> None:
    text = """
transform:
  - do: filter
    where: [{field: chips, at_least: 8}, {field: user, in: [u0, u1]}]
  - {do: scale, time: 0.5, count: 2, seed: 7, spread_seconds: 0}
  - do: splice
    to_seconds: 20
    repeat: 2
  - do: assign
    seed: 3
    rules:
      - {by: user, team: {research: 0.7, product: 0.3}}
      - where: [{field: team, in: [product]}]
        kind: serve
        residency: EU
        deadline: {run_times: 2.5, plus_seconds: 60}
"""
    (document,) = parse(text)
    steps = typed(document, Steps).transform
    done = list(transformed(jobs(), steps))
    assert [job.submit_seconds for job in done] == [0, 0, 5, 5, 15, 15, 20, 20, 25, 25, 35, 35]
    assert {job.team for job in done} <= {"research", "product"}
    assert all((job.kind == "serve") == (job.team == "product") for job in done)
    assert all(job.deadline_seconds in (None, 310) for job in done)
    assert list(transformed(jobs(), steps)) == done, "the same record gives the same jobs"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("transform: [{do: scale, times: 2}]", "unknown field 'times'"),
        ("transform: [{do: shrink}]", "shrink"),
        ("transform: [{do: scale, time: 0}]", "more than 0"),
        ("transform: [{do: filter, where: [{field: chips}]}]", "tests nothing"),
        ("transform: [{do: filter, where: [{field: colour, like: red}]}]", "colour"),
        ("transform: [{do: splice, from_seconds: 5, to_seconds: 5}]", "ends before it begins"),
        ("transform: [{do: assign, rules: [{by: user}]}]", "sets nothing"),
        ("transform: [{do: assign, rules: [{team: {a: 0.7, b: 0.7}}]}]", "more than 1 together"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    (document,) = parse(text)
    with pytest.raises(InputError, match=says):
        typed(document, Steps)


def test_scaling_time_run_and_size() -> None:
    how = Scale(time=0.5, run=2, chips=2.5, most_chips=16)
    done = list(scaled(jobs(3), how))
    assert [job.submit_seconds for job in done] == [0, 5, 10]
    assert {(job.run_seconds, job.requested_seconds, job.chips, job.nodes) for job in done} == {
        (200, 400, 16, 2)
    }
    assert next(scaled(jobs(1, chips=1), Scale(chips=0.1))).chips == 1, "never none"
    assert next(scaled([Job("c", 0, 1, 0, 1)], Scale(chips=3))).chips == 0, "what holds none holds none"


def test_no_factor_changes_nothing() -> None:
    assert list(scaled(jobs(), Scale())) == jobs()


def test_thinning_keeps_the_share() -> None:
    done = list(scaled(jobs(5000), Scale(count=0.2, seed=1)))
    assert 900 < len(done) < 1100
    assert {job.id for job in done} <= {job.id for job in jobs(5000)}


def test_copies_have_names_of_their_own_and_come_in_order() -> None:
    done = list(scaled(jobs(200), Scale(count=2.5, seed=1, spread_seconds=500)))
    assert 470 < len(done) < 530
    assert len({job.id for job in done}) == len(done)
    moments = [job.submit_seconds for job in done]
    assert moments == sorted(moments)
    assert Counter(job.id.partition("~")[0] for job in done).most_common()[-1][1] == 2, "each at least twice"


def test_requests_scale_in_time_and_number() -> None:
    requests = [Request(n / 10, 100, 5, session="s") for n in range(100)]
    done = list(scaled(requests, Scale(time=10, count=2, spread_seconds=1, chips=9)))
    assert len(done) == 200
    assert done[-1].at_seconds <= 100
    assert {one.session for one in done} == {"s", "s~1"}


def test_a_window_begins_at_zero() -> None:
    done = list(spliced(jobs(), Splice(from_seconds=20, to_seconds=50)))
    assert [(job.id, job.submit_seconds) for job in done] == [("2", 0), ("3", 10), ("4", 20)]
    assert next(spliced(jobs(), Splice(shift_seconds=7))).submit_seconds == 7


def test_reading_ends_with_the_window() -> None:
    def endless() -> Iterator[Job]:
        yield from jobs(6)
        pytest.fail("read beyond the window")

    assert len(list(spliced(endless(), Splice(to_seconds=45)))) == 5


def test_repeats_follow_one_another() -> None:
    done = list(spliced(jobs(3), Splice(repeat=3, to_seconds=30)))
    assert [job.submit_seconds for job in done] == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert [job.id for job in done][3:5] == ["0+1", "1+1"]
    assert [job.submit_seconds for job in spliced(jobs(2), Splice(repeat=2))] == [0, 10, 11, 21]
    assert list(spliced([], Splice(repeat=2))) == []


def test_repeats_that_overlap_come_in_order() -> None:
    done = list(spliced(jobs(3), Splice(repeat=3, period_seconds=5)))
    assert [job.submit_seconds for job in done] == [0, 5, 10, 10, 15, 20, 20, 25, 30]


def test_streams_merge_in_order() -> None:
    done = list(merged({"a": jobs(3), "b": jobs(2, apart=15)}))
    assert [(job.id, job.submit_seconds) for job in done] == [
        ("a/0", 0), ("b/0", 0), ("a/1", 10), ("b/1", 15), ("a/2", 20),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (Condition("user", one_of=("u0",)), 4),
        (Condition("user", none_of=("u0",)), 6),
        (Condition("user", like="u[12]"), 6),
        (Condition("submit_seconds", at_least=30, at_most=59.5), 3),
        (Condition("chips", one_of=(8, "9")), 10),
        (Condition("chips", one_of=("8",)), 0),
        (Condition("wait_seconds", at_most=10), 0),
        (Condition("user", at_least=1), 0),
        (Condition("id", one_of=(3, 4)), 2),
        (Condition("input_tokens", at_least=0), 0),
    ],
)
def test_filters(condition: Condition, kept: int) -> None:
    assert len(list(filtered(jobs(), Filter((condition,))))) == kept
    assert len(list(filtered(jobs(), Filter((condition,), keep=False)))) == 10 - kept


def test_shares_are_kept_and_the_rest_stays() -> None:
    rule = Rule(provider={"azure": 0.5, "oracle": 0.3})
    counts = Counter(job.provider for job in assigned(jobs(5000), Assign((rule,), seed=1)))
    assert counts["azure"] == pytest.approx(2500, abs=150)
    assert counts["oracle"] == pytest.approx(1500, abs=150)
    assert counts[""] == pytest.approx(1000, abs=150)


def test_who_gets_what_does_not_depend_on_the_others() -> None:
    rule = Rule(team={"a": 0.5, "b": 0.5})
    whole = {job.id: job.team for job in assigned(jobs(100), Assign((rule,)))}
    part = {job.id: job.team for job in assigned(jobs(100)[::7], Assign((rule,)))}
    assert part.items() <= whole.items()


def test_users_stay_together() -> None:
    rule = Rule(by="user", team={"a": 0.5, "b": 0.5})
    done = list(assigned(jobs(100), Assign((rule,), seed=5)))
    assert len({(job.user, job.team) for job in done}) == 3


def test_spans() -> None:
    rule = Rule(deadline=Span(plus_seconds=5), requested=Span(run_times=1.5))
    (job,) = assigned(jobs(1), Assign((rule,)))
    assert (job.deadline_seconds, job.requested_seconds) == (5, 150)
    (job,) = assigned(jobs(1), Assign((Rule(requested=Span()),)))
    assert job.requested_seconds == 1


@given(
    count=st.floats(0, 4),
    spread=st.integers(0, 100),
    gaps=st.lists(st.integers(0, 50), max_size=30),
    seed=st.integers(0, 9),
)
def test_scaling_keeps_the_order(count: float, spread: int, gaps: list[int], seed: int) -> None:
    at = 0
    source = []
    for number, gap in enumerate(gaps):
        at += gap
        source.append(Job(str(number), at, 1, 1, 1))
    done = list(scaled(source, Scale(count=count, spread_seconds=spread, seed=seed)))
    moments = [job.submit_seconds for job in done]
    assert moments == sorted(moments)
    assert int(count) * len(source) <= len(done) <= (int(count) + 1) * len(source)
