"""Who is to blame for an end."""

from __future__ import annotations

import signal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.engines.local.verdict import Ending, RankEnd, judge

WELL = RankEnd(0, "run", 0)
STOPPED = Ending("stopped", None, "asked to")


def test_all_well_is_done_with_its_figures() -> None:
    outcome = judge([WELL, RankEnd(1, "run", 0)], None, 300, {"loss": Decimal("2.19")})
    assert (outcome.phase, outcome.failure, outcome.step) == ("done", None, 300)
    assert outcome.metrics == {"loss": Decimal("2.19")}


def test_a_gang_that_finished_before_the_stop_arrived_is_done() -> None:
    assert judge([WELL], STOPPED, None, {}).phase == "done"


def test_a_stopped_gang_is_stopped_whatever_its_ranks_say() -> None:
    ends = [RankEnd(0, "run", -signal.SIGTERM, asked=True), RankEnd(1, "run", 0, asked=True)]
    assert judge(ends, STOPPED, 7, {}).phase == "stopped"


@pytest.mark.parametrize(
    ("code", "failure", "says"),
    [
        (3, "user", "rank 1 exited with code 3"),
        (-signal.SIGKILL, "infrastructure", "rank 1 was killed by SIGKILL"),
        (-signal.SIGTERM, "infrastructure", "rank 1 was killed by SIGTERM"),
        (128 + signal.SIGKILL, "infrastructure", "rank 1 was killed by SIGKILL"),
        (-signal.SIGSEGV, "user", "rank 1 was killed by SIGSEGV"),
        (128 + signal.SIGABRT, "user", "rank 1 was killed by SIGABRT"),
        (255, "user", "rank 1 exited with code 255"),
        (-signal.SIGRTMIN - 3, "infrastructure", f"rank 1 was killed by signal {signal.SIGRTMIN + 3}"),
    ],
)
def test_the_code_tells_whose_fault_it_was(code: int, failure: str, says: str) -> None:
    outcome = judge([WELL, RankEnd(1, "run", code)], None, None, {})
    assert (outcome.phase, outcome.failure, outcome.detail) == ("failed", failure, says)


def test_the_rank_that_was_killed_is_blamed_before_those_that_failed_because_of_it() -> None:
    ends = [RankEnd(0, "run", 75), RankEnd(1, "run", -signal.SIGKILL), RankEnd(2, "run", -9, asked=True)]
    outcome = judge(ends, None, None, {})
    assert outcome.failure == "infrastructure"
    assert outcome.detail.startswith("rank 1 ")


def test_a_failed_set_up_is_named() -> None:
    assert judge([RankEnd(0, "setup", 2)], None, None, {}).detail == "setup of rank 0 exited with code 2"


def test_a_lost_rank_is_nobody_of_ours() -> None:
    assert judge([RankEnd(0, "run", 0, lost=True)], None, None, {}).failure == "infrastructure"


def test_without_ranks_the_engine_has_its_reason() -> None:
    ending = Ending("failed", "user", "no such folder")
    assert judge([], ending, None, {}).detail == "no such folder"


@given(
    st.lists(
        st.builds(
            RankEnd,
            st.integers(0, 9),
            st.sampled_from(["setup", "run"]),
            st.integers(-64, 255),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
    ),
    st.sampled_from([None, STOPPED, Ending("failed", "preempted", "taken away")]),
)
def test_every_end_has_one_outcome_and_every_failure_a_class(
    ends: list[RankEnd], ending: Ending | None
) -> None:
    if ending is None and not all(end.well for end in ends) and all(end.asked or end.well for end in ends):
        return  # Somebody asked them to end, and it was not the engine: cannot be.
    outcome = judge(ends, ending, None, {})
    assert (outcome.failure is not None) == (outcome.phase == "failed")
    assert outcome.phase != "done" or all(end.well for end in ends)
