"""Values put into a scenario by their path: they land where they should, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.errors import InputError, NotFoundError
from stargate.base.time import HOUR
from stargate.rehearsal.scenario import Plan, load
from stargate.rehearsal.sweep.grid import Value
from stargate.rehearsal.sweep.override import overridden
from tests.rehearsal.report.test_staged import SCENARIO


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A scenario with demand, engines, a fault and a policy."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return load(path)


def test_nothing_changes_nothing(plan: Plan) -> None:
    assert overridden(plan, {}) == plan


def test_fields_elements_and_policy_are_reached(plan: Plan) -> None:
    overrides: dict[str, Value] = {
        "horizon": "5d",
        "faults.ohio.lasts": "7h",
        "engines.0.failures.chip_hours_between": 12.5,
        "demand.work.jobs.c.chips": 24,
        "policy.backfill": "none",
        "policy.sourcing.automatic": True,
    }
    found = overridden(plan, overrides)
    scenario = found.scenario
    assert scenario.horizon == 5 * 24 * HOUR
    assert scenario.faults[0].lasts == 7 * HOUR  # type: ignore[union-attr]  # it is an outage
    assert scenario.engines[0].failures.chip_hours_between == 12.5
    assert {job.id: job.chips for job in scenario.demand[0].jobs} == {"a": 16, "b": 16, "c": 24, "d": 8}
    assert found.declared is not None
    policy = found.declared.policy
    assert policy is not None
    assert policy.backfill == "none"
    assert policy.sourcing.automatic
    assert plan.scenario.horizon is None, "the plan itself is as it was"


def test_the_digest_tells_points_apart(plan: Plan) -> None:
    digests = {overridden(plan, {"faults.0.lasts": lasts}).digest for lasts in ("1h", "2h")}
    assert len({*digests, plan.digest}) == 3
    one: dict[str, Value]
    other: dict[str, Value]
    one, other = {"seed": 1, "horizon": "1d"}, {"horizon": "1d", "seed": 1}
    assert overridden(plan, one).digest == overridden(plan, other).digest


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("faults.storm.lasts", "no element is 'storm'"),
        ("fault.0.lasts", "Did you mean 'faults'"),
        ("engines.9.stretch", "no element is '9'"),
        ("seed.x.y", "leads nowhere"),
        ("policy", "could change"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(plan: Plan, path: str, said: str) -> None:
    with pytest.raises(NotFoundError, match=said):
        overridden(plan, {path: 1})


def test_a_value_that_does_not_belong_is_named(plan: Plan) -> None:
    with pytest.raises(InputError, match=r"faults\.0\.lasts=soon"):
        overridden(plan, {"faults.0.lasts": "soon"})
    with pytest.raises(InputError, match="Did you mean 'stretch'"):
        overridden(plan, {"engines.0.stretched": 2})


@pytest.mark.parametrize("path", ["infrastructure.0", "demand.work.trace", "from_journal"])
def test_files_are_not_swept(plan: Plan, path: str) -> None:
    with pytest.raises(InputError, match="read from files"):
        overridden(plan, {path: "other"})
