"""What the demo has shown so far: the story in plain records, for the screen and for the JSON file."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Beat(msgspec.Struct, frozen=True):
    """One thing that happened."""

    at_s: float
    """Seconds since the demo began."""
    what: Literal[
        "submit", "offer", "market", "place", "run", "serve", "ask", "kill", "recover", "done", "check"
    ]
    says: str


class OfferShown(msgspec.Struct, frozen=True):
    """An offer to a holder of a right, and its answer."""

    to: str
    mode: str
    answer: str
    clause: str
    unmet: tuple[str, ...] = ()


class AttemptShown(msgspec.Struct):
    """One execution of the job."""

    id: str
    provider: str
    pool: str
    first_step: int | None = None
    last_step: int | None = None
    outcome: str = "running"
    price_usd_per_chip_hour: str = "0"
    cost_usd: str = "0"


class Result(msgspec.Struct):
    """What `--json` writes."""

    offers: list[OfferShown] = []
    attempts: list[AttemptShown] = []
    final_loss: float | None = None
    undisturbed_final_loss: float | None = None
    journal_verified: bool = False
    decisions: list[dict[str, Any]] = []
    """Entries of the journal that carry grounds, each with the grounds it rests on."""
    seconds: float = 0.0

    @property
    def kept_its_promise(self) -> bool:
        """The job lost its provider and ended as if it had not."""
        lost = any(attempt.outcome == "lost" for attempt in self.attempts)
        return lost and self.journal_verified and self.final_loss == self.undisturbed_final_loss is not None


class Scene(msgspec.Struct):
    """The story so far, and where the job stands."""

    beats: list[Beat] = []
    step: int = 0
    total_steps: int = 0
    loss: float | None = None
    running_on: str = ""
    supply: dict[str, str] = {}
    """Provider to what is known of it: up, lost."""
    result: Result = msgspec.field(default_factory=Result)
