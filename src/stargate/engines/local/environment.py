"""The environment of one rank: what Stargate tells it, SkyPilot's names for the same, and the workload's own."""

from __future__ import annotations

import os
import socket
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stargate.base.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stargate.engines.local.layout import Home
    from stargate.engines.local.wire import Job

HOST = "127.0.0.1"
_PASSED_ON = (
    *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM"),
    *("PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CUDA_HOME"),
)
"""Of the engine's own environment a job sees these (and LC_*): the rest may hold the operator's secrets."""
_PORTS_FROM, _PORTS = 20_000, 10_000
"""Below the range from which systems give out ports by themselves, so nobody else gets one by chance."""


class Ports(msgspec.Struct, frozen=True):
    """Loopback ports of one attempt."""

    master: int
    """Where rank 0 may listen for the others."""
    service: int | None = None


def choose_port(attempt: str, purpose: str, taken: Collection[int]) -> int:
    """A free loopback port; which one depends on the names, so attempts seldom meet. Raises EngineError."""
    first = zlib.crc32(f"{attempt} {purpose}".encode())
    for n in range(_PORTS):
        port = _PORTS_FROM + (first + n) % _PORTS
        if port not in taken and _free(port):
            return port
    raise EngineError(
        f"no free port between {_PORTS_FROM} and {_PORTS_FROM + _PORTS - 1}",
        "End some of what listens there.",
    )


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def environment(
    job: Job,
    rank: int,
    home: Home,
    checkpoint: Path,
    ports: Ports,
    secrets: Mapping[str, str],
    base: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """All variables of a rank. What the workload sets may not hide what Stargate says."""
    inherited = {name: base[name] for name in base if name in _PASSED_ON or name.startswith("LC_")}
    # The interpreter that runs Stargate comes first, so `python` in a script is one that exists.
    paths = (str(Path(sys.executable).parent), base.get("PATH", os.defpath))
    return {
        **inherited,
        "PATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        **job.envs,
        **secrets,
        **_stargate(job, rank, home, checkpoint, ports),
        **_skypilot(job, rank),
    }


def _stargate(job: Job, rank: int, home: Home, checkpoint: Path, ports: Ports) -> dict[str, str]:
    told = {
        "STARGATE_ATTEMPT": job.attempt,
        "STARGATE_WORKLOAD": job.workload,
        "STARGATE_PROVIDER": job.provider,
        "STARGATE_POOL": job.pool,
        "STARGATE_REPLICA": str(job.slot),
        "STARGATE_RANK": str(rank),
        "STARGATE_WORLD_SIZE": str(len(job.nodes)),
        "STARGATE_NODE": str(job.nodes[rank]),
        "STARGATE_NODE_ADDRS": ",".join([HOST] * len(job.nodes)),
        "STARGATE_MASTER_ADDR": HOST,
        "STARGATE_MASTER_PORT": str(ports.master),
        "STARGATE_CHIPS_PER_NODE": str(job.chips_per_node),
        "STARGATE_CHECKPOINT_DIR": str(checkpoint),
        "STARGATE_CHECKPOINT_REQUEST": str(home.checkpoint_request),
        "STARGATE_PROGRESS_FILE": str(home.progress),
        "STARGATE_EPOCH": str(job.epoch),
        "STARGATE_RUN_DIR": str(home.path),
    }
    if ports.service is not None:
        told["STARGATE_SERVICE_PORT"] = str(ports.service)
        told["PORT"] = str(ports.service)
    return told


def _skypilot(job: Job, rank: int) -> dict[str, str]:
    """SkyPilot's names. The task id stays the same over all attempts, so trackers resume under it."""
    names = {
        "SKYPILOT_NODE_RANK": str(rank),
        "SKYPILOT_NUM_NODES": str(len(job.nodes)),
        "SKYPILOT_NODE_IPS": "\n".join([HOST] * len(job.nodes)),
        "SKYPILOT_NUM_GPUS_PER_NODE": str(job.chips_per_node),
        "SKYPILOT_TASK_ID": job.workload if job.slot == 0 else f"{job.workload}-{job.slot}",
    }
    if job.serve:
        names["SKYPILOT_SERVE_REPLICA_ID"] = str(job.slot + 1)
    return names
