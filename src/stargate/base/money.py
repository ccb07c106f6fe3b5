"""Money: exact decimals on paper, integers of 1e-6 USD in the machine. Never floats."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from stargate.base.time import HOUR

MICRO_PER_USD = 1_000_000


def micro_usd(amount: Decimal | int | str) -> int:
    """USD to micro-USD, rounded half to even at the sixth place.

    Hours of seconds may not divide: what that cut off, more than 15 places behind, does not decide over a half.
    """
    exact = Decimal(amount) * MICRO_PER_USD
    if exact.adjusted() < 18:  # 28 digits hold nine places more
        exact = round(exact, 9)
    return int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))


def usd(micro: int) -> Decimal:
    """Micro-USD to an exact decimal of USD."""
    return Decimal(micro).scaleb(-6)


def format_usd(micro: int) -> str:
    """`$1,234.56`; small amounts keep the digits that say something."""
    amount = usd(micro)
    places = 2 if abs(amount) >= 1 or micro == 0 else 6
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.{places}f}"


def cost_micro_usd(price_micro_usd_per_chip_hour: int, chips: int, duration_us: int) -> int:
    """Price x chips x time, rounded up to the next micro-USD: a cost is never understated."""
    assert chips >= 0, "chips are counted"
    assert duration_us >= 0, "time runs forward"
    return -(-price_micro_usd_per_chip_hour * chips * duration_us // HOUR)
