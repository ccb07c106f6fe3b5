"""The columns of FOCUS 1.4, beside those that an independent toolkit took from the same data model."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from focus_data_toolkit.model.validator import load_model

from stargate.ledger.focus.columns import Dataset, dataset_of, datasets, names, version_of

COUNTS = {"Cost and Usage": 65, "Contract Commitment": 30, "Invoice Detail": 22, "Billing Period": 6}


def test_each_dataset_has_its_columns() -> None:
    assert {name: len(columns) for name, columns in datasets().items()} == COUNTS


@pytest.mark.parametrize("dataset", COUNTS)
def test_columns_are_those_of_the_data_model(dataset: str) -> None:
    model = load_model()["datasets"][dataset]["columns"]
    for column in datasets()[dataset]:
        said = model[column.name]
        assert (column.type, column.format, column.level) == (
            said["data_type"],
            said["value_format"],
            said["feature_level"],
        )
        assert (column.nullable, list(column.values)) == (said["allows_nulls"], said["allowed_values"] or [])


@pytest.mark.parametrize("dataset", COUNTS)
def test_files_of_1_4_have_no_other_columns(shared: Path, dataset: Dataset) -> None:
    name = f"synthetic_focus_1_4_{dataset.lower().replace(' ', '_')}.csv"
    header = _header(shared / "data/focus/given/focus_1_4_aws" / name)
    assert set(header) <= set(names(dataset))
    assert (dataset_of(header), version_of(dataset, header)) == (dataset, "1.4")


def test_the_version_of_a_file_is_the_first_that_has_its_columns(shared: Path) -> None:
    given = shared / "data/focus/given"
    found = {path.name: _header(path) for path in sorted(given.glob("*.csv"))}
    kinds = {name: dataset_of(header) for name, header in found.items()}
    assert {name: version_of(kind or "Cost and Usage", found[name]) for name, kind in kinds.items()} == {
        "focus_1_0_real_anonymised_501.csv": "1.0",
        "focus_1_3_contract_commitment_aws.csv": "1.3",
        "focus_1_3_contract_commitment_azure.csv": "1.3",
        "focus_1_3_cost_and_usage_aws.csv": "1.3",
        "focus_1_3_cost_and_usage_azure.csv": "1.3",
    }


def test_what_is_not_of_focus_is_none() -> None:
    assert dataset_of(("lineItem/UnblendedCost", "BilledCost")) is None


def _header(path: Path) -> tuple[str, ...]:
    with path.open(newline="") as stream:
        return tuple(next(csv.reader(stream)))
