"""A gateway that answers as it is told, byte for byte, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def said(*pieces: str, finish: str = "stop", usage: dict[str, int] | None = None) -> bytes:
    """A stream that says these pieces, and ends well."""
    events: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]}
    ]
    events += [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage is not None:
        events.append({"choices": [], "usage": usage})
    return streamed(*events) + b"data: [DONE]\n\n"


def streamed(*events: dict[str, Any]) -> bytes:
    """Events, without an end."""
    return b"".join(b"data: %s\n\n" % json.dumps(event, ensure_ascii=False).encode() for event in events)


class ScriptedGateway:
    """Where it listens, what it answers with, and what came."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.status = 200
        self.body = said("Hello")
        self.known = True
        """Whether it knows the key."""
        self.routes: int | None = 1
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []


@contextmanager
def scripted_gateway() -> Iterator[ScriptedGateway]:
    """One, on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.keys.append(self.headers.get("authorization", "").removeprefix("Bearer "))
            found.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer(found.status, found.body)

        def do_GET(self) -> None:
            if self.path == "/health/ready":
                self._answer(200 if found.routes else 503, json.dumps({"routes": found.routes}).encode())
            elif found.known:
                self._answer(200, json.dumps({"data": [{"id": "tiny"}]}).encode())
            else:
                self._answer(
                    401, json.dumps({"error": {"message": "no key", "code": "invalid_api_key"}}).encode()
                )

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("x-request-id", "req_1")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = ScriptedGateway(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
