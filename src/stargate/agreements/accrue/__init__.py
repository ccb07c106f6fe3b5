"""What the money clauses say of use in a period: charge lines, exact to the micro-USD.

Pure arithmetic on clauses, facts and usage. Keeping accounts, invoices and statements is the ledger's work.
"""

from __future__ import annotations

from collections.abc import Sequence

from stargate.agreements.accrue.backstop import accrue_backstops
from stargate.agreements.accrue.burn import CONSUMED, Burn, consumption
from stargate.agreements.accrue.commitment import CommitmentStatus, Run, runs, status
from stargate.agreements.accrue.converted import accrue_converted
from stargate.agreements.accrue.deadline import Deadline, deadlines
from stargate.agreements.accrue.edges import edges
from stargate.agreements.accrue.equity import accrue_equity, equity_quantity
from stargate.agreements.accrue.exit import accrue_exit_fees
from stargate.agreements.accrue.late import accrue_late_credits
from stargate.agreements.accrue.level import Credit, accrue_credits, claim_ends, service_credit, tier_of
from stargate.agreements.accrue.line import ChargeLine, LineKind, Usage
from stargate.agreements.accrue.netting import net
from stargate.agreements.accrue.option import accrue_options
from stargate.agreements.accrue.prepayment import accrue_prepayments
from stargate.agreements.accrue.price import accrue_prices, price_of
from stargate.agreements.accrue.share import Due, accrue_shares, capped, payments, share_of
from stargate.agreements.accrue.shortfall import accrue_shortfalls
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.book import Book
from stargate.agreements.period import Period
from stargate.agreements.world import WorldFact
from stargate.base.time import Instant


def accrue(
    book: Book,
    facts: Sequence[WorldFact],
    usage: Sequence[Usage],
    period: Period,
    *,
    prior: Sequence[ChargeLine] = (),
    charged: Sequence[ChargeLine] | None = None,
    known_at: Instant | None = None,
) -> tuple[ChargeLine, ...]:
    """The charge lines of a period.

    Usage counts where it starts within the period; earlier usage is read only where a commitment's interval
    began before it. `prior` are the lines of earlier periods: caps, balances and tiers go on from them.
    `charged` are the period's lines for use at a price, where they have been reckoned already: then only prices by
    tiers and of reservations are reckoned here, and `charged` is not repeated in the answer.
    `known_at` says what was on record; default: at the period's end. Gross lines come first, net lines last.
    """
    timeline = Timeline(book, facts, period, known_at)
    inside = [item for item in usage if period.holds(item.start)]
    given = () if charged is None else charged
    lines = [*given, *accrue_prices(timeline, inside, prior, by_rate=charged is None)]
    lines += accrue_shares(timeline, inside, prior)
    lines += accrue_converted(timeline, usage, lines, prior)
    lines += accrue_shortfalls(timeline, facts, usage, lines, prior)
    lines += accrue_prepayments(timeline, facts, usage, lines, prior)
    lines += accrue_backstops(timeline, inside, prior)
    lines += accrue_late_credits(timeline)
    lines += accrue_credits(timeline, usage, (*prior, *lines))
    lines += accrue_equity(timeline)
    lines += accrue_options(timeline)
    lines += accrue_exit_fees(timeline)
    return (*lines[len(given) :], *net(timeline, lines))


__all__ = [
    "CONSUMED",
    "Burn",
    "ChargeLine",
    "CommitmentStatus",
    "Credit",
    "Deadline",
    "Due",
    "LineKind",
    "Run",
    "Timeline",
    "Usage",
    "accrue",
    "capped",
    "claim_ends",
    "consumption",
    "deadlines",
    "edges",
    "equity_quantity",
    "payments",
    "price_of",
    "runs",
    "service_credit",
    "share_of",
    "status",
    "tier_of",
]
