"""What was kept of a run: every form is told from the others, and says the same as the run itself."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stargate.base.errors import InputError, NotFoundError
from stargate.journal import SqliteJournal
from stargate.rehearsal import schedule
from stargate.rehearsal.compare import compare
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.outcome import JOURNAL, Kind, Outcome, kept, kind_of, of_journal
from stargate.rehearsal.recorder import Recorder
from stargate.rehearsal.report.flat import reported
from stargate.rehearsal.report.summary import Identity
from stargate.rehearsal.report.write import Folder
from stargate.rehearsal.schedule import Row
from tests.rehearsal.report.histories import jobs


def written(folder: Path, policy: str) -> Outcome:
    """A report with its journal, and the run itself."""
    folder.mkdir()
    journal = SqliteJournal(folder / JOURNAL)
    with Folder(folder) as out, Recorder(journal) as record:
        flat, summary = reported(jobs(), 8, policy, title="jobs", sink=record, lines=out)
        out.close(summary)
    journal.close()
    return Outcome(summary.identity, summary, flat.rows, folder / JOURNAL)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Outcome]:
    """Two policies, each with its folder."""
    folder = tmp_path_factory.mktemp("runs")
    return written(folder / "fifo", "fifo"), written(folder / "easy", "easy")


def test_a_report_and_its_journal_say_what_the_run_said(both: tuple[Outcome, Outcome]) -> None:
    for run in both:
        assert run.journal is not None
        folder = run.journal.parent
        assert kind_of(folder) == "report"
        for again in (kept(folder, "report"), of_journal(run.journal)):
            found = compare(run, again)
            assert found.decisions
            assert found.parting is None
            assert found.jobs is not None
            assert found.jobs.equal
            assert found.jobs.both == 40
        assert compare(run, kept(folder, "report")).equal


def test_two_policies_differ_in_all_three(both: tuple[Outcome, Outcome]) -> None:
    found = compare(*both)
    assert not found.equal
    assert found.parting is not None
    assert found.parting.second is not None
    assert any("backfilled" in ground.says for ground in found.parting.second.grounds)
    assert found.jobs is not None
    fifo, easy = (rehearse(jobs(), 8, policy).rows for policy in ("fifo", "easy"))
    differ = {a.job_id for a, b in zip(fifo, easy, strict=True) if (a.start, a.end) != (b.start, b.end)}
    assert found.jobs.differ == len(differ) > 0
    assert found.jobs.first_difference is not None
    assert found.jobs.first_difference.job_id in differ
    assert found.headlines is not None
    waits = next(each for each in found.headlines if each.path == "average_wait_seconds")
    assert waits.first is not None
    assert waits.second is not None
    assert waits.second < waits.first, "backfilling helps here"


def test_a_schedule_holds_jobs_and_nothing_else(both: tuple[Outcome, Outcome], tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv.gz"
    changed = [*(both[0].rows or ())[1:], Row("other", 5, 6, 7, 1)]
    with gzip.open(path, "wt", newline="") as out:
        schedule.write(changed, out)
    assert kind_of(path) == "schedule"
    found = compare(both[0], kept(path, "schedule"))
    assert (found.figures, found.decisions) == (None, False)
    assert found.jobs is not None
    assert (found.jobs.both, found.jobs.differ) == (39, 0)
    assert (found.jobs.only_first, found.jobs.only_second) == (1, 1)
    assert not found.equal


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.yaml", "scenario: {}", "scenario"),
        ("a.swf", "; MaxProcs: 8\n1 0 -1 100 8", "trace"),
        ("a.csv", "end,procs,job_id,start,submit,more\n", "schedule"),
        ("b.csv", "job_id,submit,start\n", "trace"),
        ("c.gz", "\x1f\x8bnot packed at all", "trace"),
    ],
)
def test_what_a_file_is_shows_in_it(tmp_path: Path, name: str, text: str, kind: Kind) -> None:
    (tmp_path / name).write_text(text, encoding="latin-1")
    assert kind_of(tmp_path / name) == kind
    assert kind_of(tmp_path) == "trace"


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file or folder"):
        kind_of(tmp_path / "nowhere")
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(",".join(schedule.COLUMNS).encode() + b"\n" + b"1,2,3,4,5\n" * 99)[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        kept(torn, "schedule")
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(InputError, match="no summary of a rehearsal"):
        kept(tmp_path, "report")


def test_nothing_to_compare_is_equal() -> None:
    assert compare(Outcome(Identity()), Outcome(Identity())).equal
