"""Whatever is in a file, reading it ends with jobs or requests that are sound, or with an InputError."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.rehearsal.traces import Job, Request, open_trace
from tests.rehearsal.traces.samples import FILES

MOST_RECORDS = 1000


def sound(record: Job | Request) -> None:
    """Every field is within its declared bounds: it survives being written and read."""
    kind = type(record)
    assert msgspec.json.decode(msgspec.json.encode(record), type=kind) == record


def read(data: bytes, form: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILES[form][0]
        path.write_bytes(data)
        try:
            trace = open_trace(path, form=form)
            records = list(trace)
        except InputError:
            return 0
        assert len(records) <= MOST_RECORDS
        moments = [one.submit_seconds if isinstance(one, Job) else one.at_seconds for one in records]
        assert moments == sorted(moments)
        for record in records:
            sound(record)
        return len(records)


@pytest.mark.parametrize("form", sorted(FILES))
def test_samples_are_sound(form: str) -> None:
    assert read(FILES[form][1].encode(), form) > 0


@pytest.mark.parametrize("form", sorted(FILES))
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400))
def test_noise_never_crashes(form: str, data: bytes) -> None:
    read(data, form)


NASTY = st.sampled_from(
    ["", "-1", "nan", "inf", "-inf", "1e309", "1e-320", "9" * 40, "0", "-0.0", "None", "\x00", '"', "'", ",", "\t",
     "\n", "{", "}", "[", "]", "[" * 200, "2023-13-45", "0001-01-01 00:00:00", "9999-12-31 23:59:59-23:59", "１２", "٣",
     "\ud83d\ude00", "true", "1_000", " 5 "]
)  # fmt: skip


@pytest.mark.parametrize("form", sorted(FILES))
@settings(max_examples=80, deadline=None)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 30), NASTY | st.text(max_size=8)),
        min_size=1,
        max_size=4,
    )
)
def test_damaged_samples_never_crash(form: str, places: list[tuple[int, int, str]]) -> None:
    text = FILES[form][1]
    for place, length, other in places:
        at = place % (len(text) + 1)
        text = text[:at] + other + text[at + length :]
    read(text.encode("utf-8", errors="replace"), form)


@pytest.mark.parametrize(
    "form", ["swf", "helios", "acme", "openb", "pai", "philly-csv", "azure-llm", "burstgpt", "gavel"]
)
@settings(max_examples=80, deadline=None)
@given(row=st.integers(0, 100), column=st.integers(0, 20), other=NASTY)
def test_one_bad_cell_costs_one_row_at_most(form: str, row: int, column: int, other: str) -> None:
    text = FILES[form][1]
    separator = {"swf": " ", "gavel": "\t"}.get(form, ",")
    lines = text.splitlines()
    data = [index for index, line in enumerate(lines) if not line.startswith(";")]
    if form not in ("swf", "pai", "gavel"):
        data = data[1:]
    at = data[row % len(data)]
    cells = lines[at].split(separator)
    cells[column % len(cells)] = other.replace("\n", "").replace("\t", "").replace(",", "")
    lines[at] = separator.join(cells)
    before = read(text.encode(), form)
    after = read("\n".join(lines).encode("utf-8", errors="replace"), form)
    assert before - 1 <= after <= before + 1
