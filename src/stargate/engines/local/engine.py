"""The local engine: every provider is a process of this machine, and so is every rank of every job."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from stargate.base.errors import EngineError, NotFoundError
from stargate.broker.command import MarkSupply, Report
from stargate.engines.engine import LOG_PAGE_LIMIT, LogPage, Progress, Say
from stargate.engines.local.layout import Home, Layout
from stargate.engines.local.link import Bounds, Line, Link
from stargate.engines.local.marker import bar, list_attempts, read_job, read_outcome, unfinished
from stargate.engines.local.progress import read_progress
from stargate.engines.local.retirement import retire
from stargate.engines.local.sweep import bury
from stargate.engines.local.wire import Job, News, Outcome, Save, Start, Stop, frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stargate.broker.effect import CheckpointAttempt, StartAttempt, StopAttempt

T = TypeVar("T")
KNOWN_LIMIT = 10_000
"""Attempts whose provider or progress is kept in memory; the rest is read from disk again."""


class LocalEngine:
    """Runs attempts as gangs of processes below agents, one agent per provider.

    `root`: where it keeps everything (see `layout`). `providers`: those whose agents are started when the engine
    opens; others get theirs with their first attempt. Satisfies `stargate.engines.Engine`.
    """

    def __init__(
        self,
        root: Path,
        say: Say,
        providers: Iterable[str] = (),
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    ) -> None:
        self._layout = Layout(root)
        self._say = say
        self._bounds = bounds
        self._providers = tuple(providers)
        self._links: dict[str, Link] = {}
        self._where: OrderedDict[str, str] = OrderedDict()
        """Attempt to provider."""
        self._saved: dict[str, int] = {}
        """Attempt to the last checkpoint reported."""
        self._seen: OrderedDict[str, tuple[tuple[int, int, int], Progress | None]] = OrderedDict()

    async def open(self) -> None:
        """Start or find the agents, and hear from each what it runs."""
        live, over = await asyncio.to_thread(self._found)
        for report in over:
            self._say(report)
        for provider in dict.fromkeys((*self._providers, *live)):
            self._link(provider)
        await asyncio.gather(*(link.settled() for link in self._links.values()))

    async def close(self) -> None:
        """Hang up; agents and jobs go on."""
        links = tuple(self._links.values())
        self._links.clear()
        await asyncio.gather(*(link.close() for link in links))

    async def start(self, effect: StartAttempt) -> None:
        """Deliver to the provider's agent. What prevents that is reported as `no_capacity`."""
        attempt = effect.attempt
        _keep(self._where, attempt, effect.provider)
        if self._repeat_outcome(attempt):
            return
        start = Start(0, job_of(effect))
        try:
            frame(start)
        except EngineError as error:
            await self._bar(attempt, Outcome("failed", "user", None, str(error)))
            return
        try:
            link = self._link(effect.provider)
            problem = await link.start(msgspec.structs.replace(start, id=link.number()))
        except EngineError as error:
            problem = str(error)
        if problem:
            await self._bar(attempt, Outcome("failed", "no_capacity", None, problem))

    async def stop(self, effect: StopAttempt) -> None:
        """Deliver, now or when the agent is back; an attempt that is over or unknown is reported at once."""
        attempt = effect.attempt
        if self._repeat_outcome(attempt):
            return
        home = self._layout.home(attempt)
        provider = self._where.get(attempt)
        if provider is None:
            job = await asyncio.to_thread(read_job, home)
            provider = job.provider if job is not None else None
        if provider is None:
            await self._bar(attempt, Outcome("stopped", None, None, effect.reason))
            return
        link = self._link(provider)
        link.post(Stop(link.number(), attempt, int(effect.grace), effect.reason))

    async def checkpoint(self, effect: CheckpointAttempt) -> None:
        """Deliver if the agent is there; a wish like this does not wait."""
        provider = self._where.get(effect.attempt)
        if provider is not None and provider in self._links:
            self._links[provider].send(Save(effect.attempt))

    async def logs(self, attempt: str, rank: int | None, offset: int, limit: int) -> LogPage:
        """Read from the log files; they are there also when the provider is lost."""
        return await asyncio.to_thread(self._read_log, attempt, rank, offset, limit)

    def progress(self, attempt: str) -> Progress | None:
        """Read the progress file, if it changed."""
        home = self._layout.home(attempt)
        try:
            stat = home.progress.stat()
            key = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        except OSError:
            key = (0, 0, 0)
        seen = self._seen.get(attempt)
        if seen is not None and seen[0] == key:
            return seen[1]
        progress = _progress(home) or (seen[1] if seen is not None else None)
        if progress is not None:
            _keep(self._seen, attempt, (key, progress))
        return progress

    async def retire(self, provider: str, grace_s: float = 5.0) -> None:
        """Shut a provider's agent down for good: its jobs are stopped, it is `lost`, and it is not started again."""
        await retire(self._layout.root, provider, grace_s)

    def _link(self, provider: str) -> Link:
        if provider not in self._links:
            self._layout.make(provider)
            line = Line(
                news=lambda news: self._news(provider, news),
                up=lambda: self._say(MarkSupply("provider", provider, "up")),
                lost=lambda evidence: self._lost(provider, evidence),
                died=lambda evidence: self._died(provider, evidence),
            )
            self._links[provider] = Link(self._layout, provider, line, self._bounds)
        return self._links[provider]

    def _found(self) -> tuple[list[str], list[Report]]:
        """What lies on disk: providers that have unfinished attempts, and the ends of attempts of the others."""
        live, over = [], []
        for path in sorted(self._layout.root.glob("agents/*.attempts")):
            provider = path.stem
            if unfinished(self._layout, provider):
                live.append(provider)
            elif provider not in self._providers:
                for attempt in list_attempts(self._layout, provider):
                    outcome = read_outcome(self._layout.home(attempt))
                    if outcome is not None:
                        over.append(_report(attempt, outcome))
        return live, over

    def _news(self, provider: str, news: News) -> None:
        attempt = news.attempt
        if news.outcome is not None:
            self._where.pop(attempt, None)
            self._saved.pop(attempt, None)
            self._say(_report(attempt, news.outcome))
            return
        _keep(self._where, attempt, provider)
        if news.phase == "checkpointed" and news.step is not None:
            self._saved[attempt] = news.step
        if news.phase != "ended":
            self._say(Report(attempt, news.phase, step=news.step, detail=news.detail))

    def _lost(self, provider: str, evidence: str) -> None:
        """What its attempts had saved is still known, and comes first: whoever restarts them wants to know."""
        for attempt in unfinished(self._layout, provider):
            told = read_progress(self._layout.home(attempt).progress)
            if told is None or told.checkpoint_step is None:
                continue
            if told.checkpoint_step > self._saved.get(attempt, -1):
                self._saved[attempt] = told.checkpoint_step
                self._say(Report(attempt, "checkpointed", step=told.checkpoint_step))
        self._say(MarkSupply("provider", provider, "lost", evidence))
        self._links[provider].withdraw()

    async def _died(self, provider: str, evidence: str) -> None:
        attempts = unfinished(self._layout, provider)
        outcomes = await asyncio.to_thread(bury, self._layout, provider, attempts, evidence)
        for attempt, outcome in outcomes.items():
            self._saved.pop(attempt, None)
            self._say(_report(attempt, outcome))

    def _repeat_outcome(self, attempt: str) -> bool:
        """Say again how an attempt ended, if it has."""
        outcome = read_outcome(self._layout.home(attempt))
        if outcome is None:
            return False
        self._say(_report(attempt, outcome))
        return True

    async def _bar(self, attempt: str, outcome: Outcome) -> None:
        """End an attempt that never started, so that it never will. One that has started speaks for itself."""
        home = self._layout.home(attempt)
        try:
            barred = await asyncio.to_thread(bar, home, outcome)
        except OSError:
            barred = True  # Nothing can be written below the root, so nothing will start there either.
        if barred:
            self._say(_report(attempt, outcome))
        else:
            self._repeat_outcome(attempt)

    def _read_log(self, attempt: str, rank: int | None, offset: int, limit: int) -> LogPage:
        home = self._layout.home(attempt)
        job = read_job(home)
        if job is None or (rank is not None and not 0 <= rank < len(job.nodes)):
            raise NotFoundError(
                f"there is no log of rank {rank} of attempt {attempt}", "Look at `stargate show`."
            )
        if rank is None and len(job.nodes) == 1:
            rank = 0
        try:
            with home.log(rank).open("rb") as file:
                file.seek(offset)
                data = file.read(max(0, min(limit, LOG_PAGE_LIMIT)))
        except FileNotFoundError:
            data = b""  # Its processes have not started yet.
        return LogPage(data, offset + len(data))


def job_of(effect: StartAttempt) -> Job:
    """What an agent needs to know of an attempt."""
    workload = effect.workload
    return Job(
        attempt=effect.attempt,
        workload=effect.workload_id,
        slot=effect.slot,
        epoch=effect.number,
        provider=effect.provider,
        pool=effect.pool,
        nodes=effect.nodes,
        chips_per_node=effect.chips_per_node,
        setup=workload.setup,
        run=workload.run,
        envs={**_cut(effect), **workload.envs},
        secrets={variable: secret.from_ for variable, secret in workload.secrets.items()},
        workdir=workload.workdir,
        mounts=tuple(workload.file_mounts),
        time_limit_us=None if workload.time_limit is None else int(workload.time_limit),
        serve=workload.kind == "serve",
    )


def _cut(effect: StartAttempt) -> dict[str, str]:
    """How sized work is to be cut over its chips, as variables: `STARGATE_TENSOR_PARALLEL` and so on."""
    if effect.layout is None:
        return {}
    degrees = {name: getattr(effect.layout, name) for name in effect.layout.__struct_fields__}
    return {f"STARGATE_{name.upper()}": str(value) for name, value in degrees.items() if value is not None}


def _report(attempt: str, outcome: Outcome) -> Report:
    return Report(attempt, outcome.phase, outcome.failure, outcome.step, outcome.detail, outcome.metrics)


def _progress(home: Home) -> Progress | None:
    told = read_progress(home.progress)
    address = ""
    with suppress(OSError, UnicodeDecodeError):
        address = home.address.read_text(encoding="ascii")
    if told is None:
        return Progress(address=address) if address else None
    return Progress(
        first_step=told.first_step,
        step=told.step,
        total_steps=told.total_steps,
        checkpoint_step=told.checkpoint_step,
        loss=told.loss,
        done=told.done,
        metrics=told.metrics,
        address=address,
    )


def _keep(cache: OrderedDict[str, T], key: str, value: T) -> None:
    """Put in as the newest; the oldest goes when there are too many."""
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > KNOWN_LIMIT:
        cache.popitem(last=False)
