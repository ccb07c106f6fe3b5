"""Workload files as people write them: SkyPilot's keys, and ours beside them.

These Structs are the vocabulary: a key that is not here is an error. Values with shorthand are left
plain (Any) and read by `normalise.py`. Keys that only SkyPilot's own back-ends understand are carried.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stargate.workloads.work import Precision, Recompute, Sharding

CARRIED = (
    "event_callback",
    "pool",
    "file_mounts_mapping",
    "managed_secrets",
    "config",
    "volumes",
    "volume_mounts",
    "api_server_access",
    "experimental",
)
"""Task keys that are handed to the SkyPilot engine unread, in `engine_options.skypilot`."""

CARRIED_RESOURCES = (
    "accelerator_args",
    "autostop",
    "disk_tier",
    "ephemeral_storage",
    "hooks",
    "local_disk",
    "priority_class",
    "spot_recovery",
    "volumes",
)
"""Resource keys that are handed to the engine unread, in `Resources.options`."""

CARRIED_SERVICE = ("load_balancing_policy", "load_balancer", "pool", "tls", "workers")
"""Service keys that are handed to the engine unread, in `Service.options`."""


class ResourcesEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`resources:`, and each entry of `any_of` and `ordered`. None means not written."""

    accelerators: Any = None
    gpus: Any = None
    """Another word for `accelerators`."""
    cpus: Any = None
    memory: Any = None
    infra: str | None = None
    cloud: str | None = None
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    use_spot: bool | None = None
    max_hourly_cost: Any = None
    priority: int | None = None
    image_id: str | dict[str, str] | None = None
    disk_size: Any = None
    network_tier: str | None = None
    ports: Any = None
    labels: dict[str, Any] | None = None
    job_recovery: str | dict[str, Any] | None = None
    accelerator_args: Any = None
    autostop: Any = None
    disk_tier: Any = None
    ephemeral_storage: Any = None
    hooks: Any = None
    local_disk: Any = None
    priority_class: Any = None
    spot_recovery: Any = None
    volumes: Any = None
    any_of: list[ResourcesEntry] | None = None
    ordered: list[ResourcesEntry] | None = None


class ReplicaPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`service.replica_policy`."""

    min_replicas: int
    max_replicas: int | None = None
    target_qps_per_replica: Any = None
    num_overprovision: Any = None
    dynamic_ondemand_fallback: Any = None
    base_ondemand_fallback_replicas: Any = None
    spot_placer: Any = None
    upscale_delay_seconds: Any = None
    downscale_delay_seconds: Any = None


class ProbeEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`service.readiness_probe` in its long form."""

    path: str
    initial_delay_seconds: Any = None
    timeout_seconds: Any = None
    endpoint_probe_interval_seconds: Any = None
    consecutive_failure_threshold_timeout: Any = None
    post_data: Any = None
    headers: dict[str, Any] | None = None


class ServiceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`service:`."""

    readiness_probe: str | ProbeEntry | None = None
    tokenize_path: str | None = None
    replicas: int | None = None
    replica_policy: ReplicaPolicy | None = None
    ports: Any = None
    load_balancing_policy: Any = None
    load_balancer: Any = None
    pool: Any = None
    tls: Any = None
    workers: Any = None


class WorkdirEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`workdir:` as a repository."""

    url: str
    ref: str = ""


class TopologyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`topology:`."""

    required: str | None = None
    preferred: str | None = None


class CheckpointEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`checkpoint:`."""

    path: str = ""
    interval: Any = None
    size_gib: Any = None


class DataEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `inputs:` or `outputs:` in its long form."""

    uri: str
    size_gib: Any = None
    site: str = ""


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model:` in its long form, for a model that is not in the library."""

    name: str
    config: str | dict[str, Any]
    """A Hugging Face `config.json`: its path, seen from this file, or its content."""


class LayoutEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`layout:`: how the work is cut over chips. What is left out is searched for."""

    tensor_parallel: Any = None
    pipeline_parallel: Any = None
    virtual_stages: Any = None
    context_parallel: Any = None
    expert_parallel: Any = None
    data_parallel: Any = None
    micro_batch_size: Any = None
    sharding: Sharding | None = None
    recompute: Recompute | None = None


class TrafficEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`traffic:`: what a served model must carry, instead of a number of chips and replicas."""

    requests_per_s: Any
    """At the peak that must be carried."""
    input_tokens: Any
    """Of a request, on average."""
    output_tokens: Any
    ttft: Any = None
    """Time to the first token: `{p95: 800ms}`. A bare duration is of the 99th percentile, as in MLPerf."""
    tpot: Any = None
    """Time per output token after the first: `{p99: 50ms}`."""


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole workload file."""

    # SkyPilot's keys.
    name: str | None = None
    workdir: str | WorkdirEntry | None = None
    num_nodes: Any = None
    resources: ResourcesEntry | None = None
    setup: str | None = None
    run: str | None = None
    envs: dict[str, Any] | None = None
    secrets: Any = None
    file_mounts: dict[str, Any] | None = None
    inputs: dict[str, Any] | list[Any] | None = None
    outputs: dict[str, Any] | list[Any] | None = None
    service: ServiceEntry | None = None
    event_callback: Any = None
    pool: Any = None
    file_mounts_mapping: Any = None
    managed_secrets: Any = None
    config: Any = None
    volumes: Any = None
    volume_mounts: Any = None
    api_server_access: Any = None
    experimental: Any = None
    # Ours.
    kind: Literal["train", "finetune", "batch", "serve"] | None = None
    model: str | ModelEntry | None = None
    """The name of a model. With `tokens` or `traffic`: one that the library knows, or the long form."""
    tokens: Any = None
    """What to train on: `15T`, `300B`. With it, chips need no count: `accelerators: H100`, or nothing at all."""
    sequence_length: Any = None
    """Tokens of a sequence."""
    global_batch_size: Any = None
    """Of one step over all chips: sequences (`1024`) or tokens (`4M tokens`)."""
    precision: Precision | None = None
    """Of the large matrices, in training or serving; `bf16` if nothing is said."""
    layout: LayoutEntry | None = None
    traffic: TrafficEntry | None = None
    product: str | None = None
    customer: str | None = None
    team: str | None = None
    priority: int | None = None
    deadline: Any = None
    residency: str | list[Any] | None = None
    topology: str | TopologyEntry | None = None
    checkpoint: str | CheckpointEntry | None = None
    max_cost_usd: Any = None
    max_cost: Any = None
    time_limit: Any = None
    preemptible: bool | None = None
    max_restarts: Any = None
    max_recoveries: Any = None
    labels: dict[str, Any] | None = None
    engine_options: dict[str, Any] | None = None
