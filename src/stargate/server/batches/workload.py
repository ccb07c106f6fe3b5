"""A batch as a workload: what the broker is asked to run for it."""

from __future__ import annotations

from stargate.gateway.record import Scope
from stargate.server.batches.record import Batch
from stargate.workloads import Checkpoint, Resources, Secret, Workload

PRIORITY = -100
"""Behind everything that says nothing of its priority."""
RESTARTS = 100
RECOVERIES = 1_000
RUN = "exec python -m stargate.gateway.batch"


def workload_of(batch: Batch, scope: Scope, url: str) -> Workload:
    """The runner, which asks for nothing but a host's share, where the key's requests may be served.

    Its key is the secret that is called as the batch is.
    """
    return Workload(
        name=batch.id,
        kind="batch",
        alternatives=(Resources(),),
        team=scope.team,
        priority=PRIORITY,
        model=batch.model,
        product=scope.product,
        customer=scope.customer,
        residency=scope.residency,
        deadline=batch.expires,
        checkpoint=Checkpoint(),
        max_restarts=RESTARTS,
        max_recoveries=RECOVERIES,
        run=RUN,
        envs={"STARGATE_BATCH": batch.id, "STARGATE_BATCH_URL": url},
        secrets={"STARGATE_BATCH_KEY": Secret(batch.id)},
    )
