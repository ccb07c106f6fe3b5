"""Opening traces: recognition, packing, order, refusals."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.traces import open_trace
from stargate.rehearsal.traces.trace import WINDOW
from tests.rehearsal.traces.samples import FILES, HELIOS, MOONCAKE, OPENB_NODES, SEREN, SWF

EVERY = sorted(FILES)


@pytest.mark.parametrize("form", EVERY)
def test_formats_are_told_by_what_is_in_them(tmp_path: Path, form: str) -> None:
    _, text = FILES[form]
    path = tmp_path / "some-name.bin"
    path.write_text(text)
    assert open_trace(path).format == form


@pytest.mark.parametrize("form", EVERY)
def test_packing_changes_nothing(tmp_path: Path, form: str) -> None:
    name, text = FILES[form]
    plain, zipped, tarred = tmp_path / name, tmp_path / f"{name}.gz", tmp_path / f"{name}.tar.gz"
    plain.write_text(text)
    zipped.write_bytes(gzip.compress(text.encode()))
    with tarfile.open(tarred, "w:gz") as archive:
        entry = tarfile.TarInfo(f"data/{name}")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    traces = [open_trace(path) for path in (plain, zipped, tarred)]
    assert {trace.format for trace in traces} == {form}
    first, *others = [list(trace) for trace in traces]
    assert first
    assert others == [first, first]


@pytest.mark.parametrize("form", EVERY)
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path, form: str) -> None:
    name, text = FILES[form]
    plain, other = tmp_path / "a" / name, tmp_path / "b" / name
    for path, data in (
        (plain, text.encode()),
        (other, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()),
    ):
        path.parent.mkdir()
        path.write_bytes(data)
    assert list(open_trace(other)) == list(open_trace(plain))


def test_a_trace_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cluster_log.csv"
    path.write_text(HELIOS)
    trace = open_trace(path)
    first = list(trace)
    assert list(trace) == first
    assert trace.skipped.rows == 1, "the tally is of the latest reading"


def test_a_misnamed_file_is_refused_by_what_its_name_promises(tmp_path: Path) -> None:
    path = tmp_path / "cluster_log.csv"
    path.write_text("job_id,user\n1,2\n")
    with pytest.raises(InputError, match=r"in spite of its name.*Helios.*Expected the columns job_id"):
        open_trace(path)


def test_content_wins_over_the_name(tmp_path: Path) -> None:
    path = tmp_path / "cluster_log.csv"
    path.write_text(SEREN)
    assert open_trace(path).format == "acme"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"a,b\n1,2\n", "no trace of a known format"),
        (b"PK\x03\x04zip", "zip archive"),
        (b"\x00\xff\xfe" * 100, "no trace of a known format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
        (b"\x1f\x8bnot really", "breaks off"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        open_trace(path)
    assert all(problem.remedy for problem in caught.value.problems)


def test_lists_of_nodes_are_told_from_traces(tmp_path: Path) -> None:
    path = tmp_path / "openb_node_list_all_node.csv"
    path.write_text(OPENB_NODES)
    with pytest.raises(InputError, match="lists nodes, not jobs"):
        open_trace(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_trace(tmp_path / "absent.swf")


def test_data_that_breaks_off_is_refused_where_it_breaks(tmp_path: Path) -> None:
    whole = gzip.compress(
        (
            SWF
            + "".join(f"{n} 20 0 {n % 977} 1 -1 -1 1 {n} -1 1 1 1 -1 1 -1 -1 -1\n" for n in range(4, 20000))
        ).encode()
    )
    path = tmp_path / "cut.swf.gz"
    path.write_bytes(whole[: len(whole) // 2])
    trace = open_trace(path)
    jobs = trace.jobs()
    assert next(jobs).id == "1"
    with pytest.raises(InputError, match="damaged or cut short"):
        list(jobs)


def test_a_format_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(MOONCAKE)
    assert open_trace(path, form="mooncake").format == "mooncake"
    with pytest.raises(InputError, match="does not look like Helios"):
        open_trace(path, form="helios")
    with pytest.raises(InputError, match="does not look like PAI"):
        open_trace(tmp_path, form="pai")
    with pytest.raises(InputError, match="Did you mean 'mooncake'"):
        open_trace(path, form="moncake")


def test_a_share_has_bounds(tmp_path: Path) -> None:
    path = tmp_path / "x.swf"
    path.write_text(SWF)
    with pytest.raises(InputError, match="from 0 to 1"):
        open_trace(path, share=1.5)


def test_the_only_trace_of_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "cluster_log.csv").write_text(HELIOS)
    (tmp_path / "README").write_text("words")
    assert open_trace(tmp_path).format == "helios"
    (tmp_path / "log.swf").write_text(SWF)
    with pytest.raises(InputError, match="holds 2 traces"):
        open_trace(tmp_path)


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no trace that is known"):
        open_trace(tmp_path)


def swf(submits: list[int]) -> str:
    return "".join(
        f"{number} {submit} 0 30 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1\n"
        for number, submit in enumerate(submits, start=1)
    )


def test_small_disorder_is_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    path.write_text(swf([5, 3, 3, 9, 8, 100]))
    trace = open_trace(path)
    assert [(job.id, job.submit_seconds) for job in trace.jobs()] == [
        ("2", 3), ("3", 3), ("1", 5), ("5", 8), ("4", 9), ("6", 100),
    ]  # fmt: skip
    assert trace.skipped.rows == 0


def test_large_disorder_is_counted_or_sorted(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    path.write_text(swf([*range(10, 3 * WINDOW), 1]))
    trace = open_trace(path)
    assert len(list(trace.jobs())) == 3 * WINDOW - 10
    (skip,) = trace.skipped.reasons()
    assert "out of order" in skip.reason
    first = next(open_trace(path, sort=True).jobs())
    assert first.submit_seconds == 1


def test_long_traces_are_streamed(tmp_path: Path) -> None:
    """A row beyond the window is not needed for the first job to come."""
    path = tmp_path / "log.swf"
    path.write_text(swf(list(range(WINDOW + 2))) + "garbage\n" * 10)
    trace = open_trace(path)
    jobs = trace.jobs()
    assert next(jobs).id == "1"
    assert trace.skipped.rows == 0, "the end was not reached yet"
    list(jobs)
    assert trace.skipped.rows == 10
