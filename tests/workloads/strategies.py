"""Documents for the fuzz tests: known keys with values that fit, nearly fit, or do not fit at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.workloads.authored import ResourcesEntry, ServiceEntry, Task
from stargate.workloads.importing.dstack import Configuration
from stargate.workloads.importing.headers import LONG

ODD = st.sampled_from([
    "", " ", "*", "a/b/c/d", "H100:8", "H100:0.5", "8+", "4x", "64GB", "1e999", "1E5", "NaN", "-1", "0", "72h",
    "1d12h", "99999w", "2027-01-01", "0001-01-01", "2027-01-01T00:00:00", "$A", "${A}", "${A}${A}", "US",
    "US-TX", "rack", "pool", "serve", "train", "8080", "8000-8010", "1..8", "24GB..80GB", "A100:80GB:4",
    "a\nb\n", " a\n\nb ", "a\tb", "é€\U0001f600", "\x7f", "2-12:30:00", "gpu:h100:8", "x" * 200, "-", "#",
    "'", '"', "key: value", "[", "{", "null", "yes", "1_000", "0x1F",
])  # fmt: skip
SCALARS = st.one_of(
    ODD,
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, 1.25, 8.0, 1e-9, 1e18]),
    st.text(max_size=12),
)
KEYS = st.one_of(
    st.sampled_from([
        "A", "_x", "H100", "H100:8", "from", "path", "required", "min_replicas", "gpu", "count", "name", "local",
        "slurm", "max_restarts_on_errors", "strategy", "uri", "size_gib", "s3://b", "/data",
    ]),
    st.text(max_size=6),
)  # fmt: skip
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def all_explained(error: InputError) -> None:
    """Each problem says what, and the way out."""
    assert all(problem.message and problem.remedy for problem in error.problems)


def some_of(fields: tuple[str, ...], values: st.SearchStrategy[Any] = PLAIN) -> st.SearchStrategy[Any]:
    """A mapping with a few of these keys, mostly."""
    return st.dictionaries(st.sampled_from(fields), values, max_size=5)


RESOURCES = some_of(
    ResourcesEntry.__struct_fields__, PLAIN | st.lists(some_of(ResourcesEntry.__struct_fields__), max_size=2)
)
SERVICE = some_of(
    ServiceEntry.__struct_fields__, PLAIN | some_of(("path", "timeout_seconds", "post_data", "headers"))
)
TASKS = st.builds(
    lambda task, more: {**task, **more},
    some_of(Task.__struct_fields__),
    st.fixed_dictionaries({}, optional={"resources": RESOURCES, "service": SERVICE}),
)
TEXTS = st.text(max_size=20).filter(lambda text: "\0" not in text)
GOOD_RESOURCES: dict[str, st.SearchStrategy[Any]] = {
    "accelerators": st.sampled_from(
        ["H100:8", "H100", {"H100": 8, "H200": 4}, ["H200:8", "H100:8"], {"B200:2": None}]
    ),
    "cpus": st.sampled_from([8, "8+", "4.5", 96]),
    "memory": st.sampled_from([64, "64+", "1TB", "512MB+"]),
    "infra": st.sampled_from(["*", "azure", "azure/*/p1", "k8s/a/b/c", "*/site"]),
    "use_spot": st.booleans(),
    "max_hourly_cost": st.sampled_from([1, 98.32, 0.000001, 100]),
    "image_id": st.sampled_from(["docker:ubuntu", {"us-east-1": "ami-1"}]),
    "disk_size": st.sampled_from([256, "1TB"]),
    "ports": st.sampled_from([8080, "8080", [8080, "9000-9010"], [], "007"]),
    "labels": st.dictionaries(TEXTS, TEXTS | st.integers(0, 9), max_size=2),
    "disk_tier": TEXTS,
    "autostop": PLAIN.filter(lambda value: value is not None),
    "network_tier": TEXTS,
}
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["a", "lm-7b", "1e5", "2027-01-01", "0x1F", "true"]),
    "kind": st.sampled_from(["train", "finetune", "batch"]),
    "team": TEXTS,
    "priority": st.integers(-1_000, 1_000),
    "num_nodes": st.integers(1, 64),
    "resources": st.fixed_dictionaries(
        {},
        optional={
            **GOOD_RESOURCES,
            "any_of": st.lists(st.fixed_dictionaries({}, optional=GOOD_RESOURCES), min_size=1, max_size=3),
        },
    ),
    "residency": st.sampled_from(["US", ["US-TX", "AE"], []]),
    "deadline": st.sampled_from(["2027-01-01", "2027-01-01T10:00:00.000001-08:00"]),
    "time_limit": st.sampled_from(["72h", "1d12h", "90.5s"]),
    "max_cost": st.sampled_from([1, 0.5, 1000000, 12.345678]),
    "topology": st.sampled_from(["rack", {"required": "pool", "preferred": "nvlink"}, {}]),
    "checkpoint": st.sampled_from(["/c", {}, {"interval": "10m", "size_gib": 8.25}]),
    "preemptible": st.booleans(),
    "max_restarts": st.integers(0, 9),
    "max_recoveries": st.integers(0, 20),
    "workdir": st.sampled_from([".", {"url": "https://git.example/a", "ref": "v1"}, "$A"]),
    "envs": st.dictionaries(st.sampled_from("ABC"), TEXTS | st.integers() | st.booleans(), max_size=3),
    "secrets": st.sampled_from([{"T": None}, ["T"], {"T": {"from": "x.y"}}]),
    "file_mounts": st.dictionaries(TEXTS, TEXTS | st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2),
    "inputs": st.sampled_from([{"s3://a": 150}, ["s3://a", {"uri": "b", "size_gib": 1.5, "site": "x"}]]),
    "labels": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "setup": TEXTS,
    "run": st.lists(TEXTS, max_size=4).map("\n".join),
    "config": st.dictionaries(TEXTS, PLAIN, max_size=2),
}
TRAINING = {
    "kind": st.sampled_from(["train", "finetune"]),
    "sequence_length": st.sampled_from([4096, 8192]),
    "global_batch_size": st.sampled_from([1024, "4M tokens", "16384 tokens", "2K"]),
    "layout": st.sampled_from([{"tensor_parallel": 8}, {"sharding": "zero3", "recompute": "full"}]),
    "precision": st.sampled_from(["bf16", "fp8"]),
}
SERVING = {
    "layout": st.sampled_from([{"tensor_parallel": 8}, {"expert_parallel": 16}]),
    "precision": st.sampled_from(["bf16", "nvfp4"]),
}
MODELS = st.sampled_from(["llama-3.1-8b", {"name": "own", "config": {"hidden_size": 64, "rope_theta": 0.5}}])
TRAFFIC = st.fixed_dictionaries(
    {
        "requests_per_s": st.sampled_from([40, 0.5]),
        "input_tokens": st.sampled_from([2000, "8K"]),
        "output_tokens": st.just(300),
    },
    optional={
        "ttft": st.sampled_from(["800ms", {"p95": "1.5s"}]),
        "tpot": st.sampled_from(["33.3ms", {"p50": "1m"}]),
    },
)
STATED: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"model": MODELS, "tokens": st.sampled_from(["15T", "1.5B", 10**9, 2e12])}, optional=TRAINING
    ).map(lambda work: {"kind": "train", **work}),
    st.fixed_dictionaries({"model": MODELS, "traffic": TRAFFIC}, optional=SERVING).map(
        lambda work: {"kind": "serve", **work}
    ),
)
"""The work itself, stated: to train on tokens, to serve traffic."""
GOOD_TASKS = st.builds(lambda task, work: {**task, **work}, st.fixed_dictionaries({}, optional=GOOD), STATED)
DSTACK = st.builds(
    lambda task, more: {**task, **more},
    some_of(Configuration.__struct_fields__),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["task", "service", "fleet"])},
        optional={"resources": some_of(("gpu", "cpu", "memory", "disk", "shm_size"))},
    ),
)
SBATCH = st.lists(
    st.builds(
        lambda name, joint, value: f"#SBATCH {name}{joint}{value}",
        st.sampled_from(
            [*(f"--{name}" for name in LONG.values()), *(f"-{letter}" for letter in LONG), "--gres", "--mem"]
        ),
        st.sampled_from(["=", " ", ""]),
        ODD | st.text(max_size=8) | st.integers(0, 100).map(str),
    ),
    max_size=8,
).map(lambda lines: "#!/bin/bash\n" + "\n".join(lines) + "\nsrun python train.py\n")
