"""What no trace says, by rule: teams, providers, kinds, residency, deadlines, estimates.

A rule sets fields of the jobs that pass its conditions, to one value or to one of several by share. Who gets
which is drawn from the seed, the rule's place and the job's id (or its user or team, so that they stay together),
never from the order of jobs: leaving jobs out does not change what others get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stargate.rehearsal.traces.job import FARTHEST_SECONDS, Job, Text
from stargate.rehearsal.traces.transform.condition import Condition, all_hold

Share = Annotated[float, Meta(ge=0, le=1)]
Choice = Text | Annotated[dict[Text, Share], Meta(min_length=1, max_length=1000)]
"""One value; or shares of several, `{research: 0.7, product: 0.2}`: the rest keep what they have."""

ROUNDING = 1e-9
"""By how much shares may miss 1."""
WORDS = ("team", "user", "provider", "kind", "residency", "chip", "model", "label")
"""Fields that hold a word, in the order in which they are set."""


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A length of time, from how long the job ran."""

    run_times: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    plus_seconds: Annotated[int, Meta(ge=0, le=FARTHEST_SECONDS)] = 0

    def of(self, job: Job) -> int:
        """Seconds for one job."""
        return min(round(job.run_seconds * self.run_times) + self.plus_seconds, FARTHEST_SECONDS)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to set, and for whom."""

    where: Annotated[tuple[Condition, ...], Meta(max_length=100)] = ()
    by: Literal["id", "user", "team"] = "id"
    """Whose draw it is: with `user`, all jobs of a user get the same."""
    team: Choice | None = None
    user: Choice | None = None
    provider: Choice | None = None
    kind: Choice | None = None
    residency: Choice | None = None
    chip: Choice | None = None
    model: Choice | None = None
    label: Choice | None = None
    deadline: Span | None = None
    """After submission."""
    requested: Span | None = None
    """What the owner asks for; never less than a second where the job runs at all."""

    def __post_init__(self) -> None:
        choices = [getattr(self, word) for word in WORDS]
        if all(choice is None for choice in (*choices, self.deadline, self.requested)):
            raise ValueError("a rule sets nothing; name a field and its value")
        for word, choice in zip(WORDS, choices, strict=True):
            if isinstance(choice, dict) and sum(choice.values()) > 1 + ROUNDING:
                raise ValueError(f"the shares of {word} are more than 1 together; make them smaller")


class Assign(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="do", tag="assign"
):
    """Rules, each applied after the one before."""

    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=1000)]
    seed: int = 0


def assigned(jobs: Iterable[Job], how: Assign) -> Iterator[Job]:
    """The jobs in order, with what the rules say."""
    for original in jobs:
        job = original
        for place, rule in enumerate(how.rules):
            if all_hold(rule.where, job):
                job = _ruled(job, rule, f"{how.seed}/{place}")
        yield job


def _ruled(job: Job, rule: Rule, seed: str) -> Job:
    changes: dict[str, Any] = {}
    for word in WORDS:
        choice = getattr(rule, word)
        if isinstance(choice, dict):
            choice = _drawn(choice, f"{seed}/{word}/{getattr(job, rule.by)}")
        if choice is not None:
            changes[word] = choice
    if rule.deadline is not None:
        changes["deadline_seconds"] = rule.deadline.of(job)
    if rule.requested is not None:
        changes["requested_seconds"] = max(rule.requested.of(job), min(job.run_seconds, 1))
    return msgspec.structs.replace(job, **changes) if changes else job


def _drawn(shares: dict[str, float], key: str) -> str | None:
    """The value whose share a key falls into; None: the rest."""
    point = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
    reached = 0.0
    for value, share in shares.items():
        reached += share
        if point < reached * 2**64:
            return value
    return None
