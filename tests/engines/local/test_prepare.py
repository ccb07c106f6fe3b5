"""What must be true before processes start, and whose fault it is when it is not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stargate.engines.local.layout import Layout
from stargate.engines.local.prepare import UnfitError, prepare
from stargate.engines.local.wire import Job

JOB = Job("w.0.2", "w", 0, 2, "azure", "azure-1", (0,), 8)


def test_the_run_directory_is_where_it_works_unless_it_says_otherwise(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert prepare(JOB, layout).cwd == layout.home("w.0.2").path
    assert prepare(msgspec.structs.replace(JOB, workdir=str(tmp_path)), layout).cwd == tmp_path


def test_the_fence_is_raised(tmp_path: Path) -> None:
    ground = prepare(JOB, Layout(tmp_path))
    assert (ground.checkpoint / "EPOCH").read_text() == "2\n"


def test_an_attempt_that_comes_too_late_does_not_start(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    prepare(msgspec.structs.replace(JOB, epoch=3), layout)
    with pytest.raises(UnfitError, match="number 3") as caught:
        prepare(JOB, layout)
    assert caught.value.failure == "infrastructure"


def test_secrets_are_read_from_where_people_put_them(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    job = msgspec.structs.replace(JOB, secrets={"TOKEN": "hub"})
    with pytest.raises(UnfitError, match="Put its value into") as caught:
        prepare(job, layout)
    assert caught.value.failure == "user"
    layout.secret("hub").parent.mkdir()
    layout.secret("hub").write_text("geheim\n")
    assert prepare(job, layout).secrets == {"TOKEN": "geheim"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workdir": "relative/folder"}, "not a folder"),
        ({"workdir": "/nowhere/at/all"}, "not a folder"),
        ({"workdir": "https://example.org/repo@main"}, "clone"),
        ({"mounts": ("/data",)}, "/data"),
    ],
)
def test_what_local_nodes_cannot_do_is_said(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(UnfitError, match=says) as caught:
        prepare(msgspec.structs.replace(JOB, **change), Layout(tmp_path))
    assert caught.value.failure == "user"
    assert caught.value.remedy
