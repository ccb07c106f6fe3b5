"""Links between pages lead somewhere, whatever shows the pages: Sphinx, a forge or a file browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.style.tree import files

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
PAGES = [path for path in files() if path.suffix == ".md"]


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Target and anchor of each link within the repository."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for found in LINK.finditer(text):
        link = found.group(1) or found.group(2)
        if "://" not in link and not link.startswith("mailto:"):
            target, _, anchor = link.partition("#")
            yield target, anchor


def anchors(page: Path) -> set[str]:
    """The names that headings of a page get."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_resolve(page: Path) -> None:
    for target, anchor in links(page):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name} links to #{anchor}, which {file.name} does not have"


def test_there_are_pages_and_links() -> None:
    assert sum(len(list(links(page))) for page in PAGES) > 10


def test_every_page_can_be_reached() -> None:
    docs = REPOSITORY / "docs"
    listed = {
        (page.parent / f"{name}.md").resolve()
        for page in docs.rglob("*.md")
        for tree in re.findall(r"```\{toctree\}(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for name in re.findall(r"^([\w/-]+)$", tree, re.MULTILINE)
    }
    lost = [
        page
        for page in PAGES
        if page.is_relative_to(docs) and page not in listed and page != docs / "index.md"
    ]
    assert [page for page in lost if page.parent.name != "decisions"] == []
