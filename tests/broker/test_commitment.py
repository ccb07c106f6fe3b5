"""Committed spend steers placement until it is used up."""

from __future__ import annotations

from decimal import Decimal

from stargate.agreements import Agreement, Book
from stargate.agreements.clause import Commitment
from stargate.base.time import HOUR, Instant
from stargate.broker.commitment import committed_micro_usd
from stargate.broker.fact import Placed
from tests.broker.world import START, Bench, policy, pool, work

DEAL = Agreement(
    id="macc",
    parties=("lab", "amazon"),
    customer="lab",
    supplier="amazon",
    signed_on=Instant(0),
    clauses=(Commitment(id="spend", category="Spend", amount=Decimal(30), shortfall="pay"),),
)


def test_what_is_committed_is_read_from_the_agreements() -> None:
    """In micro-USD by agreement."""
    assert committed_micro_usd(Book.compile((DEAL,)), (), START) == {"macc": 30_000_000}
    assert committed_micro_usd(Book.compile(()), (), START) == {}


def test_committed_spend_comes_first_until_it_is_used_up() -> None:
    """$30 are owed anyway, so the dearer provider is the cheaper choice; after two hours at $24 they are gone."""
    bench = Bench(
        pool("cheap", "oracle", price="1"),
        pool("owed", "aws", price="3", agreement="macc"),
        policy=policy(),
        agreements=(DEAL,),
    )
    for name in ("first", "second"):
        bench.submit(work(name))
        (placed,) = bench.of(Placed)
        assert placed.pool == "owed"
        assert "committed spend under macc" in placed.grounds[0].says
        bench.run(f"{name}.0.1")
        bench.wait(HOUR)
        bench.report(f"{name}.0.1", "done")
    assert bench.state.records.burned == {"macc": 48_000_000}
    bench.submit(work("third"))
    assert bench.where("third") == "cheap"
    assert type(bench.state).unpack(bench.state.pack()).supplies.by_id["owed"].marginal == 3_000_000
