"""The client against servers that behave, refuse, break off or are none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stargate.base import errors
from stargate.cli import client as client_module
from stargate.cli.client import Client, ServerUnreachableError, connect, demand_private, part

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the test says, and remembers what came."""

    server: FakeServer

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.seen.append((self.path, dict(self.headers), self.rfile.read(length)))
        self.server.answers[min(len(self.server.seen), len(self.server.answers)) - 1](self)

    do_GET = do_POST = _any  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        pass


class FakeServer(ThreadingHTTPServer):
    """One answer a request; the last one for all that follow."""

    daemon_threads = True
    answers: list[Answer]
    seen: list[tuple[str, dict[str, str], bytes]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def says(status: int, body: Any) -> Answer:
    """An answer in JSON."""

    def answer(handler: Handler) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


def hangs_up(handler: Handler) -> None:
    """The answer is lost."""
    handler.close_connection = True
    handler.connection.close()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer(("127.0.0.1", 0), Handler)
    server.answers, server.seen = [says(200, {})], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAUSE_S", 0.0)
    for name in ("STARGATE_KEY", "STARGATE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_key_goes_with_every_request_and_a_post_can_be_repeated(fake: FakeServer) -> None:
    with Client(fake.url, "sg_live_x") as client:
        client.get("status", digest=None, limit=5)
        client.post("workloads", {"yaml": "run: echo"})
    (path, headers, _), (_, posted, body) = fake.seen
    assert path == "/v1/status?limit=5"
    assert headers["Authorization"] == posted["Authorization"] == "Bearer sg_live_x"
    assert posted["Content-Type"] == "application/json"
    assert len(posted["Idempotency-Key"]) >= 32
    assert json.loads(body) == {"yaml": "run: echo"}


def test_a_lost_answer_is_asked_for_again_under_the_same_key(fake: FakeServer) -> None:
    fake.answers = [hangs_up, hangs_up, says(201, {"id": "a"})]
    with Client(fake.url, "k") as client:
        assert client.post("workloads", {}) == {"id": "a"}
    assert len({headers["Idempotency-Key"] for _, headers, _ in fake.seen}) == 1
    assert len(fake.seen) == 3


def test_asking_again_ends(fake: FakeServer) -> None:
    fake.answers = [hangs_up]
    with Client(fake.url, "k") as client, pytest.raises(ServerUnreachableError):
        client.get("status")
    assert len(fake.seen) == client_module.TRIES


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"error": {"type": "NotFoundError", "message": "m", "remedy": "r"}}, errors.NotFoundError),
        (409, {"error": {"type": "StateConflictError", "message": "m"}}, errors.StateConflictError),
        (503, {"error": {"type": "UnavailableError", "message": "m"}}, errors.InternalError),
        (418, {"error": {"type": "Problem", "message": "m"}}, errors.UserError),
        (400, {}, errors.UserError),
        (500, [], errors.InternalError),
        (422, {"error": {"type": "InputError", "message": "m", "problems": "odd"}}, errors.InputError),
        (200, b"<html>", ServerUnreachableError),
        (502, b"", ServerUnreachableError),
    ],
)
def test_refusals_become_our_errors(fake: FakeServer, status: int, body: Any, kind: type[Exception]) -> None:
    fake.answers = [says(status, body)]
    with Client(fake.url, "k") as client, pytest.raises(kind) as caught:
        client.get("status")
    assert type(caught.value) is kind


def test_problems_and_reasons_come_through(fake: FakeServer) -> None:
    problems = [{"message": "one", "remedy": "Mend it.", "path": "workload.nodes"}]
    fake.answers = [
        says(422, {"error": {"type": "InputError", "message": "1 problem", "problems": problems}}),
        says(403, {"error": {"type": "ForbiddenError", "message": "no", "remedy": "r", "reasons": ["a/b"]}}),
    ]
    with Client(fake.url, "k") as client:
        with pytest.raises(errors.InputError) as wrong:
            client.get("x")
        with pytest.raises(errors.ForbiddenError) as forbidden:
            client.get("x")
    assert wrong.value.problems[0].path == "workload.nodes"
    assert forbidden.value.reasons == ("a/b",)


def test_pages_are_walked_to_their_end(fake: FakeServer) -> None:
    fake.answers = [
        says(200, {"items": [{"id": "a"}, {"id": "b"}], "total": 3, "next": "b"}),
        says(200, {"items": [{"id": "c"}], "total": 3, "next": None}),
    ]
    with Client(fake.url, "k") as client:
        assert [item["id"] for item in client.pages("workloads", state="active")] == ["a", "b", "c"]
    assert fake.seen[1][0] == "/v1/workloads?limit=200&after=b&state=active"


def test_pages_stop_where_enough_is(fake: FakeServer) -> None:
    fake.answers = [says(200, {"items": [{"id": "a"}, {"id": "b"}], "total": 9, "next": "b"})]
    with Client(fake.url, "k") as client:
        assert len(list(client.pages("workloads", most=4))) == 4
    assert [path for path, _, _ in fake.seen] == ["/v1/workloads?limit=4", "/v1/workloads?limit=2&after=b"]


def test_nobody_there_is_said_at_once(tmp_path: Path) -> None:
    with (
        Client("http://127.0.0.1:9", "k") as client,
        pytest.raises(ServerUnreachableError, match="stargate up"),
    ):
        client.get("status")


def test_where_the_server_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "operator.key").write_text("sg_live_file\n", encoding="utf-8")
    assert connect(tmp_path, None).url == client_module.DEFAULT_URL
    (tmp_path / "server.json").write_text('{"url": "http://127.0.0.1:1234"}', encoding="utf-8")
    assert connect(tmp_path, None).url == "http://127.0.0.1:1234"
    monkeypatch.setenv("STARGATE_URL", "https://stargate.example")
    assert connect(tmp_path, None).url == "https://stargate.example"
    assert connect(tmp_path, "http://localhost:5/").url == "http://localhost:5"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": 3}', "\ud800"])
def test_a_damaged_address_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "operator.key").write_text("k", encoding="utf-8")
    (tmp_path / "server.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    assert connect(tmp_path, None).url == client_module.DEFAULT_URL


def test_without_a_key_it_says_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.UnauthorizedError, match="STARGATE_KEY"):
        connect(tmp_path, None)
    monkeypatch.setenv("STARGATE_KEY", " sg_live_env ")
    assert connect(tmp_path, None).url


@pytest.mark.parametrize("url", ["http://stargate.example", "http://10.0.0.1:8750", "http://[2001:db8::1]/"])
def test_a_key_does_not_travel_in_clear(url: str) -> None:
    with pytest.raises(errors.ForbiddenError, match="in clear"):
        demand_private(url)


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8750", "http://", "http://[", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(errors.UserError, match="no address"):
        demand_private(url)


@pytest.mark.parametrize(
    "url", ["https://stargate.example", "http://localhost:1", "http://127.1.2.3", "http://[::1]:1"]
)
def test_what_is_private(url: str) -> None:
    demand_private(url)


def test_ids_are_one_part_of_a_path() -> None:
    assert part("a/../b c") == "a%2F..%2Fb%20c"
