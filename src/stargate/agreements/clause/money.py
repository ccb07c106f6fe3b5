"""Who pays what to whom. Amounts are exact decimals of USD; fractions are written 0.20."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, field

from stargate.agreements.clause.amount import Amount, Fraction, Part, Percent
from stargate.agreements.clause.capacity import Unit
from stargate.agreements.clause.common import ClauseBase, ClauseName
from stargate.agreements.condition import Moment, check_moment
from stargate.agreements.scope import Scope
from stargate.base.time import Duration, Instant

Interval = Literal[
    "Hourly", "Daily", "Weekly", "Monthly", "Quarterly", "Semi-Annual", "Annual", "Full Period", "Custom"
]
"""FOCUS words for how often something is due."""


class Tier(Part, frozen=True):
    """Up to a quantity (the last tier: without one) at a price."""

    price_usd: Amount
    up_to: Amount | None = None
    """Inclusive; None: without end."""


class Index(Part, frozen=True):
    """The price moves with a fact: price x value / base, as the fact is when use starts."""

    fact: str
    base: Amount

    def check(self) -> None:
        """It is divided by."""
        if not self.base:
            raise ValueError("base must be above 0")


class Price(ClauseBase, frozen=True, tag="price"):
    """What a unit costs. Dated by from and until; tiers are graduated (slices) or volume (all at one)."""

    price_usd: Amount | None = None
    unit: Unit = "chip_hours"
    tiers: tuple[Tier, ...] = ()
    tier_mode: Literal["graduated", "volume"] = "graduated"
    burst_price_usd: Amount | None = None
    """For use beyond what is reserved; default: the same price."""
    index: Index | None = None
    escalator: Fraction = Decimal(0)
    """By this fraction the price rises with each whole year since the clause came into force, compounded."""
    floor_usd: Amount | None = None
    """Whatever the index says, the price is never below."""
    ceiling_usd: Amount | None = None
    """Nor above."""
    most_favoured_fact: str = ""
    """Most favoured customer: the price is never above this fact, the least price that anybody else pays."""
    tier_interval: Interval = "Monthly"
    """Tiers begin anew with each interval of the calendar."""
    metric: str = ""
    """Which usage it prices; default: the unit."""
    reservation: str = ""
    """The capacity reservation whose whole quantity is charged, used or not."""
    payer: str = ""
    payee: str = ""

    def check(self) -> None:
        """Either one price or tiers that rise."""
        if (self.price_usd is None) is not bool(self.tiers):
            raise ValueError("give either price_usd or tiers")
        bounds = [tier.up_to for tier in self.tiers]
        closed = [bound for bound in bounds[:-1] if bound is not None]
        if self.tiers and (
            bounds[-1] is not None or len(closed) != len(bounds) - 1 or closed != sorted(set(closed))
        ):
            raise ValueError("tiers: up_to rises from tier to tier, and the last tier has none")
        bounded = self.floor_usd is not None or self.ceiling_usd is not None or self.most_favoured_fact
        if self.tiers and bounded:
            raise ValueError(
                "floor_usd, ceiling_usd and most_favoured_fact go with price_usd, not with tiers"
            )
        if self.floor_usd is not None and self.ceiling_usd is not None and self.floor_usd > self.ceiling_usd:
            raise ValueError(f"floor_usd {self.floor_usd} is above ceiling_usd {self.ceiling_usd}")


class CommitmentStep(Part, frozen=True):
    """What is due in each fulfilment interval from a date, or from a month after the start, on."""

    minimum: Amount
    """USD for Spend, units for Usage; for each interval."""
    from_: Instant | None = field(default=None, name="from")
    month: Annotated[int, Meta(ge=0)] | None = None
    """Months since the commitment (or its portion) started."""

    def check(self) -> None:
        """Dated one way."""
        if (self.from_ is None) is (self.month is None):
            raise ValueError("give either from or month")


class Milestone(Part, frozen=True):
    """By a date this much must have been consumed in all."""

    by: Instant
    amount: Amount


class Portion(Part, frozen=True):
    """A part of a commitment that starts by itself, as a site that is accepted."""

    id: ClauseName
    share: Fraction
    """Of the commitment's amount and minimum."""
    accepted_fact: str = ""
    """Default: `accepted/PORTION`."""


class Eligible(Part, frozen=True):
    """Usage that counts towards a commitment, wholly or in part."""

    scope: Scope = ()
    share: Fraction = Decimal(1)
    """How much of each unit counts."""
    at_most: Fraction = Decimal(1)
    """Never more than this fraction of what is due, as a quarter from the marketplace."""


class Commitment(ClauseBase, frozen=True, tag="commitment"):
    """The payer will spend, or use, at least so much. Words of FOCUS Contract Commitment."""

    amount: Amount | None = None
    """In all: USD for Spend, units for Usage."""
    category: Literal["Spend", "Usage"] = "Spend"
    unit: Unit | None = None
    """For Usage."""
    metric: str = ""
    """Which usage counts; default: `spend_usd` for Spend, the unit for Usage."""
    fulfillment_interval: Interval = "Full Period"
    minimum: Amount | None = None
    """For each fulfilment interval."""
    ramp: tuple[CommitmentStep, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    shortfall: Literal["pay", "forfeit", "convert_to_prepayment", "make_up"] = "pay"
    """What becomes of what was committed and not consumed."""
    shortfall_price_usd: Amount | None = None
    """Per unit, for Usage."""
    make_up_period: Duration = Duration(0)
    """make_up: how long paid shortfall may still be taken, above each interval's minimum."""
    rollover: Literal["none", "next_interval", "until_end"] = "none"
    """Where consumption beyond the minimum counts."""
    start_on: Literal["date", "delivery"] = "date"
    """`delivery`: each portion starts when its acceptance is on record."""
    portions: tuple[Portion, ...] = ()
    term_months: Annotated[int, Meta(ge=1)] | None = None
    """delivery: how long each portion runs."""
    shared_with: str | tuple[str, ...] = ()
    """Commitments that the same consumption fulfils too; otherwise each USD counts once."""
    eligible: tuple[Eligible, ...] = ()
    """Default: all usage within scope."""
    excused: tuple[str, ...] = ()
    """Metrics that count as taken though nothing was: outages of the supplier, force majeure."""
    offer: Literal["Negotiated", "Public"] = "Negotiated"
    payer: str = ""
    payee: str = ""

    def check(self) -> None:
        """Something is committed, in a unit, and starts somewhere."""
        if self.amount is None and self.minimum is None and not self.ramp and not self.milestones:
            raise ValueError("nothing is committed: give amount, minimum, ramp or milestones")
        if self.minimum is not None and self.ramp:
            raise ValueError("give either minimum or ramp")
        if self.category == "Usage" and self.unit is None:
            raise ValueError("a Usage commitment needs a unit")
        if self.start_on == "delivery" and not self.portions:
            raise ValueError("start_on: delivery needs portions, one for each site that is accepted")
        if self.portions and sum(portion.share for portion in self.portions) != 1:
            raise ValueError("portions: the shares add up to 1")
        dates = [item.by for item in self.milestones]
        if dates != sorted(set(dates)):
            raise ValueError("milestones: each is later than the one before")


class Prepayment(ClauseBase, frozen=True, tag="prepayment"):
    """A part is paid before anything is used, and credited back against invoices."""

    percent: Percent | None = None
    amount_usd: Amount | None = None
    of: str = ""
    """The commitment of which `percent` is taken."""
    due: Moment | None = None
    """Default: when the clause comes into force."""
    credit_back: Literal["pro_rata", "first", "last", "none"] = "pro_rata"
    payer: str = ""
    payee: str = ""

    def check(self) -> None:
        """A percentage of something, or an amount."""
        check_moment(self.due, "due")
        if (self.percent is None) is (self.amount_usd is None):
            raise ValueError("give either percent (with of) or amount_usd")
        if self.percent is not None and not self.of:
            raise ValueError("percent needs of: the commitment of which it is taken")


class Base(Part, frozen=True):
    """What a share is taken of."""

    metric: str = "revenue_usd"
    earned_by: str = ""
    """Default: the payer."""
    less: tuple[str, ...] = ()
    """Metrics subtracted from it, as refunds_usd, credits_usd, taxes_usd, pass_through_usd."""
    includes_shares: tuple[str, ...] = ()
    """Revenue shares received that are part of the base; beware of circles."""


class ShareTier(Part, frozen=True):
    """A rate for the slice of cumulative base up to a bound."""

    rate: Fraction
    up_to_usd: Amount | None = None


class Payment(Part, frozen=True):
    """When what accrued is paid: equal instalments, the first `delay_months` after the period's end."""

    installments: Annotated[int, Meta(ge=1, le=1200)] = 1
    interval_months: Annotated[int, Meta(ge=1, le=120)] = 1
    delay_months: Annotated[int, Meta(ge=0, le=1200)] = 0


class RevenueShare(ClauseBase, frozen=True, tag="revenue_share"):
    """The payer passes on a part of what it earns."""

    payer: str = ""
    payee: str = ""
    rate: Fraction | None = None
    tiers: tuple[ShareTier, ...] = ()
    base: Base = Base()
    cap_total_usd: Amount | None = None
    cap_period_usd: Amount | None = None
    """At most this in each `cap_interval`."""
    cap_interval: Interval = "Annual"
    accrue_until: Moment | None = None
    """Exclusive. Accrual ends; payment of what accrued goes on."""
    payment: Payment = Payment()

    def check(self) -> None:
        """One rate, or tiers."""
        check_moment(self.accrue_until, "accrue_until")
        if (self.rate is None) is not bool(self.tiers):
            raise ValueError("give either rate (20 % is written 0.20) or tiers")


class Netting(ClauseBase, frozen=True, tag="netting"):
    """Gross lines stay on record; only the difference is paid."""

    clauses: Annotated[tuple[str, ...], Meta(min_length=2)]
    currency: Literal["USD"] = "USD"


class LevelTier(Part, frozen=True):
    """Below this level, this fraction of the charge is credited."""

    below: Fraction
    credit: Fraction


class ServiceLevel(ClauseBase, frozen=True, tag="service_level"):
    """A promised level, and credit where it was missed and claimed in time."""

    tiers: Annotated[tuple[LevelTier, ...], Meta(min_length=1)]
    metric: str = "availability"
    interval: Interval = "Monthly"
    """Over which the level is measured."""
    claim_window: Duration | None = None
    """From the end of the interval; None: see claim_periods."""
    claim_periods: Annotated[int, Meta(ge=0)] | None = None
    """Claims are in time until the end of the n-th interval after the one that missed."""
    apply: Literal["next_invoice", "refund"] = "next_invoice"
    min_credit_usd: Amount = Decimal(0)
    """Smaller credits are not given."""
    payer: str = ""
    """Who gives the credit; default: the agreement's supplier."""
    payee: str = ""

    def check(self) -> None:
        """One way to count the time for claims; tiers by level."""
        if self.claim_window is not None and self.claim_periods is not None:
            raise ValueError("give either claim_window or claim_periods")
        levels = [tier.below for tier in self.tiers]
        if len(set(levels)) != len(levels):
            raise ValueError("tiers: two have the same level")


class EquityGrant(ClauseBase, frozen=True, tag="equity_grant"):
    """Shares: for a value, their number fixed by the price at an event; or a number of them. See `requires`."""

    value_usd: Amount | None = None
    price_fact: str = ""
    """The price of one share in USD, as ipo_price_usd."""
    shares: Amount | None = None
    """A number that is fixed, as in a warrant."""
    strike_usd: Amount = Decimal(0)
    """What the payee pays for each of them."""
    payer: str = ""
    """Who issues the shares; default: the agreement's supplier."""
    payee: str = ""

    def check(self) -> None:
        """A value at a price, or a number."""
        if (self.value_usd is None) is (self.shares is None):
            raise ValueError("give either value_usd (with price_fact) or shares")
        if self.value_usd is not None and not self.price_fact:
            raise ValueError("value_usd needs price_fact: at which price it is turned into shares")


class Holding(ClauseBase, frozen=True, tag="holding"):
    """A stake, for the record. It decides nothing about where things run."""

    holder: str
    of: str
    percent: Percent | None = None
    value_usd: Amount | None = None
