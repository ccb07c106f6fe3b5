"""Which system a file was written for."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.workloads.importing.recognise import import_text
from tests.workloads.strategies import all_explained


@pytest.mark.parametrize(
    ("text", "format", "name"),
    [
        ("#!/bin/sh\nhostname\n", "sbatch", "job"),
        ("# note\n#SBATCH -J other\nhostname\n", "sbatch", "other"),
        ("type: task\ncommands: [hostname]\n", "dstack", "my-file"),
        ("run: hostname\n", "task", "my-file"),
        ("name: lm\n---\nrun: hostname\n", "task", "lm"),
    ],
)
def test_recognised(text: str, format: str, name: str) -> None:
    imported = import_text(text, "some/my file.yaml")
    assert (imported.format, imported.workload.name) == (format, name)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.text()
    | st.text().map(lambda text: f"#SBATCH {text}")
    | st.text().map(lambda text: f"type: task\n{text}")
)
def test_any_text_is_a_workload_or_named_problems(text: str) -> None:
    try:
        import_text(text, "x")
    except InputError as error:
        all_explained(error)
