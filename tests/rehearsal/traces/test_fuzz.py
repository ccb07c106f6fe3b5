"""Whatever is in a file, reading it ends with jobs or requests that are sound, or with an InputError."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.rehearsal.traces import Job, Request, open_trace, read_nodes
from stargate.rehearsal.traces.skipped import Skipped
from tests.rehearsal.traces.samples import FILES, OPENB_NODES, SERVEGEN

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


@settings(max_examples=60, deadline=None)
@given(
    which=st.sampled_from(sorted(SERVEGEN)), place=st.integers(0, 200), length=st.integers(0, 30), other=NASTY
)
def test_damaged_clients_never_crash(which: str, place: int, length: int, other: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, whole in SERVEGEN.items():
            at = place % (len(whole) + 1)
            text = whole[:at] + other + whole[at + length :] if name == which else whole
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", errors="replace"))
        for record in open_trace(folder, share=0.01):
            sound(record)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 2000), noise=st.binary(min_size=1, max_size=20))
def test_damaged_archives_never_crash(place: int, noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.tar.gz"
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            data = FILES["swf"][1].encode()
            entry = tarfile.TarInfo("log.swf")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        whole = bytearray(buffer.getvalue())
        at = place % len(whole)
        whole[at : at + len(noise)] = noise
        path.write_bytes(whole)
        try:
            list(open_trace(path))
        except InputError as error:
            assert error.problems  # noqa: PT017 - either end is right


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 200), length=st.integers(0, 10), other=NASTY)
def test_damaged_lists_of_nodes_never_crash(place: int, length: int, other: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openb_node_list_all_node.csv"
        at = place % (len(OPENB_NODES) + 1)
        text = OPENB_NODES[:at] + other + OPENB_NODES[at + length :]
        path.write_bytes(text.encode("utf-8", errors="replace"))
        skipped = Skipped()
        try:
            nodes = list(read_nodes(path, skipped))
        except InputError:
            return
        assert len(nodes) + skipped.rows <= text.count("\n") + 1
