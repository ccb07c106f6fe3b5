"""`stargate check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stargate.cli.check import KINDS, WORKLOAD, examine
from tests.cli.conftest import AGREEMENTS, INFRASTRUCTURE, Run


def write(folder: Path, **texts: str) -> Path:
    """Files by name in a folder."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_everything_in_order(run: Run, tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        infrastructure=INFRASTRUCTURE,
        job="resources: {accelerators: H100:8}\nrun: echo\n",
        request="action: train\nparty: lab\n",
        policy="policy: {}\n",
        nothing="# to come\n",
    )
    ran = run("check", folder)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("5 files: 3 parties, 2 providers, 2 sites, 2 pools, ")
    assert "1 workload" in ran.out
    found = run("check", folder, "--json").json
    assert found["ok"]
    assert found["counts"]["pools"] == 2


def test_every_problem_of_every_kind_at_once(run: Run, tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        infrastructure=INFRASTRUCTURE.replace("site: north", "site: nowhere").replace(
            "chips_per_node", "chip_per_node", 1
        ),
        job="resources: {acelerators: H100:8}\nrun: echo\nnum_nodes: 0\n",
        request="action: fly\n",
        policy="policy: {quotas: 1}\n",
        odd="pool: []\n",
        broken="a: [\n",
        foreign="type: task\ncommands: [a]\n",
    )
    ran = run("check", folder)
    assert ran.code == 2
    lines = ran.err.splitlines()
    for name in ("infrastructure", "job", "request", "policy", "odd", "broken", "foreign"):
        assert any(line.startswith(f"{folder / name}.yaml:") for line in lines), name
    assert any("Did you mean 'accelerators'?" in line for line in lines)
    assert any("stargate import" in line for line in lines)
    found = run("check", folder, "--json")
    assert found.code == 2
    assert not found.json["ok"]
    assert all(problem["message"] and problem["remedy"] for problem in found.json["problems"])
    assert all(problem["file"] and problem["line"] for problem in found.json["problems"])


def test_agreements_that_contradict_one_another_are_listed(run: Run, tmp_path: Path) -> None:
    exclusive = """
agreement:
  id: {id}
  parties: [lab, {supplier}]
  customer: lab
  supplier: {supplier}
  signed_on: 2025-01-01
  clauses: [{{id: api, kind: exclusive_serving, products: [api]}}]
"""
    folder = write(
        tmp_path,
        infrastructure=INFRASTRUCTURE,
        one=exclusive.format(id="one", supplier="alpha-co"),
        two=exclusive.format(id="two", supplier="beta-co"),
    )
    found = run("check", folder, "--json")
    assert found.code == 2
    assert found.json["problems"] == []
    assert found.json["conflicts"]
    assert "one/api and two/api" in found.json["conflicts"][0]["message"]
    said = run("check", folder)
    assert said.err.startswith(str(tmp_path))
    assert "conflict" in said.out
    assert run("check", folder / "infrastructure.yaml", folder / "one.yaml").code == 0


def test_a_party_that_nobody_knows(run: Run, tmp_path: Path) -> None:
    folder = write(tmp_path, infrastructure=INFRASTRUCTURE, paper=AGREEMENTS.replace("beta-co", "betta-co"))
    assert run("check", folder).code == 2
    assert "betta-co" in run("check", folder).err
    assert run("check", folder / "paper.yaml").code == 0


def test_an_unknown_chip_is_a_doubt(tmp_path: Path) -> None:
    found = examine([write(tmp_path, job="resources: {accelerators: [H100, H1000000]}\nrun: echo\n")])
    assert found.ok
    (doubt,) = found.doubts
    assert "'H1000000'" in doubt.message
    assert doubt.line == 1


def test_a_model_that_stated_work_cannot_be_sized_by(tmp_path: Path) -> None:
    """Elsewhere a model's name may be anything."""
    write(tmp_path, train="model: llama-3.1-9b\ntokens: 1B\n", other="model: anything\nrun: echo\n")
    found = examine([tmp_path])
    (problem,) = found.problems
    assert problem.path == "model"
    assert "llama-3.1" in problem.remedy.lower()
    write(
        tmp_path,
        train="model: {name: own, config: config.json}\ntokens: 1B\n",
        other="model: llama-3.1-8b\ntokens: 1B\n",
    )
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    assert any("cannot be read" in problem.message for problem in examine([tmp_path]).problems)


def test_each_document_of_a_file_counts(tmp_path: Path) -> None:
    found = examine([write(tmp_path, all=f"{INFRASTRUCTURE}\n---\nrun: a\n---\nrun: b\n---\n")])
    assert found.ok
    assert (found.files, found.counts["workloads"]) == (1, 2)


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    folder = write(tmp_path, job="run: a\n")
    assert examine([folder, folder / "job.yaml"]).files == 1


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_paths_without_files(run: Run, tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    ran = run("check", tmp_path / what)
    assert ran.code == 2
    assert what in ran.err


def test_the_example_of_the_repository(run: Run, repository: Path) -> None:
    ran = run("check", repository / "examples" / "stargate", "--json")
    assert ran.code == 0, ran.out
    counts = ran.json["counts"]
    assert counts["sites"] >= 12
    assert counts["providers"] >= 8


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["2025-01-01", "US", "lab", "a/b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "kind", "clauses", "nodes", "from", "scope", "run", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
KEYS = sorted({*WORKLOAD, "action", "request", "type", *(key for names in KINDS.values() for key in names)})


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(KEYS), PLAIN, max_size=3).map(yaml.safe_dump) | st.text())
def test_any_file_is_sound_or_has_named_problems(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = examine([path])
    assert all(problem.message and problem.remedy for problem in (*found.problems, *found.conflicts))


def test_scenarios_are_checked_by_their_own_words(run: Run, repository: Path, tmp_path: Path) -> None:
    ran = run("check", repository / "examples" / "rehearsal" / "small.yaml", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["counts"]["scenarios"] == 1
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("scenario: {start: 2026-01-05, horizn: 3d}\n")
    ran = run("check", wrong)
    assert ran.code == 2
    assert "'horizon'" in ran.err
