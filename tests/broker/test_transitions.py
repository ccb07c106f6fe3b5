"""The tables of states: closed, complete, and drawn as they are."""

from __future__ import annotations

from typing import get_args

import pytest

from stargate.broker.fact import Ended, Placed, Stopping
from stargate.broker.records import AttemptStatus, SlotStatus, WorkloadStatus
from stargate.broker.transitions import ATTEMPT, SLOT, WORKLOAD, Table, follows


@pytest.mark.parametrize(
    ("table", "statuses"), [(ATTEMPT, AttemptStatus), (SLOT, SlotStatus), (WORKLOAD, WorkloadStatus)]
)
def test_every_status_can_be_reached_and_no_other_is_named(table: Table, statuses: object) -> None:
    """The records and the tables speak of the same states."""
    reached = {after for targets in table.values() for after in targets.split(" | ")}
    assert reached == set(get_args(statuses))
    assert {before for before, _ in table} <= reached | {""}


def test_every_live_attempt_can_be_stopped_and_can_end() -> None:
    """Nothing holds its nodes for ever."""
    for status in ("placed", "accepted", "running"):
        assert follows(ATTEMPT, status, Stopping) == "stopping"
    for status in ("placed", "accepted", "running", "stopping"):
        assert follows(ATTEMPT, status, Ended) == "ended"
    assert follows(ATTEMPT, "ended", Placed) is None
