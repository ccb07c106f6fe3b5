"""The normalised record of what is asked: a run that ends, or a service that stays up.

`Workload` is what the journal keeps and the broker reads. People write the YAML of `authored.py`;
`parse` turns it into this. Fields have the same meaning everywhere: no shorthand, no defaults left
to be guessed, each unit in the name. A record holds no secret, only the names of secrets.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stargate.base.time import Duration, Instant
from stargate.workloads.work import Layout, Precision, Traffic, Training

NODES_LIMIT = 100_000
CHIPS_PER_NODE_LIMIT = 1_024
SCRIPT_LIMIT = 65_536
"""Characters of `setup` or `run`; more belongs in a file of the workdir."""
SCRIPT_BYTES_LIMIT = 122_880
"""Its bytes: an argument of a program may have 128 KiB."""
TEXT_LIMIT = 1_024
"""Characters of a path, an image, a label."""
ENVS_LIMIT = 512
ENV_VALUE_LIMIT = 32_768
ENVS_TOTAL_LIMIT = 524_288
"""Characters of all names and values together: more would not fit beside a program's arguments."""
OPTIONS_LIMIT = 65_536
"""Bytes, as JSON, of each mapping that is carried to an engine unread."""
ALTERNATIVES_LIMIT = 256
SIZES_LIMIT = 1_024
LIST_LIMIT = 256
"""Entries of mounts, labels, ports, inputs, outputs, residency."""
RETRIES_LIMIT = 10_000

COOL_DOWN = Duration.parse("5m")
"""Where a service states none."""

Kind = Literal["train", "finetune", "batch", "serve"]
Level = Literal["block", "pool"]
Name = Annotated[str, Meta(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?)$")]
Tag = Annotated[str, Meta(max_length=128)]
Text = Annotated[str, Meta(max_length=TEXT_LIMIT)]
Script = Annotated[str, Meta(max_length=SCRIPT_LIMIT)]
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,255}$")]
EnvValue = Annotated[str, Meta(max_length=ENV_VALUE_LIMIT)]
Port = Annotated[int, Meta(ge=1, le=65_535)]


class Resources(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One way to satisfy a workload, per node. `provider`, `site`, `pool` narrow where; None is anywhere."""

    chip: Text | None = None
    """As the person wrote it; None asks for processors only, or for any chip where the work is stated."""
    chips_per_node: Annotated[int, Meta(ge=0, le=CHIPS_PER_NODE_LIMIT)] = 0
    """0 beside a chip: as many as the stated work needs."""
    cpus: Decimal | None = None
    """Least number per node; `exact_cpus` makes it the very number."""
    exact_cpus: bool = False
    memory_gib: Decimal | None = None
    """Least host memory per node; `exact_memory` makes it the very amount."""
    exact_memory: bool = False
    provider: Tag | None = None
    site: Tag | None = None
    pool: Tag | None = None
    use_spot: bool = False
    """Capacity that the provider may take back is welcome (and cheaper)."""
    max_usd_per_chip_hour: Decimal | None = None
    """Price cap; per node-hour where no chip is asked."""
    instance_type: Tag = ""
    image: Text = ""
    disk_size_gib: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    network_tier: Tag = ""
    ports: Annotated[tuple[Text, ...], Meta(max_length=LIST_LIMIT)] = ()
    """Single ports (`8080`) or ranges (`8000-8010`)."""
    labels: Annotated[dict[Tag, Text], Meta(max_length=LIST_LIMIT)] = {}
    options: dict[str, Any] = {}
    """Carried to the engine unread, as `disk_tier`."""


class Topology(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """How close together a gang must or should stand. `block`: one scale-up domain; `pool`: one fabric."""

    required: Level | None = None
    preferred: Level | None = None


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Where the program saves its state, how often, and how much there is to move."""

    path: Text = ""
    interval: Duration = Duration(0)
    """0: only when asked."""
    size_gib: Decimal = Decimal(0)


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A body of data that is read or written: egress is charged for it when it crosses providers."""

    uri: Text
    size_gib: Decimal = Decimal(0)
    site: Tag = ""
    """Where it lies; empty: unknown."""


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret by reference: its name in the secret store of whoever runs the engine. Never its value."""

    from_: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")] = msgspec.field(name="from")

    def __repr__(self) -> str:
        return "Secret(***)"


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to tell that a replica is ready: an HTTP request that answers 200."""

    path: Text = "/"
    initial_delay: Duration = Duration.parse("20m")
    timeout: Duration = Duration.parse("15s")
    post_data: Script = ""
    """JSON text to POST; empty: GET."""
    headers: Annotated[dict[Tag, Text], Meta(max_length=LIST_LIMIT)] = {}


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is particular to a workload of kind `serve`."""

    min_replicas: Annotated[int, Meta(ge=0, le=NODES_LIMIT)] = 1
    max_replicas: Annotated[int, Meta(ge=0, le=NODES_LIMIT)] = 1
    target_qps_per_replica: Decimal | None = None
    cool_down: Duration = COOL_DOWN
    """For so long a replica must not have been needed before it goes."""
    port: Port | None = None
    probe: Probe | None = None
    tokenize_path: Annotated[str, Meta(pattern=r"^(/[^\s?#]*)?$", max_length=256)] = ""
    """Where a replica cuts a text into tokens, as vLLM and llama.cpp do at `/tokenize`; empty: nowhere."""
    options: dict[str, Any] = {}
    """Carried to the engine unread, as `load_balancing_policy`."""


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way to run stated work, as it was sized when it was submitted: kept from then on, not computed again."""

    resources: Resources
    """The alternative with its chip as the catalog names it, and its count."""
    nodes: Annotated[int, Meta(ge=1, le=NODES_LIMIT)]
    """The gang (of one replica, for a service)."""
    replicas: Annotated[int, Meta(ge=1, le=NODES_LIMIT)] = 1
    fabrics: Annotated[tuple[Tag, ...], Meta(max_length=LIST_LIMIT)] = ()
    """Holds in pools on these networks only (empty text: a pool that names none); empty: in every pool."""
    duration: Duration = Duration(0)
    """Expected run time; 0: not known, or a service."""
    shortest: Duration = Duration(0)
    """8 of 10 such runs took between this and `longest`."""
    longest: Duration = Duration(0)
    energy_kwh: Annotated[int, Meta(ge=0)] = 0
    """Of the whole run; of an hour, for a service."""
    memory_bytes: Annotated[int, Meta(ge=0)] = 0
    """Per chip, of the chip that needs most."""
    binds: Tag = ""
    """What the time is mostly spent on."""
    layout: Layout | None = None

    @property
    def chips(self) -> int:
        """Of the whole gang."""
        return self.nodes * self.resources.chips_per_node


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A version of a service that is on its way to take the place of the one before."""

    since: int
    """The entry of the journal with which it came: what was placed later is of this version."""
    before: Workload
    """What the service was, and is again should this version fail."""
    replicas: int
    """That it is to have, but for one beside them while they are replaced."""


class Workload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What somebody asks to be run or served."""

    name: Name
    kind: Kind = "batch"
    alternatives: Annotated[tuple[Resources, ...], Meta(min_length=1, max_length=ALTERNATIVES_LIMIT)] = (
        Resources(),
    )
    """Any of these will do; in this order of preference when `ordered`."""
    ordered: bool = False
    nodes: Annotated[int, Meta(ge=1, le=NODES_LIMIT)] = 1
    """The gang: all start together or none (per replica, for a service)."""
    replicas: Annotated[int, Meta(ge=0, le=NODES_LIMIT)] = 1
    """Of a service at its start; always 1 for a run."""
    team: Tag = ""
    priority: Annotated[int, Meta(ge=-1_000, le=1_000)] = 0
    model: Tag = ""
    model_config: dict[str, Any] = {}
    """The content of its Hugging Face `config.json`; empty: a model of the library."""
    training: Training | None = None
    """The work of a run, where it is stated; chips may then go without a count."""
    traffic: Traffic | None = None
    """The work of a service, likewise."""
    precision: Precision | None = None
    """Of stated work; None: bf16."""
    layout: Layout | None = None
    """What is settled already of how stated work is cut over chips."""
    sizes: Annotated[tuple[Size, ...], Meta(max_length=SIZES_LIMIT)] = ()
    """What the broker made of stated work, cheapest first; nobody else writes it."""
    rollout: Rollout | None = None
    """Of a service that is being replaced by this version of it; nobody but the broker writes it."""
    product: Tag = ""
    customer: Tag = ""
    residency: Annotated[tuple[Tag, ...], Meta(max_length=LIST_LIMIT)] = ()
    """ISO 3166-1 or -2 codes where it may run; empty: anywhere."""
    deadline: Instant | None = None
    time_limit: Duration | None = None
    """Longest (and expected) run time of one execution from start to end."""
    max_cost_usd: Decimal | None = None
    topology: Topology = Topology()
    checkpoint: Checkpoint | None = None
    """None: the program does not save its state, so a move starts it afresh."""
    preemptible: bool = True
    max_restarts: Annotated[int, Meta(ge=0, le=RETRIES_LIMIT)] = 0
    """How often a failure of the program itself is tried again."""
    max_recoveries: Annotated[int, Meta(ge=0, le=RETRIES_LIMIT)] = 10
    """How often lost capacity or broken infrastructure is recovered from."""
    setup: Script = ""
    run: Script = ""
    workdir: Text = ""
    """A folder, or a repository as `https://…@ref`."""
    envs: Annotated[dict[EnvName, EnvValue], Meta(max_length=ENVS_LIMIT)] = {}
    secrets: Annotated[dict[EnvName, Secret], Meta(max_length=ENVS_LIMIT)] = {}
    """Environment variable to the secret that fills it at start."""
    file_mounts: Annotated[dict[Text, Any], Meta(max_length=LIST_LIMIT)] = {}
    """Path on the node to its source: a path, a bucket, or SkyPilot's storage mapping."""
    inputs: Annotated[tuple[Data, ...], Meta(max_length=LIST_LIMIT)] = ()
    outputs: Annotated[tuple[Data, ...], Meta(max_length=LIST_LIMIT)] = ()
    service: Service | None = None
    """Present exactly when `kind` is `serve`."""
    labels: Annotated[dict[Tag, Text], Meta(max_length=LIST_LIMIT)] = {}
    engine_options: dict[str, Any] = {}
    """Engine kind (`slurm`, `skypilot`, …) to what that engine alone understands."""

    @property
    def stated(self) -> bool:
        """Whether it says what is to be done, so that its size can be computed."""
        return self.training is not None or self.traffic is not None

    @property
    def inputs_gib(self) -> Decimal:
        """All that is read, where sizes are given."""
        return sum((data.size_gib for data in self.inputs), Decimal(0))

    @property
    def inputs_site(self) -> str:
        """Where the largest input lies; empty: unknown."""
        placed = [data for data in self.inputs if data.site]
        return max(placed, key=lambda data: data.size_gib).site if placed else ""

    def __repr__(self) -> str:
        """Short, and without environment values: these end up in logs."""
        return f"Workload(name={self.name!r}, kind={self.kind!r}, nodes={self.nodes}, team={self.team!r})"
