"""Spans by OpenTelemetry's GenAI conventions: one of a server for each request, one of a client for each attempt.

The names are those of github.com/open-telemetry/semantic-conventions-genai as of November 2026 (`client-inference`;
status: development). Prompts and answers are in none of them, nor is anything else that the gateway does not read.
OpenTelemetry's own environment variables switch them on and say where to; the SDK is imported only then. A thread of
the SDK's sends them, from a queue of limited length: a collector that is away costs spans, and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stargate.base.errors import UserError
from stargate.gateway.observing.passage import Headers, Passage
from stargate.gateway.record import Admitted, Endpoint, Operation, Settled

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

SERVICE = "stargate-gateway"
CLOSE_S = 3.0
"""How long the last spans may take to go out when the gateway stops."""
_OPERATIONS: dict[Operation, str] = {
    "chat/completions": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
    "responses": "chat",
}
_APIS: dict[Operation, str] = {"chat/completions": "chat_completions", "responses": "responses"}
Attributes = dict[str, str | int | float | bool]


def tracing_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for spans. Raises UserError where they ask for what is not there."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    places = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if exporters == "none" or not (exporters or any(environment.get(place) for place in places)):
        return False
    if exporters not in ("", "otlp"):
        raise UserError(f"OTEL_TRACES_EXPORTER is {exporters!r}", "Spans go out by `otlp`; `none` sends none")
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", ""
    )
    if protocol not in ("", "http/protobuf"):
        raise UserError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}",
            "Spans go out by `http/protobuf`, to a collector's port 4318",
        )
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: PLC0415 - an extra
        import opentelemetry.sdk.trace.export  # noqa: F401, PLC0415 - the same
    except ImportError as error:
        raise UserError(
            f"spans are wanted, and {error.name} is not installed",
            "Install it with `pip install 'stargate[otel]'`, or unset OTEL_EXPORTER_OTLP_ENDPOINT",
        ) from None
    return True


class Tracing:
    """One worker's. It samples, batches and sends as OpenTelemetry's variables say."""

    def __init__(self, environment: Mapping[str, str], instance: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        own = {"service.instance.id": instance} | ({} if named else {"service.name": SERVICE})
        self.spans = {"exported": 0, "failed": 0}
        """How many came to what."""
        self._provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_counted(OTLPSpanExporter(), self.spans)))
        self._tracer = self._provider.get_tracer("stargate.gateway")
        self._context = TraceContextTextMapPropagator()
        self._within = set_span_in_context
        self._server, self._client = SpanKind.SERVER, SpanKind.CLIENT
        self._error = Status(StatusCode.ERROR)

    def begin(self, passage: Passage) -> None:
        """A request begins, within the client's trace where it told one."""
        told = {"traceparent": passage.traceparent, "tracestate": passage.tracestate}
        route = f"/v1/{passage.operation}"
        passage.tracer = self
        passage.spans = {}
        passage.span = self._tracer.start_span(
            f"POST {route}",
            self._context.extract({name: value for name, value in told.items() if value}),
            self._server,
            {
                "http.request.method": "POST",
                "http.route": route,
                "url.path": route,
                "url.scheme": "http",
                "stargate.request.id": passage.request,
            },
            start_time=passage.began_us * 1_000,
        )

    def onward(self, passage: Passage, admitted: Admitted, endpoint: Endpoint) -> Headers:
        """An attempt begins: the headers that tell its endpoint so."""
        operation = _OPERATIONS[admitted.operation]
        model = endpoint.upstream_model or admitted.model
        host, port = _server(endpoint.url)
        said: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": endpoint.provider,
            "gen_ai.request.model": model,
            "server.address": host,
            "server.port": port,
            "stargate.endpoint": endpoint.id,
            "stargate.attempt": admitted.nth,
            "stargate.request.id": passage.request,
        }
        if passage.stream:
            said["gen_ai.request.stream"] = True
        if admitted.operation in _APIS:
            said["openai.api.type"] = _APIS[admitted.operation]
        if endpoint.site:
            said["stargate.site"] = endpoint.site
        span = self._tracer.start_span(
            f"{operation} {model}",
            self._within(passage.span),
            self._client,
            said,
            start_time=admitted.at_us * 1_000,
        )
        assert passage.spans is not None, "`begin` made it"
        passage.spans[admitted.nth] = span
        carrier: dict[str, str] = {}
        self._context.inject(carrier, self._within(span))
        return list(carrier.items())

    def settled(self, passage: Passage, admitted: Admitted, settled: Settled) -> None:
        """It is over."""
        span = passage.spans.pop(admitted.nth, None) if passage.spans else None
        if span is None:
            return
        used = settled.tokens
        said: Attributes = {"stargate.outcome": settled.outcome, "stargate.count_source": settled.counted}
        if settled.status:
            said["http.response.status_code"] = settled.status
        if settled.counted != "none":
            said["gen_ai.usage.input_tokens"] = used.input_tokens
            said["gen_ai.usage.output_tokens"] = used.output_tokens
            if used.cached_tokens:
                said["gen_ai.usage.cache_read.input_tokens"] = used.cached_tokens
            if used.reasoning_tokens:
                said["gen_ai.usage.reasoning.output_tokens"] = used.reasoning_tokens
        if passage.stream and passage.first_us > admitted.at_us:
            said["gen_ai.response.time_to_first_chunk"] = (passage.first_us - admitted.at_us) / 1e6
        if settled.outcome not in ("done", "aborted"):
            refused = settled.outcome == "refused" and settled.status >= 400
            said["error.type"] = str(settled.status) if refused else settled.outcome
            span.set_status(self._error)
        span.set_attributes(said)
        span.end(settled.at_us * 1_000)

    def end(self, passage: Passage, now_us: int) -> None:
        """The request is over."""
        for span in (passage.spans or {}).values():
            span.end(now_us * 1_000)  # it was never settled: this gateway is ending
        said: Attributes = {}
        if passage.status:
            said["http.response.status_code"] = passage.status
        if passage.asked_model:
            said["gen_ai.request.model"] = passage.asked_model
        if passage.application is not None:
            said["stargate.key.id"] = passage.application.id
            said["stargate.product"] = passage.application.scope.product
        if passage.settled is not None:
            said["stargate.outcome"] = passage.settled.outcome
        if passage.code:
            said["error.type"] = passage.code
        elif passage.settled is not None and passage.settled.outcome == "cut":
            said["error.type"] = "cut"
        if passage.status >= 500 or said.get("error.type") == "cut":
            passage.span.set_status(self._error)
        passage.span.set_attributes(said)
        passage.span.end(now_us * 1_000)

    def close(self) -> None:
        """Send what is left, if that can be done soon. Blocks."""
        ending = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(CLOSE_S)


def _counted(exporter: SpanExporter, counts: dict[str, int]) -> SpanExporter:
    """The same exporter, and how many spans came to what."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415 - an extra

    class Counted(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            counts["exported" if result is SpanExportResult.SUCCESS else "failed"] += len(spans)
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Counted()


@lru_cache(4_096)
def _server(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
