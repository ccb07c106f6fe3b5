"""Whatever is killed while a batch runs: each request has one answer in the end, and every call is counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from openai import APIError, OpenAI
from openai.types import Batch

from tests.gateway.batch.yard import Yard, begin, ended, line, lines, text, yard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

LINES = 600
SLOTS = 16
PLAYS = (
    "",
    "first_ms=20",
    "first_ms=60&tokens=30",
    "cached=3&tokens=9",
    "reasoning=2&tokens=9",
    "play=no-usage",
)
END_S = 240.0


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Yard]:
    with yard(tmp_path) as made:
        yield made


def running(made: Yard, client: OpenAI, seed: int) -> tuple[Batch, list[str]]:
    draw = random.Random(seed)
    asked = [line(f"r{number}", draw.choice(PLAYS)) for number in range(LINES)]
    for number in range(0, LINES, 60):
        asked[number] = line(f"r{number}", "play=400")
    return begin(client, text(asked)), [each["custom_id"] for each in asked]


def kept(client: OpenAI, id: str) -> int:
    try:
        found = client.batches.retrieve(id).request_counts
    except APIError:
        return 0  # it is down now
    return 0 if found is None else found.completed + found.failed


def await_share(made: Yard, client: OpenAI, batch: Batch, quarters: int) -> None:
    made.wait(lambda: kept(client, batch.id) >= LINES * quarters // 4)


def judged(made: Yard, client: OpenAI, id: str, asked: list[str], *, again: int) -> None:
    """Each request has one answer; what was called is on record to the token; no more was asked twice than `again`."""
    over = ended(client, id, END_S)
    assert over.status == "completed", over
    output, errors = lines(client, over.output_file_id), lines(client, over.error_file_id)
    assert sorted(each["custom_id"] for each in (*output, *errors)) == sorted(asked)
    assert len(errors) == len(range(0, LINES, 60))
    told = {each["response"]["request_id"] for each in (*output, *errors)}
    assert len(told) == LINES
    used = {id: each for provider in made.used().values() for id, each in provider.items()}
    made.wait(lambda: used.keys() <= made.filed().keys(), 120)
    filed = made.filed()
    assert told <= {each.admitted.request for each in filed.values()}
    for name, each in used.items():
        if filed[name].settled.counted in {"upstream", "lookup"}:
            assert filed[name].settled.tokens == each.tokens(), name
    called = [each.calls + each.refused for each in used.values()]
    assert set(called) == {1}
    assert LINES <= len(called) <= LINES + again


def test_runners_that_are_killed(made: Yard) -> None:
    client = made.client("killed")
    batch, asked = running(made, client, 1)
    for share in (1, 2, 3):
        await_share(made, client, batch, share)
        made.await_runner().kill()
    judged(made, client, batch.id, asked, again=3 * SLOTS)


def test_gateways_that_are_killed(made: Yard) -> None:
    client = made.client("lost")
    batch, asked = running(made, client, 2)
    for share in (1, 2, 3):
        await_share(made, client, batch, share)
        if share == 2:
            made.kill_gateway()
            made.start_gateway(2)
        else:
            victims: list[psutil.Process] = made.workers()
            victims[0].kill()
    judged(made, client, batch.id, asked, again=3 * SLOTS)


def test_a_control_plane_that_is_killed(made: Yard) -> None:
    client = made.client("restart")
    batch, asked = running(made, client, 3)
    for share in (1, 2, 3):
        await_share(made, client, batch, share)
        made.kill_server()
        made.start_server()
    judged(made, client, batch.id, asked, again=0)


def test_a_runner_that_makes_room_loses_nothing_and_goes_on(made: Yard) -> None:
    client = made.client("moved")
    batch, asked = running(made, client, 4)
    await_share(made, client, batch, 1)
    before = made.await_runner()
    urgent = "kind: train\npriority: 500\nresources: {accelerators: H100:4}\nrun: sleep 3\n"
    for name in ("one", "two"):
        body = {"id": name, "yaml": f"name: {name}\n{urgent}"}
        assert made.ask("/v1/workloads", body, plane=True)[0] == 201
    made.wait(lambda: not before.is_running())
    at_rest = kept(client, batch.id)
    assert LINES // 4 <= at_rest < LINES
    judged(made, client, batch.id, asked, again=0)
    _, work = made.ask(f"/v1/workloads/{batch.id}", plane=True)
    assert work["attempts_total"] > 1
