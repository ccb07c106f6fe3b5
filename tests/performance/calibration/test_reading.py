"""A row that cannot be read is kept aside; the others go on."""

from __future__ import annotations

from collections.abc import Mapping

from stargate.base.errors import InputError, Problem
from stargate.performance.calibration.reading import each_read


def doubled(row: Mapping[str, str]) -> int:
    if not row["n"].isdigit():
        raise InputError((Problem("n is no number", "Write digits.", path="n"),))
    return 2 * int(row["n"])


def test_rows_are_read_in_order_and_refusals_carry_id_and_reason() -> None:
    rows = [{"id": "a", "n": "1"}, {"id": "b", "n": "?"}, {"id": "c", "n": "3"}, {"n": ""}]
    found, refused = each_read(rows, doubled, "id")
    assert found == [2, 6]
    assert [name for name, _ in refused] == ["b", ""]
    assert "n is no number" in refused[0][1]
