"""The chapters of a report's page: what each shows of a summary, plot and table side by side."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.base.table import (
    Amount,
    Cell,
    details,
    figure,
    money,
    number,
    percent,
    span,
    table,
)
from stargate.base.time import SECOND, Instant
from stargate.rehearsal.report import plots
from stargate.rehearsal.report.plots import Curve, Span, colour
from stargate.rehearsal.report.summary import Place, Size, Summary

CURVES_LIMIT = 8
"""Curves of one plot: the largest; the rest is in its table."""
TIMES_LIMIT = 24
"""Rows of a table over time."""
_UNITS = (("billion USD", 1e9), ("million USD", 1e6), ("thousand USD", 1e3), ("USD", 1.0))


def chapters(summary: Summary) -> list[tuple[str, str]]:
    """Every chapter with its title, those with nothing to say left out."""
    found = [
        ("Key figures", _key(summary)),
        ("Capacity and its use", _use(summary)),
        ("Work", _work(summary)),
        ("Providers, sites and pools", _places(summary)),
        ("Cost and commitments", _cost(summary)),
        ("Agreements that bound", _bound(summary)),
        ("Rights of first refusal", _rights(summary)),
        ("Independence", _independence(summary)),
        ("Energy", _energy(summary)),
        ("What happened to capacity", _happenings(summary)),
        ("Facts", table("Number of facts by kind", ("fact", "number"), summary.facts.items())),
    ]
    return [(title, text) for title, text in found if text]


def _key(summary: Summary) -> str:
    work, time = summary.work, summary.chip_time
    rows: list[tuple[str, Cell]] = [
        ("Workloads submitted", work.submitted),
        ("… succeeded", work.succeeded),
        ("… failed, cancelled, unfinished", f"{work.failed:,}, {work.cancelled:,}, {work.unfinished:,}"),
        ("Average wait", Amount(span(work.wait_seconds.average))),
        ("Average completion (JCT)", Amount(span(work.completion_seconds.average))),
        ("Average bounded slowdown", work.bounded_slowdown.average),
        ("Utilisation", Amount(percent(time.utilisation), time.utilisation)),
        ("Goodput", Amount(percent(time.goodput), time.goodput)),
        ("Paid: what is owed, and use of what is on demand", Amount(money(summary.paid_micro_usd))),
        ("Metered by use, of all capacity", Amount(money(summary.metered_micro_usd))),
        ("Owed for reservations and leases", Amount(money(summary.owed_micro_usd))),
        ("Energy", Amount(f"{number(summary.energy_mwh)} MWh")),
        ("Largest provider's share of chip-hours", Amount(percent(summary.largest_provider_share))),
    ]
    return table("What it comes to", ("figure", "value"), rows)


def _use(summary: Summary) -> str:
    whole = summary.course.whole
    names = ("held_chips", "used_chips", "down_chips", "stranded_chips")
    words = ("held", "used", "down", "free, and not for the first in line")
    curves = [
        Curve(word, whole[name], dashed=name == "held_chips") for word, name in zip(words, names, strict=True)
    ]
    parts = [
        _over_time(summary, "use", "Chips held and in use", curves, "Chips held, in use and down over time.")
    ]
    waiting = [Curve("waiting", whole["waiting_slots"])]
    parts.append(_over_time(summary, "queue", "Gangs that wait", waiting, "Length of the queue over time."))
    time = summary.chip_time
    idle = max(0.0, time.held_chip_hours - time.used_chip_hours - time.down_chip_hours)
    rows = (
        ("kept", time.useful_chip_hours),
        ("thrown away: the run failed or was cancelled", time.discarded_chip_hours),
        ("saving checkpoints", time.saving_chip_hours),
        ("done again: lost since the last checkpoint", time.redone_chip_hours),
        ("starting and stopping", time.overhead_chip_hours),
        ("idle", idle),
        ("down", time.down_chip_hours),
        ("idle while the first in line could not use them", time.stranded_chip_hours),
        ("… though they were as many as it wanted", time.fragmented_chip_hours),
    )
    most = max(1e-9, time.held_chip_hours)
    listed = [
        (name, Amount(number(hours), hours / most), Amount(percent(hours / most))) for name, hours in rows
    ]
    parts.append(table("Where the chip-hours went", ("use", "chip-hours", "of held"), listed))
    return "\n".join(parts)


def _work(summary: Summary) -> str:
    work = summary.work
    quantities = (
        ("wait, s", work.wait_seconds),
        ("completion, s", work.completion_seconds),
        ("bounded slowdown", work.bounded_slowdown),
    )
    rows: list[Sequence[Cell]] = [
        (name, each.count, each.average, each.median, each.p90, each.p99, each.most)
        for name, each in quantities
    ]
    heads = ("quantity", "workloads", "average", "median", "90 %", "99 %", "most")
    parts = [table("Waits, completion and slowdown", heads, rows)]
    curves = [
        (each.quantiles, name)
        for name, each in (("wait", work.wait_seconds), ("completion", work.completion_seconds))
        if each.quantiles
    ]
    if curves:
        drawing = plots.shares("waits", curves, "Share of workloads by wait and by completion time.")
        percents: list[Sequence[Cell]] = [
            (f"{place} %", *[Amount(span(values[place])) for values, _ in curves])
            for place in range(0, 101, 10)
        ]
        beside = table("At most so long", ("of workloads", *[name for _, name in curves]), percents)
        legend = [(colour(place), name) for place, (_, name) in enumerate(curves)]
        parts.append(figure(drawing, "How long workloads waited and took", legend, beside))
    counts: list[tuple[str, Cell]] = [(f"asked to stop: {reason}", n) for reason, n in work.stops.items()]
    counts += [(f"attempts ended by themselves: {cause}", n) for cause, n in work.failures.items()]
    counts += [("recoveries", work.recoveries), ("restarts of failed programs", work.restarts)]
    if work.deadlines_met or work.deadlines_missed:
        counts += [("deadlines met", work.deadlines_met), ("deadlines missed", work.deadlines_missed)]
    parts.append(table("Preemptions, migrations, recoveries", ("event", "number"), counts))
    parts.append(table("Runs by the size of their gangs", _SIZES, [_size(each) for each in summary.sizes]))
    teams = [
        (
            team.id or "(no team)", team.workloads, team.used_chip_hours, team.useful_chip_hours,
            Amount(money(team.metered_micro_usd)), Amount(span(team.average_wait_seconds)), team.preemptions,
        )
        for team in sorted(summary.teams, key=lambda team: (-team.used_chip_hours, team.id))
    ]  # fmt: skip
    heads = ("team", "workloads", "chip-hours", "kept", "cost", "average wait", "preempted")
    parts.append(table("Teams", heads, teams))
    return "\n".join(parts)


_SIZES = (
    "chips at most", "runs", "average wait", "longest wait", "chip-hours", "interruptions", "effective", "saving",
    "done again", "starting and stopping",
)  # fmt: skip


def _size(each: Size) -> tuple[Cell, ...]:
    used = max(1e-9, each.used_chip_hours)
    parts = (each.saving_chip_hours, each.redone_chip_hours, each.overhead_chip_hours)
    return (
        "more" if each.most_chips is None else each.most_chips, each.workloads,
        Amount(span(each.wait_seconds.average)), Amount(span(each.wait_seconds.most)), each.used_chip_hours,
        each.interruptions, Amount(percent(each.effective), each.effective),
        *[Amount(percent(part / used)) for part in parts],
    )  # fmt: skip


def _places(summary: Summary) -> str:
    course, parts = summary.course, []
    shares = {
        name: [_part(use, have) for use, have in zip(used, course.held_chips["provider"][name], strict=True)]
        for name, used in course.used_chips["provider"].items()
    }
    largest = _largest(summary.providers)
    curves = [Curve(name, shares[name]) for name in largest]
    says = "Utilisation of each provider's chips over time."
    parts.append(_over_time(summary, "providers", "Utilisation by provider", curves, says, percent_axis=True))
    for scope, places in (("provider", summary.providers), ("site", summary.sites), ("pool", summary.pools)):
        rows = table(
            f"By {scope}",
            (
                scope,
                "held chip-h",
                "used chip-h",
                "utilisation",
                "down chip-h",
                "owed",
                "metered",
                "MWh",
                "failures",
            ),
            [_place(place) for place in sorted(places, key=lambda each: (-each.held_chip_hours, each.id))],
        )
        few = len(places) <= 12
        parts.append(rows if few else details(f"{len(places):,} {scope}s", rows))
    levels = course.used_chips["pool"]
    if len(levels) > 1:
        curves = [Curve(name, levels[name]) for name in _largest(summary.pools)]
        says = "Chips in use in each of the largest pools, one upon the other."
        drawn = _over_time(summary, "pools", "Chips in use by pool", curves, says, kind="stacked")
        parts.append(details("Pools over time", drawn))
    return "\n".join(parts)


def _place(place: Place) -> tuple[Cell, ...]:
    return (
        place.id, place.held_chip_hours, place.used_chip_hours,
        Amount(percent(place.utilisation), place.utilisation), place.down_chip_hours,
        Amount(money(place.owed_micro_usd)), Amount(money(place.metered_micro_usd)), place.energy_mwh, place.failures,
    )  # fmt: skip


def _cost(summary: Summary) -> str:
    parts = []
    total = max(1, summary.paid_micro_usd)
    rows = [
        (
            place.id,
            Amount(money(place.paid_micro_usd), place.paid_micro_usd / total),
            Amount(money(place.owed_micro_usd)),
            Amount(money(place.metered_micro_usd)),
        )
        for place in summary.providers
    ]
    heads = ("provider", "paid", "owed, used or not", "metered by use, of all capacity")
    parts.append(table("Cost by provider", heads, rows))
    agreements = [each for each in summary.agreements if each.committed_micro_usd or each.burned_micro_usd]
    if agreements:
        burned = summary.course.burned_usd
        names = sorted(burned, key=lambda name: (-burned[name][-1] if burned[name] else 0.0, name))[
            :CURVES_LIMIT
        ]
        most = max((burned[name][-1] for name in names if burned[name]), default=0.0)
        unit, size = next((pair for pair in _UNITS if most >= pair[1]), _UNITS[-1])
        curves = [Curve(name, [spent / size for spent in burned[name]]) for name in names]
        says = f"Spend under each agreement up to each moment, in {unit}."
        parts.append(_over_time(summary, "burned", f"Spend under agreements, {unit}", curves, says))
        spent = [
            (
                each.id,
                Amount(money(each.committed_micro_usd)),
                Amount(money(each.burned_micro_usd)),
                Amount(
                    percent(each.burned_micro_usd / each.committed_micro_usd),
                    each.burned_micro_usd / each.committed_micro_usd,
                )
                if each.committed_micro_usd
                else "",
            )
            for each in agreements
        ]
        heads = ("agreement", "committed", "burned down", "of committed")
        parts.append(table("Commitments", heads, spent))
    return "\n".join(parts)


def _bound(summary: Summary) -> str:
    clauses = [clause for agreement in summary.agreements for clause in agreement.clauses]
    if not clauses:
        return ""
    clauses.sort(key=lambda clause: (-sum(clause.decisions.values()), clause.id))
    shown = clauses[: 2 * CURVES_LIMIT]
    drawing = plots.dots(
        "bound",
        _span(summary),
        [summary.course.bindings[clause.id] for clause in shown],
        "When each clause was cited: one row per clause, larger dots where more decisions cite it.",
    )
    legend = [(colour(place), f"{place + 1}: {clause.id}") for place, clause in enumerate(shown)]
    rows = [
        (
            clause.id, sum(clause.decisions.values()), _when(summary, clause.first), _when(summary, clause.last),
            ", ".join(f"{kind} {n:,}" for kind, n in clause.decisions.items()), clause.says,
        )
        for clause in clauses
    ]  # fmt: skip
    heads = ("clause", "decisions", "first", "last", "kinds", "the first time because")
    caption = "Clauses that decisions rested on"
    return figure(drawing, "When clauses bound", legend, table(caption, heads, rows))


def _rights(summary: Summary) -> str:
    if not summary.rights and not summary.deals:
        return ""
    rows = [
        (
            right.clause, right.holder, right.offers, ", ".join(f"{k} {n:,}" for k, n in right.outcomes.items()),
            right.offered_chips, right.taken_chips, right.leases, Amount(span(right.average_answer_seconds)),
        )
        for right in summary.rights
    ]  # fmt: skip
    heads = (
        "right",
        "holder",
        "offers",
        "answers",
        "chips offered",
        "chips taken",
        "leases",
        "average time to the end",
    )
    parts = [table("Offers to holders of rights", heads, rows)] if rows else []
    if summary.deals:
        listed = _deals(summary)
        parts.append(
            listed if len(summary.deals) <= 12 else details(f"{len(summary.deals):,} leases", listed)
        )
    return "\n".join(parts)


def _deals(summary: Summary) -> str:
    rows = [
        (
            deal.id, _when(summary, deal.at), deal.provider, deal.pool, deal.chips,
            Amount(money(deal.price_micro_usd_per_chip_hour)), _when(summary, deal.start), _when(summary, deal.until),
            deal.clause or "market", deal.says,
        )
        for deal in summary.deals
    ]  # fmt: skip
    heads = ("lease", "signed", "provider", "pool", "chips", "a chip-hour", "from", "until", "by", "because")
    return table("Leases", heads, rows)


def _independence(summary: Summary) -> str:
    curve = Curve("largest provider", summary.course.whole["largest_provider_share"])
    says = "The largest provider's share of all chips in use over time."
    return _over_time(
        summary,
        "independence",
        "Largest provider's share of the chips in use",
        [curve],
        says,
        percent_axis=True,
    )


def _energy(summary: Summary) -> str:
    if not summary.energy_mwh:
        return ""
    curve = Curve("power, MW", summary.course.whole["power_mw"])
    drawn = _over_time(
        summary, "power", "Power, MW", [curve], "Power of chips, hosts and halls over time, in MW."
    )
    sites = [Curve(name, summary.course.power_mw[name]) for name in _largest(summary.sites)]
    if len(sites) > 1:
        says = "Power of the chips, hosts and halls of each site, one upon the other, in MW."
        drawn += _over_time(summary, "power-sites", "Power by site, MW", sites, says, kind="stacked")
    rows = [(site.id, site.energy_mwh) for site in summary.sites]
    return drawn + table("Energy by site", ("site", "MWh"), rows)


def _happenings(summary: Summary) -> str:
    if not summary.happenings:
        return ""
    rows = [(_when(summary, each.at), each.kind, each.subject, each.says) for each in summary.happenings]
    listed = table("Events of capacity", ("when", "kind", "what", "how"), rows)
    return details(f"{summary.happened:,} events", listed, shown=summary.happened <= 20)


def _over_time(
    summary: Summary, name: str, caption: str, curves: Sequence[Curve], says: str, kind: str = "lines",
    *, percent_axis: bool = False,
) -> str:  # fmt: skip
    drawing = plots.over_time(
        name, _span(summary), curves, says, "stacked" if kind == "stacked" else "lines", percent=percent_axis
    )
    legend = [(colour(place), curve.name) for place, curve in enumerate(curves)]
    return figure(drawing, caption, legend if len(curves) > 1 else (), over(summary, caption, curves))


def over(summary: Summary, caption: str, curves: Sequence[Curve]) -> str:
    """Levels over time as a table of few rows: averages over several parts each."""
    course = summary.course
    parts = max((len(curve.values) for curve in curves), default=0)
    each = max(1, -(-parts // TIMES_LIMIT))
    rows: list[Sequence[Cell]] = []
    for first in range(0, parts, each):
        moment = Instant(course.begins + round(course.part_seconds * first * SECOND))
        averages: list[Cell] = []
        for curve in curves:
            some = curve.values[first : first + each]
            averages.append(round(sum(some) / len(some), 4))
        rows.append((_when(summary, moment), *averages))
    return table(f"{caption}, averages", ("from", *[curve.name for curve in curves]), rows)


def _span(summary: Summary) -> Span:
    return Span(summary.course.begins, summary.course.part_seconds, summary.identity.dated)


def _when(summary: Summary, at: Instant) -> str:
    if summary.identity.dated:
        return f"{Instant(at // SECOND * SECOND)}"
    return span((at - summary.begins) / SECOND)


def _largest(places: Sequence[Place]) -> list[str]:
    ranked = sorted(places, key=lambda place: (-place.used_chip_hours, -place.held_chip_hours, place.id))
    return [place.id for place in ranked[:CURVES_LIMIT]]


def _part(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole else 0.0
