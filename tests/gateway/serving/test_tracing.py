"""Spans as a collector gets them: by OTLP over HTTP, decoded by OpenTelemetry's own records."""

from __future__ import annotations

import asyncio
import gzip
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stargate.base.errors import UserError
from stargate.gateway.observing import Observer, Tracing, tracing_wanted
from stargate.gateway.upstream import PATIENT, Answer, Headers, Patience
from tests.gateway.provider import Provider
from tests.gateway.serving.rig import Call, Rig, chat, clock_us, endpoint, key, rig

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.anyio
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CLIENT = f"00-{TRACE}-{PARENT}-01"
SERVER_KIND, CLIENT_KIND, ERROR = 2, 3, 2


class Collector:
    """A collector on loopback."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                outer.requests.append(ExportTraceServiceRequest.FromString(data))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def spans(self) -> list[Any]:
        """In the order of their beginning."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: (span.start_time_unix_nano, span.kind))

    @property
    def resource(self) -> dict[str, Any]:
        return attributes(self.requests[0].resource_spans[0].resource)


def attributes(span: Any) -> dict[str, Any]:
    found = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        found[each.key] = getattr(each.value, kind)
    return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    yield made
    made.close()


async def traced(made: Rig) -> Tracing:
    tracing = await asyncio.to_thread(Tracing, {}, "worker-1")
    made.desk.observer = Observer(clock_us, tracing=tracing)
    return tracing


class Heard:
    """An upstream that remembers the headers of what it was asked."""

    def __init__(self, made: Rig) -> None:
        self._upstream = made.desk.upstream
        self.headers: list[dict[str, str]] = []
        made.desk.upstream = self

    async def send(
        self, url: str, headers: Headers, body: bytes | None, patience: Patience = PATIENT
    ) -> Answer:
        if body is not None:
            self.headers.append(dict(headers))
        return await self._upstream.send(url, headers, body, patience)

    async def close(self) -> None:
        await self._upstream.close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_request_and_its_attempt_are_spans_of_the_clients_trace(
    tmp_path: Path, collector: Collector, stream: bool
) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        heard = Heard(made)
        tracing = await traced(made)
        made.route(
            endpoint(provider, upstream_model="tiny-large", site="iowa"), application=key(product="api")
        )
        call = Call(chat(stream=stream, mock="tokens=5&cached=2"))
        await made.run(call, traceparent=CLIENT, tracestate="vendor=1")
        await asyncio.to_thread(tracing.close)
        (asked,) = heard.headers
        used = provider.tally.total()
    server, client = collector.spans
    said, sent = attributes(client), attributes(server)
    assert server.kind == SERVER_KIND
    assert client.kind == CLIENT_KIND
    assert server.name == "POST /v1/chat/completions"
    assert client.name == "chat tiny-large"
    assert {server.trace_id.hex(), client.trace_id.hex()} == {TRACE}
    assert server.parent_span_id.hex() == PARENT
    assert client.parent_span_id == server.span_id
    assert asked["traceparent"] == f"00-{TRACE}-{client.span_id.hex()}-01"
    assert asked["tracestate"] == "vendor=1"
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == "azure"
    assert said["gen_ai.request.model"] == "tiny-large"
    assert said["openai.api.type"] == "chat_completions"
    assert (said["server.address"], said["server.port"]) == ("127.0.0.1", provider.port)
    assert said["gen_ai.usage.input_tokens"] == used.input_tokens
    assert said["gen_ai.usage.cache_read.input_tokens"] == 2
    assert said["gen_ai.usage.output_tokens"] == 5
    assert said.get("gen_ai.request.stream", False) is stream
    assert ("gen_ai.response.time_to_first_chunk" in said) is stream
    assert said["http.response.status_code"] == 200
    assert said["stargate.request.id"] == call.headers["x-request-id"]
    assert "error.type" not in {**said, **sent}
    assert (sent["http.route"], sent["http.response.status_code"]) == ("/v1/chat/completions", 200)
    assert (sent["gen_ai.request.model"], sent["stargate.product"]) == ("tiny", "api")
    assert server.start_time_unix_nano <= client.start_time_unix_nano < client.end_time_unix_nano
    assert client.end_time_unix_nano <= server.end_time_unix_nano
    assert collector.resource["service.name"] == "stargate-gateway"
    assert tracing.spans == {"exported": 2, "failed": 0}
    assert b"Say something" not in collector.requests[0].SerializeToString()


async def test_each_attempt_is_a_span_and_errors_are_told(tmp_path: Path, collector: Collector) -> None:
    async with Provider() as bad, Provider() as gone, rig(tmp_path) as made:
        tracing = await traced(made)
        bad.play("play=503")
        await gone.refuse(reset=True)
        made.route(endpoint(bad), endpoint(gone))
        call = await made.ask()
        assert call.status == 502
        await made.ask(token="wrong")
        await asyncio.to_thread(tracing.close)
    server, *attempts, refused = collector.spans
    assert attributes(server)["error.type"] == call.error["code"]
    assert server.status.code == ERROR
    assert sorted(attributes(each)["error.type"] for each in attempts) == ["503", "unsent"]
    assert {each.status.code for each in attempts} == {ERROR}
    assert [attributes(each)["stargate.attempt"] for each in attempts] == [0, 1]
    assert attributes(refused)["error.type"] == "invalid_api_key"
    assert attributes(refused)["http.response.status_code"] == 401
    assert refused.status.code != ERROR
    assert server.trace_id != refused.trace_id


async def test_what_the_client_does_not_sample_is_not_sent(tmp_path: Path, collector: Collector) -> None:
    async with Provider() as provider, rig(tmp_path) as made:
        heard = Heard(made)
        tracing = await traced(made)
        made.route(endpoint(provider))
        await made.run(Call(chat()), traceparent=f"00-{TRACE}-{PARENT}-00")
        await asyncio.to_thread(tracing.close)
        (asked,) = heard.headers
    assert not collector.requests
    assert asked["traceparent"].startswith(f"00-{TRACE}-")
    assert asked["traceparent"].endswith("-00")


async def test_a_collector_that_is_away_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Provider() as gone:
        await gone.refuse(reset=True)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{gone.port}")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
        async with Provider() as provider, rig(tmp_path) as made:
            tracing = await traced(made)
            made.route(endpoint(provider))
            for _ in range(40):
                assert (await made.ask()).status == 200
            began_s = time.monotonic()
            await asyncio.to_thread(tracing.close)
            assert time.monotonic() - began_s < 30
            assert tracing.spans["exported"] == 0
            assert provider.tally.total().finished == 40


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        (CLIENT, True),
        (CLIENT.upper(), False),
        (f"00-{'0' * 32}-{PARENT}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"ff-{TRACE}-{PARENT}-01", False),
        (f"{CLIENT}\r\nx-evil: 1", False),
        ("", False),
    ],
)
async def test_without_tracing_the_clients_own_trace_goes_on(tmp_path: Path, told: str, passes: bool) -> None:
    """As it is written, if it is one."""
    async with Provider() as provider, rig(tmp_path) as made:
        heard = Heard(made)
        made.route(endpoint(provider))
        call = await made.run(Call(chat()), traceparent=told, tracestate="vendor=1")
        assert call.status == 200
        (asked,) = heard.headers
    assert (asked.get("traceparent"), asked.get("tracestate")) == (
        (told, "vendor=1") if passes else (None, None)
    )


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
)
def test_opentelemetrys_own_variables_switch_it_on(variables: dict[str, str], wanted: bool) -> None:
    assert tracing_wanted(variables) is wanted


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "4318"),
    ],
)
def test_what_it_cannot_do_is_said_at_the_start(variables: dict[str, str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        tracing_wanted(variables)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UserError, match=r"stargate\[otel\]"):
        tracing_wanted({"OTEL_TRACES_EXPORTER": "otlp"})
