"""Shorthand of workload files to plain values: `8+`, `64GB`, `H100:8`, `8000-8010`, `azure/*/gb200-1`.

Each reader raises ValueError as "what is wrong; the way out", which the reader of the document turns
into a problem with file, line and field.
"""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Decimal
from typing import Any

from stargate.base.time import DAY, Duration, Instant
from stargate.workloads.workload import CHIPS_PER_NODE_LIMIT

LARGEST = Decimal(10) ** 12
"""No quantity in a workload is larger, in any unit."""
PLACES = 6
"""Decimals that a quantity may have."""
LONGEST = Duration(3_660 * DAY)
"""Ten years: no run and no interval is longer."""

_NUMBER = re.compile(r"\d{1,13}(?:\.\d{1,6})?")
_AMOUNT = re.compile(r"(\d{1,13}(?:\.\d{1,6})?)\s*([A-Za-z]{0,3})(\+?)")
_GIB = {
    "": Decimal(1),
    "k": Decimal(1) / 2**20,
    "m": Decimal(1) / 2**10,
    "g": Decimal(1),
    "t": Decimal(2**10),
    "p": Decimal(2**20),
}
_CODE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_LARGE = re.compile(r"(\d{1,19}(?:\.\d{1,18})?(?:E\+\d{1,2})?)([KMBTkmbt]?)")
_THOUSANDS = {
    "": Decimal(1),
    "K": Decimal(10**3),
    "M": Decimal(10**6),
    "B": Decimal(10**9),
    "T": Decimal(10**12),
}
_PERCENTILE = re.compile(r"p([1-9][0-9]?)")
_CHIP = re.compile(r"[A-Za-z0-9][^:,{}\[\]\x00-\x1f]{0,62}")


def number(value: object, example: str = "12.5") -> Decimal:
    """A non-negative number with at most six decimals."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{shown(value)} is not a number; write one such as {example}")  # noqa: TRY004
    exact = Decimal(value)
    if not exact.is_finite() or not 0 <= exact <= LARGEST:
        raise ValueError(f"{shown(value)} is out of range; write a number between 0 and 10^12")
    if exact != round(exact, PLACES):
        raise ValueError(f"{shown(value)} has more than {PLACES} decimals; round it")
    return tidy(exact)


def tidy(exact: Decimal) -> Decimal:
    """The same number without zeros that say nothing: 64.000 is 64, 1E+3 is 1000."""
    exponent = exact.normalize().as_tuple().exponent
    return exact.quantize(Decimal(1).scaleb(min(exponent, 0))) if isinstance(exponent, int) else exact


def whole(value: object, least: int, most: int) -> int:
    """A whole number between two bounds, both included."""
    exact = number(value, str(max(least, 1)))
    if exact != int(exact) or not least <= exact <= most:
        raise ValueError(f"{shown(value)} does not fit; write a whole number from {least} to {most}")
    return int(exact)


def amount(value: object) -> tuple[Decimal, bool]:
    """`8`, `8+`, `4.5` to (number, exact): a plus means at least."""
    if isinstance(value, str):
        match = _AMOUNT.fullmatch(value.strip())
        if match is None or match[2]:
            raise ValueError(f"{shown(value)} is not an amount; write 8 or 8+")
        return number(Decimal(match[1])), not match[3]
    return number(value, "8 or 8+"), True


def gibibytes(value: object) -> tuple[Decimal, bool]:
    """`64`, `64+`, `64GB`, `1TB+` to (GiB, exact). GB and GiB both mean 2^30 bytes here, as in SkyPilot."""
    if not isinstance(value, str):
        return number(value, "64 or 64+"), True
    match = _AMOUNT.fullmatch(value.strip())
    unit = match[2].lower().removesuffix("b").removesuffix("i") if match else "?"
    if match is None or unit not in _GIB:
        raise ValueError(f"{shown(value)} is not an amount of memory; write 64, 64+ or 64GB")
    return number(round(Decimal(match[1]) * _GIB[unit], PLACES)), not match[3]


def accelerator(text: object, uncounted: int = 1) -> tuple[str, int]:
    """`H100:8` or `H100` to (name, count per node); `uncounted` where none is written."""
    if isinstance(text, str) and ":" in text:
        name, _, count = text.strip().rpartition(":")
        return chip_name(name), chip_count(count)
    return chip_name(text), uncounted


def chip_name(text: object) -> str:
    """The name of an accelerator, kept as written."""
    if not isinstance(text, str) or not _CHIP.fullmatch(text.strip()):
        raise ValueError(f"{shown(text)} names no accelerator; write H100:8")
    return text.strip()


def chip_count(value: object) -> int:
    """Accelerators per node. A part of one, as SkyPilot allows, gets a whole one: only those are placed."""
    exact = number(value, "8")
    if 0 < exact < 1:
        return 1
    return whole(value, 1, CHIPS_PER_NODE_LIMIT)


def place(text: object) -> tuple[str | None, str | None, str | None]:
    """`provider/site/pool` with `*` for any, to its three parts."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{shown(text)} is no place; write provider/site/pool, with * for any")
    parts = text.strip().split("/", 2)
    found = [place_part(part) for part in parts]
    found += [None] * (3 - len(found))
    return found[0], found[1], found[2]


def place_part(text: object) -> str | None:
    """One part of a place; None for `*`."""
    if not isinstance(text, str) or not text or len(text) > 128 or text != text.strip():
        raise ValueError(f"{shown(text)} names no provider, site or pool; write its id, or * for any")
    if text == "*":
        return None
    if "*" in text:
        raise ValueError(f"{shown(text)} matches a part of a name; write the whole id, or * for any")
    return text


def large(value: object, most: int) -> int:
    """A whole number above zero, also with a letter as papers write them: `15T`, `1.5B`, `300M`, `8K`."""
    text = (
        str(value).strip() if isinstance(value, int | Decimal | str) and not isinstance(value, bool) else ""
    )
    match = _LARGE.fullmatch(text)
    exact = None if match is None else Decimal(match[1]) * _THOUSANDS[match[2].upper()]
    if exact is None or exact != int(exact):
        raise ValueError(f"{shown(value)} is no whole number; write one such as 4096, 300B or 15T")
    if not 1 <= exact <= most:
        raise ValueError(f"{shown(value)} is out of range; write a number from 1 to {most:,}")
    return int(exact)


def latency(value: object) -> tuple[int, Duration]:
    """`{p95: 800ms}` to (95, 800 ms); a bare duration is of the 99th percentile."""
    if not isinstance(value, dict):
        return 99, duration(value)
    match = _PERCENTILE.fullmatch(next(iter(value), "")) if len(value) == 1 else None
    if match is None:
        raise ValueError(f"{shown(value)} is not one bound of one percentile; write {{p95: 800ms}}")
    return int(match[1]), duration(next(iter(value.values())))


def ports(value: Any) -> tuple[str, ...]:
    """One port, a range, or a list of both, as text."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        match = _PORT.fullmatch(str(item).strip()) if isinstance(item, int | str) else None
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if isinstance(item, bool) or not 1 <= first <= last <= 65_535:
            raise ValueError(f"{shown(item)} is no port; write 8080 or 8000-8010")
        found.append(str(first) if first == last else f"{first}-{last}")
    return tuple(found)


def jurisdiction(value: object) -> str:
    """An ISO 3166 code: `US`, `US-TX`."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError(f"{shown(value)} is no jurisdiction; write an ISO 3166 code such as US or US-TX")
    return value


def duration(value: object, least: int = 1) -> Duration:
    """`90s`, `72h`, `1d12h`, within ten years."""
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError(f"{shown(value)} is not a duration; write it with its unit, as 90s, 72h or 1d12h")
    length = Duration.parse(value.strip())
    if not least <= length <= LONGEST:
        raise ValueError(f"{shown(value)} is out of range; write more than 0 and less than ten years")
    return length


def seconds(value: object) -> Duration:
    """SkyPilot's plain numbers of seconds."""
    length = Duration(int(number(value, "60") * 1_000_000))
    if length > LONGEST:
        raise ValueError(f"{shown(value)} seconds are more than ten years; write less")
    return length


def per_chip(cost: Decimal, count: int) -> Decimal:
    """A node's price cap as one for each of its chips, rounded down: a cap is never overstated."""
    return tidy((cost / max(count, 1)).quantize(Decimal(1).scaleb(-PLACES), ROUND_DOWN))


def instant(value: object) -> Instant:
    """ISO 8601 since 1970."""
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError(f"{shown(value)} is not a time; write 2026-03-01 or 2026-03-01T14:00:00Z")
    moment = Instant.parse(value.strip())
    if moment < 0:
        raise ValueError(f"{shown(value)} lies before 1970; write a later time")
    return moment


def shown(value: object) -> str:
    """A value in a message: short, on one line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = value if isinstance(value, str) else str(value)
    text = ascii(text if len(text) <= 48 else f"{text[:45]}...")
    return text if isinstance(value, str) else text.strip("'")
