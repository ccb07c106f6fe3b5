"""Workloads from files, text and JSON; no input ends in anything but a workload or named problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stargate.base import wire
from stargate.base.errors import InputError
from stargate.workloads import Resources, Service, Workload, load, parse, parse_json, sound
from tests.workloads.strategies import PLAIN, TASKS, all_explained, some_of

FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def survives(workload: Workload) -> None:
    """A workload that was accepted goes through the journal and over the wire unchanged."""
    assert parse_json(wire.to_json(workload)) == workload
    assert wire.unpacker(Workload).decode(wire.pack(workload)) == workload
    assert sound(workload) is workload


def test_a_file_names_a_workload_that_has_no_name(tmp_path: Path) -> None:
    path = tmp_path / "train-7b.sky.yaml"
    path.write_text("run: echo", encoding="utf-8")
    assert load(path).name == "train-7b"
    path.write_text("{name: other, run: echo}", encoding="utf-8")
    assert load(path).name == "other"


def test_a_file_with_an_unusable_name(tmp_path: Path) -> None:
    path = tmp_path / "my task.yaml"
    path.write_text("run: echo", encoding="utf-8")
    assert load(path).name == "workload"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_a_pipeline_of_one_task_is_that_task() -> None:
    assert parse("name: pipe\n---\nrun: echo\n").name == "pipe"
    assert parse("---\nrun: echo\n---\n").run == "echo"


def test_several_tasks_are_refused_with_the_line_of_the_second() -> None:
    with pytest.raises(InputError, match="2 tasks") as caught:
        parse("name: pipe\n---\nrun: a\n---\nrun: b\n")
    assert caught.value.problems[0].line == 5


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n", "[]", "text", "3"])
def test_what_is_no_workload(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"name": "a", "kin": "train"}', "kin"),
        ('{"name": "a", "nodes": 0}', "nodes"),
        ('{"name": "a", "max_cost_usd": "NaN"}', "max_cost_usd"),
        ('{"name": "a", "max_cost_usd": 1e999}', "max_cost_usd"),
        ('{"name": "a", "time_limit": "99999999w"}', "time_limit"),
        ('{"name": "a", "time_limit": 99999999999999999999999}', "time_limit"),
        ('{"name": "a", "deadline": "0001-01-01"}', "deadline"),
        ('{"name": "a\\n"}', "name"),
        ('{"name": "a", "run": "\\u0000"}', "run"),
        ('{"name": "a", "kind": "serve"}', "service"),
        ('{"name": "a", "replicas": 2}', "replicas"),
        ('{"name": "a", "alternatives": []}', "alternatives"),
        ('{"name": "a", "alternatives": [{"chip": "H100"}]}', "alternatives[0]"),
        ('{"name": "a", "alternatives": [{"pool": "a*"}]}', "alternatives[0].pool"),
        ('{"name": "a", "envs": {"A B": "1"}}', "envs"),
        ("{}", ""),
        ("[]", ""),
        ("[", ""),
        ("\ud800", ""),
        ("[" * 100_000, ""),
    ],
)
def test_json_is_as_strict(body: str, path: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(body)
    assert path in {problem.path for problem in caught.value.problems}


def test_json_does_not_repeat_what_stands_for_a_secret() -> None:
    with pytest.raises(InputError) as caught:
        parse_json('{"name": "a", "secrets": {"TOKEN": "s3cret"}, "envs": {"A": ["s3cret"]}}')
    assert "s3cret" not in str(caught.value)
    assert {problem.path for problem in caught.value.problems} == {"secrets.TOKEN", "envs.A"}


@FUZZ
@given(TASKS)
def test_any_task_is_a_workload_or_named_problems(task: dict[str, Any]) -> None:
    try:
        workload = parse(yaml.safe_dump(task, allow_unicode=True))
    except InputError as error:
        all_explained(error)
    else:
        survives(workload)


@FUZZ
@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
@example("run: &a [*a]")
@example('run: "\\ud800"')
@example("envs: {A: 0x" + "f" * 5000 + "}")
def test_any_text_is_a_workload_or_named_problems(text: str) -> None:
    for read in (parse, parse_json):
        try:
            workload = read(text)
        except InputError as error:
            all_explained(error)
        else:
            survives(workload)


@FUZZ
@given(
    some_of(
        Workload.__struct_fields__,
        PLAIN
        | some_of(Resources.__struct_fields__)
        | some_of(Service.__struct_fields__)
        | st.lists(some_of(Resources.__struct_fields__), max_size=2),
    )
)
def test_any_json_is_a_workload_or_named_problems(body: dict[str, Any]) -> None:
    try:
        workload = parse_json(json.dumps({"name": "a", **body}))
    except InputError as error:
        all_explained(error)
    else:
        survives(workload)
