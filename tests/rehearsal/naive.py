"""A flat pool by the book, written without the broker: lists, looked through from the start at every event."""

from __future__ import annotations

from stargate.rehearsal.traces import Job


def starts(jobs: list[Job], chips: int, policy: str) -> dict[str, int]:
    """When each job begins under `fifo`, `sjf` or `easy`; jobs that are too large are left out.

    At one instant: what ends, then what arrives, then one look at the queue. EASY's shadow time counts what should
    have ended already as ending now, and of equal ends the smaller first, no further than until the head fits.
    """
    coming = sorted(
        (job for job in jobs if job.chips <= chips), key=lambda job: (job.submit_seconds, int(job.id))
    )
    queue: list[Job] = []
    running: list[tuple[int, Job]] = []
    began: dict[str, int] = {}
    while coming or running:
        now = min(
            [began_at + job.run_seconds for began_at, job in running] + [j.submit_seconds for j in coming]
        )
        running = [(at, job) for at, job in running if at + job.run_seconds > now]
        queue += [job for job in coming if job.submit_seconds <= now]
        coming = [job for job in coming if job.submit_seconds > now]
        if policy == "sjf":
            queue.sort(key=lambda job: (job.requested_seconds, job.submit_seconds, int(job.id)))
        for job in pick(queue, running, chips, now, easy=policy == "easy"):
            began[job.id] = now
            running.append((now, job))
            queue.remove(job)
    return began


def pick(queue: list[Job], running: list[tuple[int, Job]], chips: int, now: int, *, easy: bool) -> list[Job]:
    """Whom one look at the queue lets start."""
    free = chips - sum(job.chips for _, job in running)
    picked: list[Job] = []
    for job in queue:
        if job.chips > free:
            break
        picked.append(job)
        free -= job.chips
    behind = queue[len(picked) :]
    if not easy or not behind:
        return picked
    head = behind[0]
    ends = sorted(
        [(max(now, at + job.requested_seconds), job.chips) for at, job in running]
        + [(now + job.requested_seconds, job.chips) for job in picked]
    )
    then, shadow = free, now
    while then < head.chips:
        shadow, size = ends.pop(0)
        then += size
    extra = then - head.chips
    for job in behind[1:]:
        in_time = now + job.requested_seconds <= shadow
        if job.chips <= free and (in_time or job.chips <= extra):
            picked.append(job)
            free -= job.chips
            extra -= 0 if in_time else job.chips
    return picked
