"""Variables and secrets of a workload."""

from __future__ import annotations

import pytest

from stargate.base.errors import InputError
from stargate.workloads import Secret, parse
from stargate.workloads.environment import is_secret, is_variable


def test_values_become_the_text_that_was_meant() -> None:
    envs = parse("envs: {A: 1.50, B: yes, C: true, D: '', E: 007, F: 2027-01-01, G: 12}").envs
    assert envs == {"A": "1.50", "B": "yes", "C": "True", "D": "", "E": "007", "F": "2027-01-01", "G": "12"}


def test_given_values_fill_and_override() -> None:
    assert parse("envs: {A: null, B: 1}", envs={"A": "x", "B": "2", "C": "3"}).envs == {
        "A": "x",
        "B": "2",
        "C": "3",
    }


def test_a_variable_without_a_value_says_how_to_give_one() -> None:
    with pytest.raises(InputError, match="--env A=VALUE"):
        parse("envs: {A: null}")


@pytest.mark.parametrize(
    "written",
    [
        "{TOKEN: null}",
        "{TOKEN: ''}",
        "{TOKEN: $TOKEN}",
        "{TOKEN: '${TOKEN}'}",
        "[TOKEN]",
        "{TOKEN: {from: TOKEN}}",
    ],
)
def test_secrets_are_references(written: str) -> None:
    assert parse(f"secrets: {written}").secrets == {"TOKEN": Secret(from_="TOKEN")}


def test_secrets_of_a_workspace() -> None:
    assert parse("secrets: ['secrets:lab.HF_TOKEN']").secrets == {"HF_TOKEN": Secret(from_="lab.HF_TOKEN")}


@pytest.mark.parametrize(
    "text",
    [
        "secrets: {TOKEN: hunter2-s3cret}",
        "secrets: {TOKEN: {from: hunter2 s3cret}}",
        "secrets: {TOKEN: {value: hunter2-s3cret}}",
        "secrets: [hunter2-s3cret]",
        "secrets: hunter2-s3cret",
    ],
)
def test_a_value_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert "s3cret" not in str(caught.value)


def test_neither_values_nor_references_show_in_logs() -> None:
    workload = parse("{envs: {A: s3cret}, secrets: {TOKEN: {from: s3cret}}}")
    assert "s3cret" not in repr(workload)
    assert "s3cret" not in repr(workload.secrets)


@pytest.mark.parametrize("name", ["A b", "1A", "A=B", ""])
def test_names_must_be_variables(name: str) -> None:
    with pytest.raises(InputError, match="no name of a variable"):
        parse(f"envs: {{'{name}': 1}}")
    assert not is_variable(name)


def test_a_trailing_newline_is_no_part_of_a_name() -> None:
    assert not is_variable("A\n")
    assert not is_secret("a\n")
