"""One scripted story: what people send, what befalls providers, and how a holder of a right answers.

A lab owns two nodes and rents two more. Bigger jobs need capacity that is not held: Microsoft is asked first,
then the market. A provider dies, another is cut off for a while, people cancel, scale, drain and insist.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import structs

from stargate.agreements import Agreement, WorldFact
from stargate.agreements.right import Terms
from stargate.base import wire
from stargate.base.time import Duration, Instant
from stargate.broker import Command
from stargate.broker.command import (
    Cancel,
    Declare,
    DeclareFact,
    EndRollout,
    MarkSupply,
    Revise,
    Scale,
    SetCapacity,
    Submit,
)
from stargate.broker.policy import Policy, Recovery, SourcingPolicy, Team
from stargate.broker.sourcing.command import AnswerOffer, SubmitQuote, WithdrawNeed, WithdrawQuote
from stargate.broker.sourcing.records import Offer
from stargate.catalog import DatedCount, EngineRef, Infrastructure, Party, Pool, Price, Provider, Site, Tenure
from stargate.workloads import Checkpoint, Resources, Workload
from tests.crash.deals import deals, pact
from tests.crash.engine import ScriptedEngine
from tests.crash.server import Event, World

BEGIN = Instant.parse("2026-03-02T12:00:00Z")
END = BEGIN.plus(Duration.parse("3h"))
SINCE = Instant.parse("2025-01-01")


def at(text: str) -> Instant:
    """So long after the beginning."""
    return BEGIN.plus(Duration.parse(text))


def world() -> World:
    """Everything that the outside will do, before any of it has happened."""
    made = World(
        engine=ScriptedEngine(
            lengths={
                "small": 500,
                "large": 1_500,
                "urgent": 200,
                "flaky": 300,
                "second": 900,
                "third": 400,
                "web": 0,
                "doomed": 9_000,
                "late": 300,
            },
            failures={"flaky.0.1": "user", "third.0.1": "infrastructure", "third.0.2": "infrastructure"},
        ),
        begins=BEGIN,
        ends=END,
        events=[
            Event(at("9m"), "dies", "coreweave"),
            Event(at("40m"), "unreachable", "azure"),
            Event(at("46m"), "reachable", "azure"),
        ],
        holder=answer,
    )
    for number, (when, command) in enumerate(script()):
        made.send(at(when), f"person-{number:02}", command)
    return made


def script() -> list[tuple[str, Command]]:
    """What people send, and when."""
    return [
        ("1s", Declare(infrastructure(), (right(),), policy())),
        ("2s", Declare(infrastructure(), (right(),), policy())),
        ("5s", Submit("small", job("small", nodes=2), "ada")),
        ("6s", Submit("small", job("small", nodes=2), "ada")),
        ("7s", Submit("small", job("small", nodes=1), "ada")),
        ("20s", Submit("large", job("large", nodes=4), "ada")),
        ("25s", Submit("impossible", job("impossible", nodes=1, chip="B9000"), "ada")),
        ("2m", Submit("flaky", job("flaky", nodes=1, max_restarts=1), "ben")),
        ("3m", Cancel("nothing", "ben")),
        ("4m", Submit("urgent", job("urgent", nodes=2, priority=500), "ada")),
        ("9m5s", MarkSupply("provider", "coreweave", "lost", "no answer on any port")),
        ("9m6s", MarkSupply("provider", "coreweave", "lost", "no answer on any port")),
        ("12m", Submit("web", service("web", replicas=2), "eve")),
        ("15m", Scale("web", 3, "eve")),
        ("16m", MarkSupply("provider", "coreweave", "up")),
        ("18m", Submit("third", job("third", nodes=2), "ben")),
        ("20m", SetCapacity("own-tx", 1, "a node is out for repair")),
        ("22m", Scale("web", 1, "eve")),
        (
            "23m",
            Revise("web", structs.replace(service("web", replicas=2), run="python serve.py --new"), "eve"),
        ),
        ("23m40s", EndRollout("web", "failed", "it does not answer")),
        ("24m", SetCapacity("own-tx", 2, "repaired")),
        ("25m", Submit("second", job("second", nodes=4), "ben")),
        (
            "26m",
            SubmitQuote("quote-1", "need-second.0", "oracle", "oci-market", quoted("26m")),
        ),
        ("30m", MarkSupply("pool", "own-tx", "draining", "maintenance")),
        ("34m", MarkSupply("pool", "own-tx", "up")),
        ("41m", MarkSupply("provider", "azure", "lost", "timeouts")),
        ("46m5s", MarkSupply("provider", "azure", "up")),
        (
            "50m",
            DeclareFact(
                WorldFact(
                    name="board_approval",
                    value=True,
                    valid_from=at("50m"),
                    recorded_at=at("50m"),
                    source="minutes",
                )
            ),
        ),
        ("52m", Submit("late", job("late", nodes=6), "ada")),
        ("57m", Submit("doomed", job("doomed", nodes=8), "ada")),
        ("58m", SubmitQuote("quote-2", "need-doomed.0", "oracle", "oci-market", quoted("58m"))),
        ("59m", SubmitQuote("quote-3", "need-doomed.0", "oracle", "oci-market", quoted("59m"))),
        ("59m30s", WithdrawQuote("quote-3")),
        ("65m", WithdrawNeed("need-doomed.0", "too dear")),
        ("66m", Cancel("doomed", "ada")),
        ("80m", Cancel("web", "eve")),
        ("81m", Cancel("web", "eve")),
        ("90m", Declare(infrastructure(), (pact(),), policy(notice="on_acknowledgement"))),
        *deals(BEGIN),
        # The pact is gone while CoreWeave still thinks: its offer is completed under the old terms.
        ("112m", Declare(infrastructure(), (), policy(notice="on_acknowledgement"))),
    ]


def quoted(when: str) -> Terms:
    """A better price than Oracle's list."""
    return Terms(64, 2_500_000, at(when), Duration.parse("2h"), "H100-SXM", "US-AZ")


def answer(number: int, offer: Offer) -> Command | None:
    """How Microsoft answers: it cannot serve the first need, takes the second, and lets the third lapse."""
    if offer.right.holder != "microsoft":
        return None  # the others' answers are in the script
    if number % 3 == 0:
        return AnswerOffer(offer.id, "cannot_meet", "microsoft", unmet=("start_by",), text_ref="letter")
    if number % 3 == 1:
        return AnswerOffer(offer.id, "accept", "microsoft", text_ref="letter")
    return None


def job(name: str, nodes: int, chip: str = "H100-SXM", **more: Any) -> Workload:
    """A run that saves its state."""
    return Workload(
        name=name,
        kind="train",
        nodes=nodes,
        alternatives=(Resources(chip=chip, chips_per_node=8),),
        team="research",
        checkpoint=Checkpoint(path="/checkpoints", interval=Duration.parse("1m")),
        time_limit=Duration.parse("30m"),
        run="python train.py",
        **more,
    )


def service(name: str, replicas: int) -> Workload:
    """Something served."""
    return Workload(
        name=name,
        kind="serve",
        replicas=replicas,
        alternatives=(Resources(chip="H100-SXM", chips_per_node=4),),
        team="product",
        run="python serve.py",
    )


def policy(notice: Literal["on_issue", "on_acknowledgement"] = "on_issue") -> Policy:
    """Quotas for two teams, short waits."""
    return Policy(
        lab="openai",
        teams=(Team("research", 128), Team("product", 32)),
        recovery=Recovery(backoff=Duration.parse("2s"), stop_grace=Duration.parse("10s")),
        sourcing=SourcingPolicy(
            market_window=Duration.parse("30s"), need_duration=Duration.parse("2h"), notice=notice
        ),
    )


def right() -> Agreement:
    """Microsoft serves new capacity if it can."""
    return wire.convert(
        {
            "id": "msft",
            "parties": ["openai", "microsoft"],
            "customer": "openai",
            "supplier": "microsoft",
            "signed_on": "2025-01-21",
            "clauses": [
                {
                    "kind": "first_refusal",
                    "id": "rofr",
                    "mode": "capability",
                    "window": {"length": 3, "unit": "minutes"},
                    "text_ref": "section 2",
                }
            ],
        },
        Agreement,
    )


def infrastructure() -> Infrastructure:
    """Five pools of four providers."""
    return Infrastructure(
        parties=tuple(Party(id=name) for name in ("openai", "microsoft", "oracle-corp", "coreweave-inc")),
        providers=(
            Provider(id="own", party="openai"),
            Provider(id="azure", party="microsoft"),
            Provider(id="oracle", party="oracle-corp"),
            Provider(id="coreweave", party="coreweave-inc"),
        ),
        sites=(
            Site(id="abilene", jurisdiction="US-TX"),
            Site(id="east", jurisdiction="US-VA"),
            Site(id="phoenix", jurisdiction="US-AZ"),
            Site(id="newark", jurisdiction="US-NJ"),
        ),
        pools=(
            pool("own-tx", "own", "abilene", "owned", 2),
            pool("az-od", "azure", "east", "on_demand", 2, "4.00"),
            pool("az-market", "azure", "east", "market", 8, "5.00"),
            pool("oci-market", "oracle", "phoenix", "market", 8, "3.20", start_delay=Duration.parse("30s")),
            pool("oci-late", "oracle", "phoenix", "market", 8, "3.00", since=END),
            pool("cw-market", "coreweave", "newark", "market", 8, "3.00"),
        ),
    )


def pool(
    id: str,
    provider: str,
    site: str,
    tenure: Tenure,
    nodes: int,
    usd: str = "",
    since: Instant = SINCE,
    **more: Any,
) -> Pool:
    """Nodes of eight chips."""
    return Pool(
        id=id,
        provider=provider,
        site=site,
        tenure=tenure,
        chip="H100-SXM",
        chips_per_node=8,
        engine=EngineRef(kind="local"),
        nodes=(DatedCount(nodes=nodes, from_=since),),
        prices=tuple(
            Price(usd_per_chip_hour=Decimal(usd) * factor, from_=since)
            for factor, since in ((1, SINCE), (2, at("85m")))
            if usd
        ),
        **more,
    )
