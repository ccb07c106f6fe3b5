"""Commands about workloads, against a real server that runs real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stargate.cli import watch
from stargate.cli.cancel import command as cancel
from stargate.cli.explain import lines as explained
from stargate.cli.logs import command as logs
from stargate.cli.ps import picture as listed
from stargate.cli.scale import command as scale
from stargate.cli.show import lines as shown_lines
from stargate.cli.submit import read
from tests.cli.conftest import Run, until

EXAMPLE = Path(__file__).parents[2] / "examples" / "serving" / "vllm.yaml"
COMMANDS = (cancel, logs, scale, explained, listed, shown_lines)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "greet.yaml"
    path.write_text(
        "num_nodes: 2\nresources: {accelerators: H100:2}\nenvs: {WHO: nobody}\n"
        "run: echo hello $WHO from $SKYPILOT_NODE_RANK of $SKYPILOT_NUM_NODES\n",
        encoding="utf-8",
    )
    return path


def test_a_job_from_submission_to_its_last_line(on_server: Run, job: Path) -> None:
    done = on_server("submit", job, "--env", "WHO=ada", "--wait", "--json")
    assert done.code == 0, done.err
    shown = done.json
    assert shown["status"] == "succeeded"
    assert shown["workload"]["envs"] == {"WHO": "ada"}
    id = shown["id"]
    assert id.startswith("greet-")

    printed = on_server("logs", id)
    assert "hello ada from 0 of 2" in printed.out
    assert "hello ada from 1 of 2" in printed.out
    one = on_server("logs", shown["attempts"][0]["id"], "--rank", 1, "--json").json
    assert "from 1 of 2" in one["text"]
    assert "from 0 of 2" not in one["text"]
    assert on_server("logs", id, "--follow").out == printed.out

    row = next(item for item in on_server("ps", "--json").json["items"] if item["id"] == id)
    assert (row["status"], row["chips"], row["provider"]) == ("succeeded", 4, "alpha")
    assert id in on_server("ps").out
    assert id not in on_server("ps", "--state", "active").out

    text = on_server("show", id).out
    assert "2 nodes with H100:2" in text
    assert "because" in text
    assert "alpha-1" in on_server("explain", id).out
    why = on_server("explain", shown["attempts"][0]["placed_seq"], "--json").json
    assert {"alpha-1"} <= {candidate["pool"] for candidate in why["candidates"]}


def test_stated_work_is_sized_shown_and_told_how_to_cut_itself(on_server: Run, tmp_path: Path) -> None:
    file = tmp_path / "learn.yaml"
    file.write_text(
        "model: llama-3.2-1b\ntokens: 1B\nlayout: {data_parallel: 4, tensor_parallel: 1, pipeline_parallel: 1,"
        " context_parallel: 1}\nresources: {accelerators: H100}\n"
        "run: echo $STARGATE_DATA_PARALLEL copies on $SKYPILOT_NUM_NODES nodes of $SKYPILOT_NUM_GPUS_PER_NODE\n",
        encoding="utf-8",
    )
    done = on_server("submit", file, "--wait", "--json")
    assert done.code == 0, done.err
    id = done.json["id"]
    assert "4 copies on 2 nodes of 2" in on_server("logs", id).out
    text = on_server("show", id).out
    assert "H100, as many as it takes" in text
    assert "sized: 2 nodes with H100:2 for about " in text
    seq = done.json["attempts"][0]["placed_seq"]
    table = on_server("explain", seq).out
    assert "CHIPS" in table
    assert "TIME" in table
    (best, *_) = on_server("explain", seq, "--json").json["candidates"]
    assert (best["chips"], best["nodes"], best["pool"]) == (4, 2, "alpha-1")


def test_stated_work_that_cannot_be_done_is_refused(on_server: Run, tmp_path: Path) -> None:
    file = tmp_path / "learn.yaml"
    file.write_text("{model: llama-3.1-405b, tokens: 15T, run: echo}", encoding="utf-8")
    refused = on_server("submit", file)
    assert refused.code == 2
    assert "GB too much" in refused.err


def test_a_name_and_an_id_of_ones_own(on_server: Run, job: Path) -> None:
    first = on_server("submit", job, "--name", "other", "--id", "fixed-1", "--json").json
    again = on_server("submit", job, "--name", "other", "--id", "fixed-1", "--json").json
    assert (first["id"], again["id"]) == ("fixed-1", "fixed-1")
    assert on_server("show", "fixed-1", "--json").json["name"] == "other"
    named = on_server("submit", job, "--name", "-bad-")
    assert (named.code, named.out) == (2, "")
    assert "is no name" in named.err


def test_a_failure_is_exit_code_1(on_server: Run, tmp_path: Path) -> None:
    done = on_server(
        "submit", "-", "--wait", stdin="name: broken\nresources: {accelerators: H100}\nrun: exit 3\n"
    )
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("broken-")
    assert "failed" in done.out


def test_a_service_is_scaled_and_cancelled(on_server: Run, tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(
        "kind: serve\nservice: {replica_policy: {min_replicas: 1, max_replicas: 3}}\n"
        "resources: {accelerators: H100:1}\nrun: sleep 600\n",
        encoding="utf-8",
    )
    served = on_server("submit", path, "--wait", "--json")
    assert served.code == 0
    id = served.json["id"]
    assert on_server("scale", id, 2).out == f"{id} has 2 replicas from now on\n"
    until(lambda: on_server("show", id, "--json").json["slots_placed"] == 2)
    assert on_server("cancel", id).out == f"Cancelled {id}\n"
    until(lambda: on_server("show", id, "--json").json["status"] == "cancelled")
    assert on_server("cancel", id).out == f"{id} had ended already\n"


def test_a_service_is_revised(on_server: Run, tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    file = "kind: serve\nservice: {replica_policy: {min_replicas: 0}}\nrun: sleep 600 # version $VERSION\n"
    path.write_text(file, encoding="utf-8")
    assert on_server("submit", path, "--id", "revised", "--env", "VERSION=1").code == 0
    ran = on_server("revise", "revised", path, "--env", "VERSION=2")
    assert (ran.out, ran.err) == (
        "Rolling out a new version of revised\n",
        "`stargate show revised` says how far it is\n",
    )
    until(lambda: not on_server("show", "revised", "--json").json.get("rollout"))
    assert on_server("show", "revised", "--json").json["workload"]["envs"] == {"VERSION": "2"}
    assert on_server("revise", "revised", path, "--env", "VERSION=2").out == "revised is that already\n"
    assert on_server("revise", "revised", path, "-e", "VERSION=3", "--json").json["seq"] > 0
    path.write_text("run: echo\n", encoding="utf-8")
    assert on_server("revise", "revised", path).code == 2
    assert on_server("cancel", "revised").code == 0


def test_what_does_not_exist(on_server: Run) -> None:
    for words in (
        ["show", "nope"],
        ["logs", "nope"],
        ["cancel", "nope"],
        ["revise", "nope", EXAMPLE],
        ["explain", "nope"],
        ["explain", 10**9],
    ):
        ran = on_server(*words)
        assert ran.code == 2, words
        assert ran.err.startswith("stargate: no ")


def test_a_file_at_fault_never_reaches_the_server(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("run: echo\nresuorces: {}\nenvs: {A: null}\n", encoding="utf-8")
    ran = run("submit", path)
    assert ran.code == 2
    assert ran.err == f"{path}:2: resuorces: unknown field 'resuorces'. Did you mean 'resources'?\n"
    assert run("submit", path, "--json").json["error"]["problems"][0]["line"] == 2


def test_variables_come_from_options_and_from_the_shell(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "shell")
    assert read(job, None, ("WHO", "N=a=b")).envs == {"WHO": "shell", "N": "a=b"}


def test_a_variable_that_the_shell_lacks(run: Run, job: Path) -> None:
    ran = run("submit", job, "--env", "SURELY_NOT_SET")
    assert ran.code == 2
    assert "--env SURELY_NOT_SET=VALUE" in ran.err


SHOWN: dict[str, Any] = {
    "id": "lm-1",
    "kind": "train",
    "status": "running",
    "actor": "ada",
    "submitted_at": "2027-01-01T00:00:00Z",
    "ended_at": None,
    "provider": "beta",
    "pool": "beta-1",
    "replicas": 1,
    "step": 250,
    "total_steps": 1000,
    "cost_micro_usd": 12_340_000,
    "attempts_total": 2,
    "attempts": [
        {"id": "lm-1.0.1", "slot": 0, "provider": "alpha", "pool": "a", "status": "ended", "outcome": "failed",
         "failure": "infrastructure", "last_step": 200, "cost_micro_usd": 4_000_000},
        {"id": "lm-1.0.2", "slot": 0, "provider": "beta", "pool": "beta-1", "status": "running",
         "progress": {"step": 250, "loss": "2.5"}},
    ],
}  # fmt: skip


def test_the_picture_while_one_waits() -> None:
    text = watch.picture(SHOWN)
    assert text.splitlines()[0] == "lm-1: running on beta (pool beta-1), attempt 2"
    assert "step 250 of 1,000" in text
    assert text.index("lm-1.0.1") < text.index("lm-1.0.2")
    assert "infrastructure" in text
    assert "Cost so far $12.34" in text
    waiting = {
        **SHOWN,
        "status": "waiting",
        "provider": "",
        "attempts": [],
        "attempts_total": 0,
        "step": None,
    }
    assert "stargate explain lm-1" in watch.picture(waiting)


def test_what_one_waits_for() -> None:
    assert not watch.settled(SHOWN)
    ended = {**SHOWN, "ended_at": "2027-01-02T00:00:00Z", "status": "failed"}
    assert watch.settled(ended)
    assert not watch.succeeded(ended)
    assert watch.succeeded({**ended, "status": "succeeded"})
    service = {**SHOWN, "kind": "serve"}
    assert watch.settled(service)
    assert watch.succeeded(service)
    assert not watch.settled({**service, "replicas": 2})
