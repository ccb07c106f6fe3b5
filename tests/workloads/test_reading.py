"""Faults are gathered; what is carried is bounded."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.document import parse as parse_yaml
from stargate.base.errors import InputError
from stargate.workloads import parse
from stargate.workloads.reading import FILL_LIMIT, Reading, carried, plain, scalar_text
from stargate.workloads.workload import OPTIONS_LIMIT


def test_faults_have_lines_and_are_told_once() -> None:
    reading = Reading(parse_yaml("a: 1\nb:\n  c: 2\n", "x.yaml")[0])
    assert reading.attempt("b.c", int, "two", 0) == 0
    reading.fault("b.c", "wrong", "Mend it.")
    reading.fault("b.c", "wrong", "Mend it.")
    with pytest.raises(InputError) as caught:
        reading.finish()
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [(3, "b.c"), (3, "b.c")]


def test_variables_cannot_make_a_small_file_large() -> None:
    value = "x" * 30_000
    mounts = "\n".join(f"  /m{n}: $A$A$A" for n in range(FILL_LIMIT // 90_000 + 2))
    with pytest.raises(InputError, match="too long"):
        parse(f"envs: {{A: {value}}}\nfile_mounts:\n{mounts}\n")


def test_what_is_carried_is_bounded() -> None:
    with pytest.raises(ValueError, match="64 KiB"):
        carried({"a": "x" * OPTIONS_LIMIT})


def test_carried_numbers_are_as_yaml_has_them() -> None:
    assert plain({"a": [Decimal("1.5"), 2, None, True, "x"]}) == {"a": [1.5, 2, None, True, "x"]}


@pytest.mark.parametrize("value", [None, [], {}])
def test_only_scalars_have_a_text(value: object) -> None:
    with pytest.raises(ValueError, match="expected text"):
        scalar_text(value)
