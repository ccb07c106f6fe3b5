"""One attempt in its agent: a gang of ranks that starts together, ends together, and has one outcome.

    preparing ──► setting up ──► running ──► over
        │              │            │
        └──── ending: told to stop, a rank failed, time is up ────► SIGTERM ─ grace ─► SIGKILL ──► over

A rank that fails takes the others along. Before it does, `SETTLE_S` pass: when one rank is killed, others
often fail because of it, and the blame belongs to the first cause.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from stargate.base.errors import EngineError
from stargate.base.time import SECOND, Duration
from stargate.engines.local.environment import HOST, Ports, choose_port, environment
from stargate.engines.local.layout import write_whole
from stargate.engines.local.marker import conclude
from stargate.engines.local.prepare import UnfitError, prepare
from stargate.engines.local.progress import Told, read_progress
from stargate.engines.local.rank import Rank
from stargate.engines.local.verdict import Ending, judge
from stargate.engines.local.wire import Job, News, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from stargate.engines.local.layout import Home, Layout
    from stargate.engines.local.reaper import Reaper
    from stargate.engines.local.shim import Phase, Spec

SETTLE_S = 0.5
FAILURE_GRACE_S = 5.0
"""How long the other ranks have after SIGTERM when one has failed or time is up."""
GIVE_UP_S = 12.0
"""A shim that has not cleared its rank so long after `kill` is killed itself. More than its own limit."""
LOOK_S = 0.2
"""How often the progress file is looked at."""
CHECKPOINT_NEWS_S = 1.0
"""At most one `checkpointed` in this time."""
RECORD_AGAIN_S = 1.0
LOG_LIMIT_BYTES = 16 << 20
LOG = logging.getLogger(__name__)
_NEVER = float("inf")

Tell = Callable[[News], None]


class Gang:
    """Runs one claimed attempt to its outcome. `news` is what a newcomer must be told to catch up."""

    def __init__(self, job: Job, layout: Layout, reaper: Reaper, tell: Tell) -> None:
        self.job = job
        self.news: dict[str, News] = {}
        self.ports: Ports | None = None
        self._home: Home = layout.home(job.attempt)
        self._layout = layout
        self._reaper = reaper
        self._tell = tell
        self._ranks: list[Rank] = []
        self._heard: asyncio.Queue[tuple[Rank, str] | None] = asyncio.Queue()
        self._ends = False
        self._ending: Ending | None = None
        self._terminate_at = self._kill_at = self._give_up_at = _NEVER
        self._limit_at = _NEVER
        if job.time_limit_us is not None:
            self._limit_at = time.monotonic() + job.time_limit_us / SECOND
        self._told: Told | None = None
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0
        self._next_checkpoint_news = 0.0

    async def run(self, taken: Callable[[], set[int]]) -> None:
        """From acceptance to outcome. `taken`: ports of other attempts of this agent."""
        self._say(News(self.job.attempt, "accepted"))
        try:
            await self._start(taken)
        except UnfitError as unfit:
            self._begin_ending(Ending("failed", unfit.failure, str(unfit)), 0, 0)
        except (EngineError, OSError) as error:
            self._begin_ending(Ending("failed", "infrastructure", str(error)), 0, 0)
        while any(rank.end is None for rank in self._ranks):
            await self._step()
        self._look(final=True)
        await self._conclude(self._judge())

    def stop(self, grace_s: float, ending: Ending) -> None:
        """Begin to end it, or shorten the grace of an ending under way."""
        self._begin_ending(ending, 0, grace_s)
        if self._terminate_at < _NEVER:
            self._terminate_at = time.monotonic()
        self._kill_at = min(self._kill_at, time.monotonic() + grace_s)
        self._heard.put_nowait(None)

    async def _conclude(self, outcome: Outcome) -> None:
        """Record the outcome, then tell it. What cannot be recorded (a full disk) has not happened yet."""
        while True:
            try:
                outcome = conclude(self._home, outcome)
            except OSError as error:
                if not self._home.path.exists():
                    break  # Somebody removed the whole folder: there is nobody to tell later.
                LOG.warning("the outcome of %s cannot be written: %s", self.job.attempt, error)
                await asyncio.sleep(RECORD_AGAIN_S)
            else:
                break
        self._say(News(self.job.attempt, "ended", outcome.step, outcome.detail, outcome))

    def save(self) -> None:
        """Tell the program that it should save its state, if it looks."""
        self._home.checkpoint_request.touch(mode=0o600)

    async def _start(self, taken: Callable[[], set[int]]) -> None:
        """Everything up to started shims. Raises UnfitError, EngineError or OSError."""
        ground = await asyncio.to_thread(prepare, self.job, self._layout)
        if self._told_to_end():
            return
        self.ports = self._choose_ports(taken())
        for index in range(len(self.job.nodes)):
            env = environment(self.job, index, self._home, ground.checkpoint, self.ports, ground.secrets)
            rank = Rank(index, self._spec(index, env, ground.cwd), self._reaper, self._hear)
            rank.start()
            self._ranks.append(rank)
            await asyncio.sleep(0)  # A large gang must not keep the agent from beating.
            if self._told_to_end():
                return

    def _told_to_end(self) -> bool:
        """Whether something came up while it was starting."""
        return self._ends

    def _choose_ports(self, taken: set[int]) -> Ports:
        master = choose_port(self.job.attempt, "master", taken)
        if not self.job.serve:
            return Ports(master)
        service = choose_port(self.job.attempt, "service", taken | {master})
        write_whole(self._home.address, f"{HOST}:{service}".encode())
        return Ports(master, service)

    def _spec(self, index: int, env: dict[str, str], cwd: Path) -> Spec:
        scripts = (("setup", self.job.setup), ("run", self.job.run))
        phases: list[Phase] = [
            {"name": name, "argv": ["bash", "-c", script]}
            for name, script in scripts
            if script or name == "run"
        ]
        return {
            "agent": os.getpid(),
            "phases": phases,
            "env": env,
            "cwd": str(cwd),
            "log": str(self._home.log(index)),
            "shared_log": str(self._home.log(None)) if len(self.job.nodes) > 1 else "",
            "prefix": f"[{index}] ",
            "log_limit_bytes": LOG_LIMIT_BYTES,
            "exit_file": str(self._home.exit(index)),
        }

    def _hear(self, rank: Rank, event: str) -> None:
        self._heard.put_nowait((rank, event))

    async def _step(self) -> None:
        """Wait for the next event or deadline, and act on it."""
        now = time.monotonic()
        due = min(self._terminate_at, self._kill_at, self._give_up_at, self._limit_at, self._next_look)
        if due > now:
            try:
                heard = await asyncio.wait_for(self._heard.get(), due - now)
            except TimeoutError:
                heard = None
        else:
            heard = None if self._heard.empty() else self._heard.get_nowait()
        if heard is not None:
            self._handle(*heard)
        self._act(time.monotonic())

    def _handle(self, rank: Rank, event: str) -> None:
        if event == "ended" and rank.phase == "setup" and all(other.set_up for other in self._ranks):
            for other in self._ranks:
                other.go_on()
        elif (
            event == "started" and "running" not in self.news and all(other.running for other in self._ranks)
        ):
            self._say(News(self.job.attempt, "running"))
        elif event == "over" and rank.end is not None and not rank.end.well:
            self._begin_ending(None, SETTLE_S, FAILURE_GRACE_S)

    def _begin_ending(self, ending: Ending | None, settle_s: float, grace_s: float) -> None:
        """The first reason to end stands; a rank's failure (no ending given) is judged when all are over."""
        if self._ends:
            return
        self._ends = True
        self._ending = ending
        self._terminate_at = time.monotonic() + settle_s
        self._kill_at = self._terminate_at + grace_s

    def _act(self, now: float) -> None:
        """Whatever is due by now."""
        if now >= self._next_look:
            self._look()
            self._next_look = now + LOOK_S
        if now >= self._limit_at:
            self._limit_at = _NEVER
            text = f"its time limit of {Duration(self.job.time_limit_us or 0)} has passed"
            self._begin_ending(Ending("failed", "user", text), 0, FAILURE_GRACE_S)
        live = [rank for rank in self._ranks if rank.end is None]
        if now >= self._terminate_at:
            self._terminate_at = _NEVER
            for rank in live:
                rank.terminate()
        if now >= self._kill_at:
            self._kill_at = _NEVER
            self._give_up_at = now + GIVE_UP_S
            for rank in live:
                rank.kill()
        if now >= self._give_up_at:
            self._give_up_at = _NEVER
            for rank in live:
                rank.destroy()

    def _look(self, *, final: bool = False) -> None:
        """See what the program says, and pass on what is news."""
        try:
            stat = self._home.progress.stat()
        except OSError:
            return
        seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if seen != self._seen:
            self._seen = seen
            self._told = read_progress(self._home.progress) or self._told
        if self._told is None:
            return
        running, saved = self.news.get("running"), self.news.get("checkpointed")
        if running is not None and running.step is None and self._told.first_step is not None:
            self._say(News(self.job.attempt, "running", self._told.first_step))
        step, now = self._told.checkpoint_step, time.monotonic()
        if step is None or (saved is not None and saved.step is not None and saved.step >= step):
            return
        if final or now >= self._next_checkpoint_news:
            self._next_checkpoint_news = now + CHECKPOINT_NEWS_S
            self._say(News(self.job.attempt, "checkpointed", step))

    def _judge(self) -> Outcome:
        ends = [rank.end for rank in self._ranks if rank.end is not None]
        step = self._told.step if self._told else None
        return judge(ends, self._ending, step, self._told.figures() if self._told else {})

    def _say(self, news: News) -> None:
        self.news[news.phase] = news
        self._tell(news)

    def abandon(self) -> None:
        """Kill all of it at once, without listening any more."""
        for rank in self._ranks:
            rank.destroy()
