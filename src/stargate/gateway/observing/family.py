"""Every metric of a gateway: its name, what it says, its labels. There are no others."""

from __future__ import annotations

from typing import Literal

import msgspec

PREFIX = "stargate_gateway_"
SERIES_LIMIT = 10_000
"""Of one metric. What comes beyond counts under labels that say `other`."""

FIRST_S = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
)  # fmt: skip
DURATION_S = (
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0,
    120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip
TOKEN_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0,
)  # fmt: skip
"""As vLLM's (`vllm/v1/metrics/buckets.py`), so that an engine and the gateway before it can be laid over one another;
of durations and tokens with finer ones below, for small models and embeddings."""
OWN_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Of what the gateway does itself."""


class Family(msgspec.Struct, frozen=True):
    """One metric."""

    name: str
    """Without its prefix, and a counter without `_total`."""
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()
    bounds_s: tuple[float, ...] = ()
    over: Literal["sum", "max", "min"] = "sum"
    """What a gauge is for the host, of what it is for each process."""

    @property
    def exposed(self) -> str:
        """Its name as Prometheus keeps it."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"

    @property
    def bounds_us(self) -> tuple[int, ...]:
        """Bounds of its buckets."""
        return tuple(round(bound * 1_000_000) for bound in self.bounds_s)


_WAY = ("model", "provider", "operation")
_PLACE = ("endpoint", "model", "provider")
FAMILIES = (
    Family(
        "requests", "counter",
        "Requests that are over, by who answered last (no provider: nobody was asked), what became of it, and the "
        "status that the client was told (499: it left before there was one)",
        (*_WAY, "outcome", "status"),
    ),
    Family(
        "attempts", "counter",
        "Attempts to have a request answered, by what became of them and the endpoint's status (0: none came)",
        (*_WAY, "outcome", "status"),
    ),
    Family("refusals", "counter", "Requests that were refused, by the code that the client was told", ("code",)),
    Family(
        "tokens", "counter",
        "Tokens of all attempts. The cached are among the input, the reasoning among the output. Source: who counted",
        ("model", "provider", "kind", "source"),
    ),
    Family(
        "time_to_first_token_seconds", "histogram",
        "Of streams that were answered: from a request's arrival to the first piece that went to its client",
        _WAY, FIRST_S,
    ),
    Family(
        "request_duration_seconds", "histogram",
        "Of requests that were answered: from arrival to the last byte", _WAY, DURATION_S,
    ),
    Family(
        "time_per_output_token_seconds", "histogram",
        "Of streams that were answered: from the first piece to the last, for each token after the first",
        _WAY, TOKEN_S,
    ),
    Family("open_requests", "gauge", "Requests that are being answered"),
    Family("open_streams", "gauge", "Those of them that are streams"),
    Family("endpoint_resting", "gauge", "Workers that do not ask an endpoint for now, as it failed", _PLACE),
    Family("endpoint_outstanding_requests", "gauge", "Requests that an endpoint is answering", _PLACE),
    Family("routes_version", "gauge", "Of the routes served by; 0: none. The lowest of all workers", (), (), "min"),
    Family(
        "routes_age_seconds", "gauge", "Since the control plane last said how the routes are", (), (), "max"
    ),
    Family("ready", "gauge", "1: all workers take requests; 0: one of them does not", (), (), "min"),
    Family(
        "spool_commit_seconds", "histogram", "What it takes to have gathered records on disk", (), OWN_S
    ),
    Family("spool_unsettled_attempts", "gauge", "Admitted on disk, and not settled there"),
    Family("spool_backlog_attempts", "gauge", "Settled on disk, and not acknowledged by the control plane"),
    Family("spool_backlog_age_seconds", "gauge", "Since the first of these was settled", (), (), "max"),
    Family("spool_unresolved_attempts", "gauge", "Left open by dead workers, until their endpoints can be asked"),
    Family("spool_bytes", "gauge", "What the spool takes on disk"),
    Family("spool_epochs", "gauge", "Workers' lives that are not yet shipped whole"),
    Family("spool_unreadable_epochs", "gauge", "Those of them that cannot be read; they are kept"),
    Family("shipments", "counter", "Batches sent to the control plane: `arrived` or `failed`", ("result",)),
    Family("shipped_attempts", "counter", "Attempts that the control plane has acknowledged"),
    Family("unfit_attempts", "counter", "Those of them that it said it can never count"),
    Family("event_loop_lag_seconds", "histogram", "How late what was due in a worker ran", (), OWN_S),
    Family("access_log_dropped_lines", "counter", "Lines of the access log that could not be written"),
    Family("spans", "counter", "Spans handed to the collector: `exported` or `failed`", ("result",)),
    Family("process_resident_memory_bytes", "gauge", "Memory of a process", ("process", "pid"), (), "max"),
    Family("process_cpu_seconds", "gauge", "CPU time that a process has taken", ("process", "pid"), (), "max"),
    Family("starts", "counter", "Processes that have begun; it rises when one has died", ("process",)),
    Family("processes", "gauge", "Processes that live", ("process",)),
)  # fmt: skip
BY_NAME = {family.name: family for family in FAMILIES}
