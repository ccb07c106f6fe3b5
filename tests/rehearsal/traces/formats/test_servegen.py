"""ServeGen: requests drawn from what is published of clients."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from stargate.rehearsal.traces import open_trace
from tests.rehearsal.traces.samples import SERVEGEN


def folder(root: Path) -> Path:
    for name, text in SERVEGEN.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def archive(root: Path) -> Path:
    path = root / "m-test.tar.gz"
    with tarfile.open(path, "w:gz") as target:
        for name, text in SERVEGEN.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            target.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_windows_have_as_many_requests_as_their_rates_say(tmp_path: Path) -> None:
    trace = open_trace(folder(tmp_path))
    requests = list(trace.requests())
    assert trace.format == "servegen"
    first = [one for one in requests if 600 <= one.at_seconds < 1200]
    second = [one for one in requests if 1200 <= one.at_seconds < 1800]
    assert (len(first), len(second), len(requests)) == (300, 150, 450)
    assert [one.at_seconds for one in requests] == sorted(one.at_seconds for one in requests)
    assert {one.input_tokens for one in requests} == {100, 200}
    assert {one.output_tokens for one in requests} == {7}
    assert {(one.client, one.model) for one in requests} == {("0", "m-test")}


def test_clients_without_lengths_are_counted_in_requests(tmp_path: Path) -> None:
    trace = open_trace(folder(tmp_path))
    list(trace.requests())
    (skip,) = trace.skipped.reasons()
    assert skip.reason.startswith("no lengths are published")
    assert skip.count == 600


def test_the_seed_decides_and_nothing_else(tmp_path: Path) -> None:
    place = folder(tmp_path)
    packed = archive(tmp_path / "data")
    one = list(open_trace(place, seed=3).requests())
    assert list(open_trace(packed, seed=3).requests()) == one
    assert list(open_trace(place, seed=4).requests()) != one


def test_a_share_thins(tmp_path: Path) -> None:
    requests = list(open_trace(folder(tmp_path), share=0.1).requests())
    assert len(requests) == 45
