"""Programs write what they like into their progress file."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.engines.local.progress import METRICS_LIMIT, READ_LIMIT, parse_progress, read_progress


def test_one_object_is_read_exactly() -> None:
    told = parse_progress(b'{"first_step": 101, "step": 140, "total_steps": 300, "loss": 2.191929555223851}')
    assert told is not None
    assert (told.first_step, told.step, told.total_steps, told.done) == (101, 140, 300, False)
    assert told.loss == Decimal("2.191929555223851")


def test_of_lines_the_last_wins_and_the_first_tells_where_it_began() -> None:
    lines = b'{"first_step": 1}\n{"step": 5, "loss": 3}\n{"step": 6, "loss": 2}\n{"step": 7, "lo'
    told = parse_progress(lines)
    assert told is not None
    assert (told.first_step, told.step, told.loss) == (1, 6, Decimal(2))


def test_a_long_file_is_read_at_its_ends_only(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    filler = b"".join(b'{"step": %d}\n' % n for n in range(20_000))
    assert len(filler) > 2 * READ_LIMIT
    path.write_bytes(b'{"first_step": 1, "total_steps": 20001}\n' + filler + b'{"step": 20000}\n')
    told = read_progress(path)
    assert told is not None
    assert (told.first_step, told.step, told.total_steps) == (1, 20_000, 20_001)


def test_final_figures_include_the_loss() -> None:
    told = parse_progress(b'{"done": true, "loss": 2.5, "metrics": {"accuracy": 0.5, "name": "x"}}')
    assert told is not None
    assert told.done
    assert told.figures() == {"loss": Decimal("2.5"), "accuracy": Decimal("0.5")}


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\n\n",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"null",
        b'"step"',
        b"{" * 5_000,
        b'{"step": NaN}',
        b'{"loss": Infinity}',
        b'{"step": 1' + b"0" * 5_000 + b"}",
    ],
)
def test_nonsense_is_no_news(nonsense: bytes) -> None:
    assert parse_progress(nonsense) is None


def test_wrong_kinds_are_left_out() -> None:
    figures = {"step": "7", "first_step": -1, "total_steps": True, "checkpoint_step": 2**60, "loss": "low"}
    told = parse_progress(json.dumps(figures).encode())
    assert told is not None
    assert (told.step, told.first_step, told.total_steps, told.checkpoint_step, told.loss) == (None,) * 5
    assert parse_progress(b'{"loss": 1e999999}') is not None


def test_the_number_of_figures_is_bounded() -> None:
    metrics = {f"m{n}": n for n in range(METRICS_LIMIT * 2)}
    told = parse_progress(json.dumps({"metrics": metrics}).encode())
    assert told is not None
    assert len(told.metrics) == METRICS_LIMIT


def test_no_file_is_no_news(tmp_path: Path) -> None:
    assert read_progress(tmp_path / "progress") is None
    assert read_progress(tmp_path) is None


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    parse_progress(data)
    parse_progress(data, data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["step", "first_step", "loss", "metrics", "done", "checkpoint_step"])


@given(st.dictionaries(_NAMES, _JSON))
def test_no_object_raises(value: dict[str, object]) -> None:
    parse_progress(json.dumps(value).encode())
