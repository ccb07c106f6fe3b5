"""The page: sound HTML, nothing from outside, no script, every name escaped, the same bytes from the same run."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stargate.base import wire
from stargate.rehearsal.compare import Comparison, Divergence, differences, divergence
from stargate.rehearsal.report.contrast import contrast, joined
from stargate.rehearsal.report.page import page
from stargate.rehearsal.report.summary import Summary
from tests.rehearsal.report.histories import HOSTILE, flat, rich

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Sound(HTMLParser):
    """Reads a page and notes what a browser would have to guess, fetch or run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.wrong: list[str] = []
        self.unlabelled = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if len(given) != len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [
            value or "" for name, value in attrs if name in {"href", "src", "xlink:href", "action"}
        ]
        self.links += [found for _, value in attrs for found in re.findall(r"url\(([^)]*)\)", value or "")]
        self.wrong += [f"<{tag} {name}> runs code" for name, _ in attrs if name.startswith("on")]
        if tag == "svg":
            labelled = given.get("aria-labelledby")
            self.unlabelled += given.get("role") != "img" or not labelled
        if tag == "th" and "scope" not in given:
            self.wrong.append("a heading of a table has no scope")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Sound:
    """The page, after what must hold for each."""
    found = Sound()
    found.feed(text)
    found.close()
    assert found.wrong == []
    assert found.open == [], "everything is closed"
    assert len(found.ids) == len(set(found.ids)), "an id names one thing"
    assert all(link.startswith("#") for link in found.links), "nothing is fetched, nothing leads away"
    assert {link[1:] for link in found.links} <= set(found.ids), "links lead somewhere"
    assert not {"script", "iframe", "object", "embed", "link", "form", "base"} & set(found.tags)
    assert found.unlabelled == 0
    assert found.tags.count("caption") == found.tags.count("table")
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text
    return found


@pytest.fixture(scope="module")
def summary() -> Summary:
    """With something in every chapter that has no sourcing."""
    return rich()


def test_the_page_is_sound_and_alone(summary: Summary) -> None:
    found = read(page(summary))
    assert found.tags.count("svg") >= 7
    assert found.tags.count("details") > found.tags.count("svg"), "each plot has its table"
    assert found.text.startswith("\n\n") or "A rehearsal" in found.text
    for chapter in ("Key figures", "Work", "Independence", "Energy", "Agreements that bound"):
        assert chapter in found.text


def test_the_page_says_the_figures(summary: Summary) -> None:
    text = read(page(summary)).text
    assert f"{summary.chip_time.utilisation * 100:.1f} %" in text
    assert f"{summary.chip_time.goodput * 100:.1f} %" in text
    for place in summary.pools:
        assert place.id in text


def test_names_that_others_gave_stay_names() -> None:
    text = page(rich(title=HOSTILE, team=HOSTILE, says=HOSTILE))
    found = read(text)
    assert "<script>alert" not in text
    assert "<script>alert(1)</script>" in found.text, "and they are shown as they are"
    assert "\x00" not in text
    assert "\u202e" not in text


def test_an_empty_rehearsal_has_a_page_too() -> None:
    from stargate.rehearsal.report.collector import Collector
    from stargate.rehearsal.report.summary import Identity

    text = read(page(Collector().finish(Identity()))).text
    assert "Workloads submitted" in text


def test_the_ink_of_plots_is_that_of_the_page(summary: Summary) -> None:
    text = page(summary)
    assert "currentColor" in text
    assert "#010203" not in text
    assert "prefers-color-scheme: dark" in text
    assert "default-src &#x27;none&#x27;" in text


def beside(first: Summary, second: Summary, parting: Divergence | None) -> Comparison:
    """Figures and decisions of two runs."""
    return Comparison(
        first=first.identity, second=second.identity, equal=False, jobs=None, headlines=None,
        figures=differences(first, second), decisions=True, parting=parting,
    )  # fmt: skip


def test_levels_of_shorter_parts_are_put_together() -> None:
    assert joined([1, 3, 5, 7, 9], 2) == [2, 6, 9]
    assert joined([1, 3], 1) == [1, 3]


def test_a_comparison_is_sound_too() -> None:
    ours, first = flat("fifo")
    theirs, second = flat("easy")
    found = read(contrast(first, second, beside(first, second, divergence(ours, theirs))))
    assert "Where they part" in found.text
    assert "work.wait_seconds.average" in found.text
    same = read(contrast(first, first, beside(first, first, None)))
    assert "No figure differs" in same.text
    assert "Both decided the same" in same.text


def test_a_hostile_comparison_stays_text() -> None:
    nasty = rich(title=HOSTILE, team=HOSTILE, says=HOSTILE)
    assert "<script>alert" not in contrast(nasty, rich(), beside(nasty, rich(), None))


def test_the_same_run_gives_the_same_bytes_under_any_hash_seed(tmp_path: Path, repository: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.rehearsal.report.histories import rich\n"
        "from stargate.rehearsal.report.page import page\n"
        "from stargate.base import wire\n"
        "s = rich()\n"
        "Path(sys.argv[1]).write_bytes(wire.to_json(s) + page(s).encode())\n"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)], check=True, cwd=repository,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{repository / 'src'}:{repository}", "HOME": str(tmp_path)},
        )  # fmt: skip
    ours = wire.to_json(rich()) + page(rich()).encode()
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes() == ours
