"""Policies by name."""

from __future__ import annotations

import pytest

from stargate.base.errors import NotFoundError
from stargate.broker.policy import Policy, Team
from stargate.rehearsal.policies import NAMES, named


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_policy(name: str) -> None:
    assert isinstance(named(name), Policy)


def test_plain_ones_know_neither_teams_nor_purchases_but_keep_the_rest() -> None:
    own = Policy(lab="lab", teams=(Team("red", 8),), max_workloads=7)
    plain = named("easy", own)
    assert (plain.teams, plain.sourcing.automatic, plain.migration.enabled) == ((), False, False)
    assert (plain.max_workloads, plain.order, plain.backfill) == (7, "fifo", "easy")
    assert not plain.preemption
    assert named("srtf", own).preemption


def test_own_is_what_is_given() -> None:
    own = Policy(lab="lab")
    assert named("own", own) is own


def test_other_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="fifo"):
        named("lottery")
