"""Capacity that is held, delivered, optional, or guaranteed a taker."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, field

from stargate.agreements.clause.amount import Amount, Fraction, Part, Percent
from stargate.agreements.clause.common import ClauseBase, ClauseName
from stargate.agreements.condition import Moment, check_moment
from stargate.base.time import Duration, Instant

Unit = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""As chips, nodes, mw, gw; chip_hours, node_hours, mwh; tokens. What ends in `_hours` (and mwh) counts time."""


class RampStep(Part, frozen=True):
    """From a date on, this much (not: this much more)."""

    from_: Instant = field(name="from")
    quantity: Amount


class CapacityReservation(ClauseBase, frozen=True, tag="capacity_reservation"):
    """The supplier holds capacity for the customer."""

    quantity: Amount | None = None
    """How much, for the whole time; or a ramp."""
    unit: Unit = "chips"
    ramp: tuple[RampStep, ...] = ()
    supplier: str = ""
    customer: str = ""
    cancellable: bool = True
    modifiable: bool = True
    end: Literal["evict", "on_demand", "release"] = "release"
    """At the end: running work is evicted, or goes on at on-demand price, or ends by itself and is not renewed."""
    upfront_percent: Percent = Decimal(0)
    """Of the price of the whole reservation."""
    cancellation_fee_percent: Percent = Decimal(0)
    """Of the price of what is left, where it can be cancelled."""

    def check(self) -> None:
        """Either a quantity or a ramp that runs forward."""
        if (self.quantity is None) is not bool(self.ramp):
            raise ValueError("give either quantity or ramp")
        dates = [step.from_ for step in self.ramp]
        if dates != sorted(set(dates)):
            raise ValueError("ramp: each step starts later than the one before")


class LateCredit(Part, frozen=True):
    """A discount on the fees of a tranche that comes late."""

    per_day: Fraction
    """Fraction of the fee for each started day beyond the grace period."""
    max: Fraction = Decimal(1)
    """Never more than this fraction."""


TerminationScope = Literal["tranche", "order", "master", "agreement"]


class TerminationRight(Part, frozen=True):
    """What may be ended: the tranche alone, the order (this agreement), or the master and all its orders."""

    scope: TerminationScope


class Tranche(Part, frozen=True):
    """One part of a delivery."""

    id: ClauseName
    due: Instant
    quantity: Amount | None = None
    unit: Unit = "mw"
    fee_usd: Amount | None = None
    """What late credit is a fraction of."""
    grace: Duration | None = None
    """Default: that of the delivery clause."""
    late_credit: LateCredit | None = None
    termination_right: TerminationRight | None = None
    delivered_fact: str = ""
    """Default: `delivered/AGREEMENT/CLAUSE/TRANCHE`."""


class Delivery(ClauseBase, frozen=True, tag="delivery"):
    """The supplier delivers by dates; lateness beyond grace earns credit and may give a right to terminate."""

    tranches: Annotated[tuple[Tranche, ...], Meta(min_length=1)]
    supplier: str = ""
    customer: str = ""
    grace: Duration = Duration(0)
    late_credit: LateCredit | None = None
    termination_right: TerminationRight | None = None

    def check(self) -> None:
        """Tranche names are distinct."""
        names = [tranche.id for tranche in self.tranches]
        if len(set(names)) != len(names):
            raise ValueError("tranches: two have the same id")


class Option(ClauseBase, frozen=True, tag="option"):
    """The holder may take capacity until the option expires. While it is open nobody else may."""

    expiry: Moment
    """Exclusive: at this instant it has lapsed. May depend on facts."""
    holder: str = ""
    """Default: the agreement's customer."""
    grantor: str = ""
    """Default: the agreement's supplier."""
    quantity: Amount | None = None
    unit: Unit = "mw"
    deposit_usd: Amount = Decimal(0)
    """Paid by the holder to keep it open."""
    deposit_fact: str = ""
    """Where named: the option is open only once this fact says that the deposit was paid."""
    exercisable_from: Moment | None = None
    exercised_fact: str = ""
    """Default: `exercised/AGREEMENT/CLAUSE`."""
    blocks_others: bool = True

    def check(self) -> None:
        """Its dates can be read."""
        check_moment(self.expiry, "expiry")
        check_moment(self.exercisable_from, "exercisable_from")


class Backstop(ClauseBase, frozen=True, tag="backstop"):
    """The payer stands in, up to a cap.

    `unsold`: for capacity that nobody else bought. `unpaid`: for what the obligor owes and does not pay, as the
    rent of a lease. `residual_value`: for what an asset is worth less than was guaranteed.
    """

    price_usd: Amount | None = None
    """unsold: what each unit that is open costs; the other bases are counted in USD."""
    unit: Unit = "chip_hours"
    base: Literal["unsold", "unpaid", "residual_value"] = "unsold"
    capacity_metric: str = ""
    """What could have been sold, was due, or was guaranteed; default: `capacity_` and the unit, `due_usd`,
    `guaranteed_usd`."""
    sold_metric: str = ""
    """What was sold, paid, or is worth; default: `sold_` and the unit, `paid_usd`, `market_value_usd`."""
    obligor: str = ""
    """unpaid: whose debts these are; empty: all that the clause's scope lets in."""
    cap_usd: Amount | None = None
    payer: str = ""
    payee: str = ""

    def check(self) -> None:
        """What is unsold has a price; money has none."""
        if self.base == "unsold" and self.price_usd is None:
            raise ValueError("base: unsold needs a price; add price_usd, for each unit that the payer takes")
        if self.base != "unsold" and self.price_usd is not None:
            raise ValueError(f"base: {self.base} is counted in USD; leave price_usd out")

    @property
    def metrics(self) -> tuple[str, str]:
        """What is open is the first less the second."""
        whole, met = {
            "unsold": (f"capacity_{self.unit}", f"sold_{self.unit}"),
            "unpaid": ("due_usd", "paid_usd"),
            "residual_value": ("guaranteed_usd", "market_value_usd"),
        }[self.base]
        return self.capacity_metric or whole, self.sold_metric or met
