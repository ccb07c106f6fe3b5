"""The training loop of one rank."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stargate.demo.train.adam import State
from stargate.demo.train.checkpoint import ForeignError, Store, SupersededError
from stargate.demo.train.draw import positions
from stargate.demo.train.gang import SHARDS, Gang, PeerLostError, meet
from stargate.demo.train.model import CONTEXT, Model, Vector
from stargate.demo.train.text import Text, load_text

SHARD_EXAMPLES = 32
HELD_OUT_EXAMPLES = 8_192
_CHUNK = 1_024
_TELL_S = 0.05
"""The progress file is written at most this often, and at each checkpoint."""
_PRINT_S = 1.0
DONE, REFUSED, PEER_LOST, TERMINATED = 0, 1, 75, 143
"""Exit codes: finished; may not or cannot use these checkpoints; another rank is gone (EX_TEMPFAIL of sysexits.h);
saved and left after SIGTERM."""


@dataclass(frozen=True)
class Options:
    """What is asked on the command line."""

    steps: int
    checkpoint_every: int
    seed: int
    step_delay_s: float
    checkpoint_dir: Path


class Run:
    """One rank, from its start to its exit code."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._text: Text = load_text()
        self._model = Model(self._text.alphabet)
        run = f"seed {options.seed}, text {self._text.digest[:16]}, {self._model.size} parameters"
        self._store = Store(options.checkpoint_dir, run, int(os.environ.get("STARGATE_EPOCH", "0")))
        self._progress = os.environ.get("STARGATE_PROGRESS_FILE", "")
        self._request = Path(os.environ.get("STARGATE_CHECKPOINT_REQUEST", os.devnull))
        self._asked_at = 0
        self._stopped = False
        self._first_step = 1
        self._saved: int | None = None
        self._tell_at = self._print_at = 0.0
        signal.signal(signal.SIGTERM, self._stop)

    def run(self) -> int:
        """Train to the end. The exit code."""
        rank = int(os.environ.get("STARGATE_RANK", "0"))
        size = int(os.environ.get("STARGATE_WORLD_SIZE", "1"))
        host = os.environ.get("STARGATE_MASTER_ADDR", "127.0.0.1")
        port = int(os.environ.get("STARGATE_MASTER_PORT", "29400"))
        name = f"{os.environ.get('STARGATE_ATTEMPT', '')} {self._options}"
        try:
            gang = meet(rank, size, (host, port), name, lambda: self._stopped)
        except PeerLostError as lost:
            _print(lost)
            return TERMINATED if self._stopped else PEER_LOST
        try:
            return self._train(gang)
        except (ForeignError, SupersededError) as error:
            _print(error)
            return REFUSED
        finally:
            gang.close()

    def _train(self, gang: Gang) -> int:
        state = self._resume(gang)
        try:
            while state.step < self._options.steps and not self._stopped:
                loss = self._step(gang, state)
                if gang.rank == 0:
                    self._after_step(state, loss)
        except PeerLostError as lost:
            # The state is that of the last whole step: nothing was applied since.
            self._await_signal()
            _print(f"after step {state.step}: {lost}")
            return self._leave(gang, state, TERMINATED if self._stopped else PEER_LOST)
        if self._stopped:
            _print(f"told to stop after step {state.step}")
            return self._leave(gang, state, TERMINATED)
        if gang.rank == 0:
            self._finish(state)
        return DONE

    def _resume(self, gang: Gang) -> State:
        """The newest checkpoint, or the beginning; rank 0 decides, so that all begin at the same step."""
        state = self._store.load() if gang.rank == 0 else None
        if state is None:
            state = State.begin(self._model.initial(self._options.seed))
        else:
            self._saved = state.step
            _print(f"resuming after step {state.step}")
        state.step = gang.agree(state.step)
        for values in (state.parameters, state.mean, state.square):
            values[:] = gang.share(state.step, values)
        self._first_step = state.step + 1
        return state

    def _step(self, gang: Gang, state: State) -> float:
        """One step on all ranks. The mean loss of its batch. Raises PeerLostError."""
        step = state.step + 1
        count = SHARDS * SHARD_EXAMPLES
        drawn = positions(self._options.seed, step, count, len(self._text.train) - CONTEXT)
        parts = [self._shard(state.parameters, drawn, shard) for shard in gang.shards]
        total = gang.sum(step, parts)
        state.apply(total[:-1] / np.float32(SHARDS))
        if self._options.step_delay_s:
            time.sleep(self._options.step_delay_s)
        return float(total[-1]) / SHARDS

    def _shard(
        self, parameters: Vector, drawn: np.ndarray[tuple[int, ...], np.dtype[np.int64]], n: int
    ) -> Vector:
        """Gradient of one shard, with its loss as one more number at the end."""
        mine = drawn[n * SHARD_EXAMPLES : (n + 1) * SHARD_EXAMPLES]
        gradient, loss = self._model.gradient(parameters, *self._model.examples(self._text.train, mine))
        return np.append(gradient, loss)

    def _after_step(self, state: State, loss: float) -> None:
        due = state.step % self._options.checkpoint_every == 0
        if due or self._asked_to_save():
            self._save(state)
        now = time.monotonic()
        if due or now >= self._tell_at:
            self._tell_at = now + _TELL_S
            self._tell(state.step, loss)
        if now >= self._print_at:
            self._print_at = now + _PRINT_S
            _print(f"step {state.step}/{self._options.steps} loss {loss:.4f}")

    def _asked_to_save(self) -> bool:
        """Whether the request file was touched since the last look."""
        try:
            touched = self._request.stat().st_mtime_ns if self._request.is_file() else 0
        except OSError:
            return False
        fresh = touched > self._asked_at
        self._asked_at = max(touched, self._asked_at)
        return fresh

    def _save(self, state: State) -> None:
        self._store.save(state)
        self._saved = state.step

    def _leave(self, gang: Gang, state: State, code: int) -> int:
        """Save before the end, whatever ends it."""
        if gang.rank == 0 and state.step != self._saved:
            self._save(state)
            self._tell(state.step)
        return code

    def _finish(self, state: State) -> None:
        if state.step != self._saved:
            self._save(state)
        loss = self.held_out_loss(state.parameters)
        self._tell(state.step, loss, done=True)
        _print(f"done: {state.step} steps, held-out loss {loss!r}")

    def held_out_loss(self, parameters: Vector) -> float:
        """Mean loss (nats per character) on evenly spaced examples of the part that was not trained on."""
        text = self._text.held_out
        spaced = np.linspace(0, len(text) - CONTEXT - 1, HELD_OUT_EXAMPLES).astype(np.int64)
        total = 0.0
        for start in range(0, HELD_OUT_EXAMPLES, _CHUNK):
            contexts, targets = self._model.examples(text, spaced[start : start + _CHUNK])
            total += float(self._model.loss(parameters, contexts, targets).sum(dtype=np.float64))
        return total / HELD_OUT_EXAMPLES

    def _tell(self, step: int, loss: float | None = None, *, done: bool = False) -> None:
        """Replace the progress file."""
        if not self._progress:
            return
        told = {
            "first_step": self._first_step,
            "step": step,
            "total_steps": self._options.steps,
            "checkpoint_step": self._saved,
            "loss": loss,
            "done": done,
        }
        fresh = Path(f"{self._progress}.new")
        fresh.write_text(json.dumps({name: value for name, value in told.items() if value is not None}))
        fresh.replace(self._progress)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _await_signal(self) -> None:
        """A peer that was told to stop may be gone before this rank has heard of it."""
        deadline = time.monotonic() + 1.0
        while not self._stopped and time.monotonic() < deadline:
            time.sleep(0.01)


def _print(what: object) -> None:
    """A line for the log, at once."""
    print(what, flush=True)  # noqa: T201 - output is what a job is read by
