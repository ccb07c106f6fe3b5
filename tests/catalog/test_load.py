"""Reading files: what merges, what is left to others, and how every fault is placed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.document import parse
from stargate.base.errors import InputError, Problem
from stargate.base.wire import pack, unpacker
from stargate.catalog import Infrastructure, builtin_chips, load, load_all
from stargate.catalog.load import assemble

GOOD = """\
parties:
- id: acme
providers:
- {id: cloud, party: acme}
sites:
- id: west
  jurisdiction: US-TX
  operator: acme
pools:
- id: west-h100
  provider: cloud
  site: west
  chip: H100-SXM
  chips_per_node: 8
  tenure: owned
  nodes:
  - {from: 2025-01-01, nodes: 4}
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def problems_of(folder: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load([folder])
    return list(caught.value.problems)


def test_a_good_file(tmp_path: Path) -> None:
    infrastructure = load([write(tmp_path, good=GOOD)])
    assert [pool.id for pool in infrastructure.pools] == ["west-h100"]
    assert infrastructure.chips == builtin_chips(), "so that the record means the same in later releases"
    assert unpacker(Infrastructure).decode(pack(infrastructure)) == infrastructure


def test_files_and_documents_merge_and_each_file_counts_once(tmp_path: Path) -> None:
    parts = GOOD.split("sites:")
    write(tmp_path, a=parts[0], b=f"sites:{parts[1]}---\nfabrics:\n- id: net\n")
    infrastructure = load([tmp_path, tmp_path / "a.yaml", str(tmp_path / "b.yaml")])
    assert len(infrastructure.sites) == len(infrastructure.fabrics) == len(infrastructure.parties) == 1


def test_documents_of_others_are_left_to_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=GOOD,
        b="agreements:\n- nonsense\n---\nagreement: {}\n---\npolicy: {lab: acme}\ncalendars: []\n",
    )
    assert len(load([tmp_path]).pools) == 1


def test_an_empty_file_is_an_empty_infrastructure(tmp_path: Path) -> None:
    assert load([write(tmp_path, a="# nothing yet\n", b="pools:\n")]).pools == ()


def test_unknown_top_level_keys(tmp_path: Path) -> None:
    (first, second) = problems_of(write(tmp_path, a="pool: []\n", b="- a\n"))
    assert (first.message, first.remedy, first.line) == (
        "unknown top-level key 'pool'",
        "Did you mean 'pools'?",
        1,
    )
    assert second.message == "the document is not a mapping"


def test_every_fault_of_every_file_is_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=GOOD.replace("chip: H100-SXM", "chip: H100").replace("jurisdiction: US-TX", "jurisdiction: UK"),
        b="pools:\n- id: x\n  chps: 3\nsites: 5\n",
        c="a: [1\n",
        d="parties:\n- id: a b\n- {id: acme, kindd: lab}\n",
    )
    found = {
        (problem.file.rpartition("/")[2], problem.line, problem.path): problem
        for problem in problems_of(tmp_path)
    }
    assert found["a.yaml", 13, "pools[0].chip"].remedy == "Write its id, 'H100-SXM'."
    assert found["a.yaml", 7, "sites[0].jurisdiction"].remedy == "Did you mean 'GB'?"
    assert found["b.yaml", 3, "pools[0].chps"].remedy == "Did you mean 'chip'?"
    assert found["b.yaml", 2, "pools[0]"].message.startswith("the field ")
    assert found["b.yaml", 4, "sites"].message == "sites is not a list"
    assert found["d.yaml", 2, "parties[0].id"].message.endswith(
        "letters, digits, dots, dashes and underscores"
    )
    assert found["d.yaml", 3, "parties[1].kindd"].remedy == "Did you mean 'kind'?"
    assert any(file == "c.yaml" for file, _, _ in found)


def test_a_faulty_record_is_not_also_called_unknown(tmp_path: Path) -> None:
    (problem,) = problems_of(write(tmp_path, a=GOOD.replace("operator: acme", "operatr: acme")))
    assert problem.path == "sites[0].operatr"


def test_a_chip_of_the_users_replaces_a_shipped_one(tmp_path: Path) -> None:
    infrastructure = load([write(tmp_path, a=GOOD, b="chips:\n- {id: H100-SXM, tdp_w: 650}\n")])
    figure = infrastructure.chip_named("H100-SXM").figure("tdp_w")
    assert figure is not None
    assert figure.central == 650
    assert len(infrastructure.chips) == len(builtin_chips())


def test_a_missing_path_and_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError) as caught:
        load([tmp_path / "absent", tmp_path])
    assert [problem.message.split(":")[0] for problem in caught.value.problems] == [
        "there is no such file or folder",
        "the file is not UTF-8 text",
    ]


def test_a_hopeless_file_gives_a_hundred_problems(tmp_path: Path) -> None:
    assert len(problems_of(write(tmp_path, a="pools:\n" + "- {idd: 5}\n" * 2_000))) == 100
    lost = "".join(f"- {{id: provider-{n}, party: party-{n}}}\n" for n in range(2_000))
    assert len(problems_of(write(tmp_path, a=f"providers:\n{lost}"))) == 100


def test_doubts_come_with_the_record(tmp_path: Path) -> None:
    text = GOOD.replace("  operator: acme\n", "  power:\n  - {from: 2025-01-01, power_mw: 0.02}\n")
    (doubt,) = load_all([write(tmp_path, a=text)]).doubts
    assert "0.022 MW; the site has 0.02 MW" in doubt.message
    assert (doubt.line, doubt.path) == (17, "pools[0].nodes")


LINES = GOOD.splitlines(keepends=True)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "twice", "null", "x", "[]"])),
        max_size=4,
    )
)
def test_mangled_files_load_or_give_problems(changes: list[tuple[int, str]]) -> None:
    lines = list(LINES)
    for number, change in changes:
        line = lines[number]
        head = line.partition(":")[0]
        lines[number] = {"drop": "", "twice": line * 2, "null": f"{head}: null\n"}.get(
            change, f"{head}: {change}\n"
        )
    try:
        assert assemble(parse("".join(lines))).infrastructure.chips
    except InputError as error:
        assert all(problem.message and problem.remedy for problem in error.problems)  # noqa: PT017
