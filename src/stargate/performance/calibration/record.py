"""The calibration as data: constants, the residuals they left, and how many rows made each.

The one that ships with the package is `data/calibration.json`; the rows that made it are listed beside it.
Users make their own with `stargate performance fit`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.errors import InputError, Problem
from stargate.performance.calibration.measured import Key

CONSTANTS_PER_CELL = 6
"""More would be a table of results, not a model."""

Text = Annotated[str, Meta(max_length=256)]
Positive = Annotated[float, Meta(gt=0)]
Rows = Annotated[int, Meta(ge=0)]


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The constants of one chip computing in one precision."""

    chip: Text
    precision: Text
    rows: Rows
    """Measured rows that this cell's constants rest on."""
    constants: Annotated[dict[Text, Positive], Meta(min_length=1, max_length=CONSTANTS_PER_CELL)]


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One software release: the factor by which its overheads differ from the shared ones."""

    software: Text
    rows: Rows
    factor: Positive


class Residual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far measurements lay from predictions made without them: measured over predicted."""

    group: Text
    """Of rows, or the name that some of them keep their range under."""
    chip: Text
    """Empty: of all chips."""
    precision: Text
    """Empty: of all precisions."""
    rows: Rows
    low: Positive
    """10 % of measurements were below this multiple of the prediction."""
    high: Positive
    """10 % were above."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that was fitted."""

    rows: Rows
    digest: Annotated[str, Meta(max_length=64)]
    """SHA-256 of the ids and measured values of the rows, in order."""
    shared: dict[Text, Positive]
    """Constants that hold for every chip."""
    cells: tuple[Cell, ...]
    releases: tuple[Release, ...]
    residuals: tuple[Residual, ...]

    def values(self) -> dict[Key, float]:
        """Every constant by its key."""
        found: dict[Key, float] = {("shared", name): value for name, value in self.shared.items()}
        for cell in self.cells:
            for name, value in cell.constants.items():
                found["cell", cell.chip, cell.precision, name] = value
        for release in self.releases:
            found["release", release.software] = release.factor
        return found


def read(text: str | bytes, file: str) -> Calibration:
    """A calibration from its JSON. Raises InputError that names the file and the field."""
    try:
        return msgspec.json.decode(text, type=Calibration)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"is no calibration: {error}"
        remedy = "Write one with `stargate performance fit ROWS.csv --out FILE`"
        raise InputError((Problem(message, remedy, file=file),)) from None


@cache
def shipped() -> Calibration:
    """The calibration that ships with the package."""
    text = files("stargate.performance").joinpath("data/calibration.json").read_bytes()
    return read(text, "stargate/performance/data/calibration.json")
