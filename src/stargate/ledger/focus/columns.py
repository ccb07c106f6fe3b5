"""The columns of FOCUS 1.4: of each of its four datasets, what may stand in which column.

The facts stand in `columns.json`, which names its source: the data model of the FinOps Foundation, CC BY 4.0.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Dataset = Literal["Cost and Usage", "Contract Commitment", "Invoice Detail", "Billing Period"]
VERSION = "1.4"


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column of a dataset."""

    name: str
    type: Literal["String", "Decimal", "Date/Time", "JSON"]
    format: str
    """How a value is written, as `Decimal (non-negative)` or `Allowed Values`."""
    level: Literal["Mandatory", "Conditional", "Recommended"]
    since: str
    """The first version of FOCUS that has it, in any of its datasets."""
    nullable: bool = False
    values: tuple[str, ...] = ()
    """All that may stand there; empty: anything of the format."""
    range: tuple[str, str] | None = None
    """Least and greatest."""
    condition: str = ""
    """When it must be there, where it need not always."""


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    version: str
    datasets: dict[str, tuple[Column, ...]]


@cache
def datasets() -> dict[str, tuple[Column, ...]]:
    """The columns of each dataset by its name, in the order of the alphabet."""
    text = files("stargate.ledger.focus").joinpath("columns.json").read_bytes()
    return msgspec.json.decode(text, type=_Model).datasets


@cache
def names(dataset: Dataset) -> tuple[str, ...]:
    """The names of a dataset's columns."""
    return tuple(column.name for column in datasets()[dataset])


def dataset_of(header: tuple[str, ...]) -> Dataset | None:
    """Which dataset, of any version, has such a header; None: it is not of FOCUS."""
    named = frozenset(header)
    marks: tuple[tuple[Dataset, frozenset[str]], ...] = (
        ("Cost and Usage", frozenset({"BilledCost", "ChargePeriodStart"})),
        ("Invoice Detail", frozenset({"BilledCost", "InvoiceDetailId"})),
        ("Contract Commitment", frozenset({"ContractCommitmentId", "ContractId"})),
        ("Billing Period", frozenset({"BillingPeriodStatus"})),
    )
    return next((dataset for dataset, marked in marks if marked <= named), None)


def version_of(dataset: Dataset, header: tuple[str, ...]) -> str:
    """The first version of FOCUS that has all those of its columns; 1.0 where nothing says more."""
    since = {column.name: column.since for column in datasets()[dataset]}
    return max(["1.0", *(since[name] for name in header if name in since)])
