"""What is asked: runs that end (train, finetune, batch) and services (serve), as people write them.

Here live the normalised record, the strict reader of workload YAML (SkyPilot's vocabulary and ours),
and the importers of sbatch scripts and dstack files. Where a workload runs is decided elsewhere.
"""

from stargate.workloads.load import JSON_LIMIT, load, parse, parse_document, parse_json, renamed, sound
from stargate.workloads.render import to_yaml
from stargate.workloads.work import Latency, Layout, Precision, Traffic, Training
from stargate.workloads.workload import (
    Checkpoint,
    Data,
    Kind,
    Level,
    Probe,
    Resources,
    Rollout,
    Secret,
    Service,
    Size,
    Topology,
    Workload,
)

__all__ = [
    "JSON_LIMIT",
    "Checkpoint",
    "Data",
    "Kind",
    "Latency",
    "Layout",
    "Level",
    "Precision",
    "Probe",
    "Resources",
    "Rollout",
    "Secret",
    "Service",
    "Size",
    "Topology",
    "Traffic",
    "Training",
    "Workload",
    "load",
    "parse",
    "parse_document",
    "parse_json",
    "renamed",
    "sound",
    "to_yaml",
]
