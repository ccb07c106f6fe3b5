"""A record back to YAML, and again to the same record."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings

from stargate.base.errors import InputError
from stargate.workloads import parse
from stargate.workloads.render import plain_form, to_yaml
from tests.workloads.strategies import GOOD_TASKS, all_explained
from tests.workloads.test_normalise import OURS
from tests.workloads.test_serving import SKYSERVE


def test_our_fields_and_a_service_come_back() -> None:
    for text in (OURS, SKYSERVE):
        workload = parse(text)
        assert parse(to_yaml(workload)) == workload


def test_people_can_read_it() -> None:
    text = to_yaml(
        parse("{name: a, run: 'one\n\n  two\n\n', resources: {accelerators: H100:8}}"), ("Found\nthere",)
    )
    assert text.startswith("# Found there\nname: a\nkind: batch\n")
    assert "accelerators: H100:8\n" in text
    assert "run: |" in text or "run: 'one" in text


def test_what_is_default_is_left_out() -> None:
    assert plain_form(parse("{name: a, kind: train}")) == {"name": "a", "kind": "train"}
    assert plain_form(parse("{name: a, kind: serve}")) == {"name": "a", "kind": "serve"}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(GOOD_TASKS)
def test_every_accepted_task_comes_back(task: dict[str, Any]) -> None:
    try:
        workload = parse(yaml.safe_dump(task, allow_unicode=True))
    except InputError as error:
        all_explained(error)
        assume(False)
    assert parse(to_yaml(workload)) == workload
