"""What a well-formed infrastructure may still have wrong: names that lead nowhere, figures that cannot both be.

`check_infrastructure` finds errors: nothing is loaded while there is one. `doubts` finds what is odd but
possible, as more chips than the site's power could feed: figures of different sources often disagree.
Both are pure, and place each problem by file and line where `Origins` are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from stargate.base.composer import PROBLEMS_LIMIT
from stargate.base.document import Document
from stargate.base.errors import Problem
from stargate.base.faults import did_you_mean, joined
from stargate.base.time import Instant
from stargate.catalog.chip import Chip, builtin_chips, simplified
from stargate.catalog.dated import DatedCount, DatedPower, Sourced
from stargate.catalog.infrastructure import Infrastructure
from stargate.catalog.jurisdiction import COUNTRIES, fault
from stargate.catalog.pool import Pool
from stargate.catalog.site import Site

SECTIONS = ("parties", "providers", "sites", "pools", "chips", "fabrics", "models", "apis")
"""Top-level keys of the catalog's documents, and the fields of `Infrastructure`."""


class Origin(NamedTuple):
    """Where one record was written."""

    document: Document
    path: str


class Origins:
    """Where every record of an infrastructure was written, by section and position."""

    __slots__ = ("_known", "_placed")

    def __init__(
        self,
        placed: Mapping[str, Sequence[Origin]] | None = None,
        known: Mapping[str, set[str]] | None = None,
    ) -> None:
        self._placed = placed or {}
        self._known = known or {}

    def problem(self, section: str, index: int, field: str, message: str, remedy: str) -> Problem:
        """A problem at a field of one record."""
        placed = self._placed.get(section, ())
        if index < len(placed):
            document, path = placed[index]
            return document.problem(joined(path, field) if field else path, message, remedy)
        path = f"{section}[{index}]"
        return Problem(message=message, remedy=remedy, path=joined(path, field) if field else path)

    def known(self, section: str) -> set[str]:
        """Ids that were written but whose records are themselves faulty: no reason to call them unknown."""
        return self._known.get(section, set())


def check_infrastructure(
    infrastructure: Infrastructure, origins: Origins | None = None
) -> tuple[Problem, ...]:
    """Every error, up to a bound of 100; empty where all is well."""
    return tuple(islice(_errors(infrastructure, origins or Origins()), PROBLEMS_LIMIT))


def _errors(infrastructure: Infrastructure, at: Origins) -> Iterator[Problem]:
    yield from _twice(infrastructure, at)
    yield from _references(infrastructure, at)
    for index, party in enumerate(infrastructure.parties):
        if party.country and party.country not in COUNTRIES:
            remedy = "Write its two letters, as US, NO or AE."
            yield at.problem(
                "parties", index, "country", f"{party.country!r} is no country of ISO 3166-1", remedy
            )
    for index, site in enumerate(infrastructure.sites):
        wrong = fault(site.jurisdiction)
        if wrong is not None:
            yield at.problem("sites", index, "jurisdiction", *wrong)
        for path, message, remedy in _series("power", site.power):
            yield at.problem("sites", index, path, message, remedy)
    for index, api in enumerate(infrastructure.apis):
        wrong = fault(api.jurisdiction) if api.jurisdiction else None
        if wrong is not None:
            yield at.problem("apis", index, "jurisdiction", *wrong)
    for index, pool in enumerate(infrastructure.pools):
        for path, message, remedy in (*_series("nodes", pool.nodes), *_holding(pool)):
            yield at.problem("pools", index, path, message, remedy)


def doubts(infrastructure: Infrastructure, origins: Origins | None = None) -> tuple[Problem, ...]:
    """What is odd but possible; `check` shows it and does not fail for it."""
    at = origins or Origins()
    chips = infrastructure.chips_by_id
    pools_at: dict[str, list[int]] = {}
    for index, pool in enumerate(infrastructure.pools):
        pools_at.setdefault(pool.site, []).append(index)
    found: list[Problem] = []
    for site in infrastructure.sites:
        found.extend(_beyond_power(site, pools_at.get(site.id, []), infrastructure.pools, chips, at))
    for index, site in enumerate(infrastructure.sites):
        planned = site.planned_mw()
        built = max((step.power_mw for step in site.power if step.status == "operational"), default=None)
        if planned is not None and built is not None and built > planned:
            found.append(
                at.problem(
                    "sites",
                    index,
                    "power",
                    f"{built} MW are operational, and no more than {planned} MW were ever planned",
                    "Check both figures, or add the later plan.",
                )
            )
    return tuple(found)


def _twice(infrastructure: Infrastructure, at: Origins) -> Iterator[Problem]:
    for section in SECTIONS:
        seen: dict[str, int] = {}
        for index, record in enumerate(getattr(infrastructure, section)):
            first = seen.setdefault(record.id, index)
            if first != index:
                place = at.problem(section, first, "id", "", "")
                where = f"{place.file}:{place.line}" if place.file else place.path
                yield at.problem(
                    section,
                    index,
                    "id",
                    f"{record.id!r} is declared twice; first at {where}",
                    "Rename or remove one.",
                )
    yield from _aliases_twice(infrastructure.chips or builtin_chips(), at)


def _aliases_twice(chips: Sequence[Chip], at: Origins) -> Iterator[Problem]:
    """An alias of two chips would silently mean the first. An id that is another's alias wins, openly."""
    seen: dict[str, str] = {}
    for index, chip in enumerate(chips):
        for position, alias in enumerate(chip.aliases):
            other = seen.setdefault(simplified(alias), chip.id)
            if other != chip.id:
                message = f"the alias {alias!r} also names {other}"
                yield at.problem(
                    "chips", index, f"aliases[{position}]", message, "Choose another, or leave it out."
                )


def _references(infrastructure: Infrastructure, at: Origins) -> Iterator[Problem]:
    """Every name of another record leads to one."""
    for section, index, field, target, name in _names(infrastructure):
        if target == "chips":
            known: Mapping[str, Any] = infrastructure.chips_by_id
        else:
            known = getattr(infrastructure, f"{target}_by_id")
        if name in known or name in at.known(target):
            continue
        remedy = did_you_mean(name, known)
        if target == "chips":
            meant = infrastructure.chip_names.find(name)
            remedy = f"Write its id, {meant.id!r}." if meant is not None else remedy
        singular = "party" if target == "parties" else target.removesuffix("s")
        yield at.problem(section, index, field, f"there is no {singular} {name!r}", remedy)


def _names(infrastructure: Infrastructure) -> Iterator[tuple[str, int, str, str, str]]:
    """Section, position and field of each reference, with the section and id it leads to."""
    for index, provider in enumerate(infrastructure.providers):
        yield "providers", index, "party", "parties", provider.party
    for index, site in enumerate(infrastructure.sites):
        if site.operator is not None:
            yield "sites", index, "operator", "parties", site.operator
        for field, names in (("developers", site.developers), ("customers", site.customers)):
            for position, name in enumerate(names):
                yield "sites", index, f"{field}[{position}]", "parties", name
    for index, pool in enumerate(infrastructure.pools):
        yield "pools", index, "provider", "providers", pool.provider
        yield "pools", index, "site", "sites", pool.site
        yield "pools", index, "chip", "chips", pool.chip
        if pool.fabric is not None:
            yield "pools", index, "fabric", "fabrics", pool.fabric
    yield from _served(infrastructure)


def _served(infrastructure: Infrastructure) -> Iterator[tuple[str, int, str, str, str]]:
    """The same for models and APIs."""
    for index, model in enumerate(infrastructure.models):
        for position, name in enumerate(model.fallbacks):
            yield "models", index, f"fallbacks[{position}]", "models", name
    for index, api in enumerate(infrastructure.apis):
        yield "apis", index, "provider", "providers", api.provider
        if api.site is not None:
            yield "apis", index, "site", "sites", api.site
        for position, served in enumerate(api.models):
            yield "apis", index, f"models[{position}].model", "models", served.model


def _series(field: str, series: Sequence[DatedPower | DatedCount]) -> Iterator[tuple[str, str, str]]:
    """A series runs forward, states one figure a day and status, and calls nothing operational before its day."""
    last: dict[str, Instant] = {}
    for index, step in enumerate(series):
        path = f"{field}[{index}].from"
        if step.from_ is None:
            continue
        before = last.get(step.status)
        if before is not None and step.from_ <= before:
            yield (
                path,
                f"{step.from_} does not come after {before}",
                f"Write {step.status} entries in order of time.",
            )
        last[step.status] = step.from_
        if step.status == "operational" and _foreseen(step, step.from_):
            yield (
                path,
                f"called operational from {step.from_}, which is after its source's date {step.as_of}",
                "Write `status: planned`, or name the source that saw it operate.",
            )


def _foreseen(step: Sourced, begins: Instant) -> bool:
    return bool(step.as_of) and begins.iso()[: len(step.as_of)] > step.as_of


def _holding(pool: Pool) -> Iterator[tuple[str, str, str]]:
    first = min((step.from_ for step in pool.nodes), default=None)
    if pool.until is not None and first is not None and pool.until <= first:
        yield (
            "until",
            f"the holding ends at {pool.until}, before its first nodes",
            "Correct `until` or the dates.",
        )


def _beyond_power(
    site: Site, indexes: Iterable[int], pools: Sequence[Pool], chips: Mapping[str, Chip], at: Origins
) -> Iterator[Problem]:
    """Chips that would draw more than the site's operational power by their thermal design power alone."""
    here = [(index, pools[index]) for index in indexes]
    days = sorted({step.from_ for _, pool in here for step in pool.nodes if step.status == "operational"})
    for day in days:
        power_mw = site.power_mw_at(day)
        if power_mw is None:
            continue
        drawn_w = Decimal(0)
        for _, pool in here:
            chip = chips.get(pool.chip)
            tdp_w = chip.figure("tdp_w") if chip is not None else None
            drawn_w += tdp_w.central * pool.chips_at(day) if tdp_w is not None else 0
        if drawn_w > power_mw * 1_000_000:
            drawn_mw = f"{drawn_w / 1_000_000:.{1 if drawn_w >= 1_000_000 else 3}f}"
            yield at.problem(
                "pools",
                here[0][0],
                "nodes",
                f"from {day} the chips at {site.id} alone would draw {drawn_mw} MW; "
                f"the site has {power_mw} MW in operation",
                "Check the counts against the site's power.",
            )
            return
