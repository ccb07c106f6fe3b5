"""Two rehearsals on one page: where they part and why, every figure that differs, levels over each other."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.base.page import bound
from stargate.base.table import Amount, Cell, details, escaped, figure, named, number, percent, table
from stargate.rehearsal.compare import Comparison, Difference, Jobs, Step
from stargate.rehearsal.report import plots
from stargate.rehearsal.report.chapter import over
from stargate.rehearsal.report.page import told
from stargate.rehearsal.report.plots import Curve, Span, colour
from stargate.rehearsal.report.summary import Summary

FIRST, SECOND = "first", "second"
_HEADS = ("figure", FIRST, SECOND, "change", "of the first")
SHOWN = 30
"""Differences that are not folded."""
_CURVES = (
    ("used_chips", "Chips in use"),
    ("waiting_slots", "Gangs that wait"),
    ("largest_provider_share", "Largest provider's share of the chips in use"),
)


def contrast(first: Summary, second: Summary, found: Comparison) -> str:
    """The comparison as a self-contained HTML file."""
    title = f"{first.identity.title or 'Rehearsal'} and {second.identity.title or 'rehearsal'}"
    head = "".join(
        f"<h3>The {word}</h3>{named({'title': each.identity.title, **told(each.identity)})}"
        for word, each in ((FIRST, first), (SECOND, second))
    )
    chapters = [
        ("Key figures", _headlines(found.headlines or ())),
        ("Where they part", _parting(found)),
        ("Jobs", _jobs(found.jobs)),
        ("Over time", _courses(first, second)),
        ("What differs", _figures(found.figures or ())),
    ]
    return bound(title, head, [(name, text) for name, text in chapters if text])


def _headlines(found: Sequence[Difference]) -> str:
    return table("Key figures of both", _HEADS, [_row(each) for each in found]) if found else ""


def _jobs(jobs: Jobs | None) -> str:
    if jobs is None:
        return ""
    if jobs.equal:
        return f"<p>All {jobs.both:,} jobs came, began and ended at the same seconds on as many chips.</p>"
    rows = [
        ("in both, and not alike", jobs.differ), ("in both, and alike", jobs.both - jobs.differ),
        (f"in the {FIRST} only", jobs.only_first), (f"in the {SECOND} only", jobs.only_second),
    ]  # fmt: skip
    return f"<p>The first: {escaped(str(jobs.first_difference))}.</p>" + table(
        "Jobs of both", ("", "jobs"), rows
    )


def _parting(found: Comparison) -> str:
    parting = found.parting
    if not found.decisions:
        return "<p>Not known: one of them has not kept its journal.</p>"
    if parting is None:
        return "<p>Both decided the same at the same times.</p>"
    rows: list[Sequence[Cell]] = []
    for word, what in (
        ("the last decision they share", parting.before),
        (f"the {FIRST} was told before", parting.told_first),
        (f"the {SECOND} was told before", parting.told_second),
        (f"the {FIRST} decided", parting.first),
        (f"the {SECOND} decided", parting.second),
        (f"about what the {SECOND} decided about, the {FIRST} decided", parting.first_on_second),
        (f"about what the {FIRST} decided about, the {SECOND} decided", parting.second_on_first),
    ):
        if what is not None:
            rows.append((word, what.at, what.kind, what.subject, what.says, _why(what)))
        elif word.endswith(" decided") and not word.startswith("about"):
            rows.append((word, "", "nothing more", "", "", ""))
    heads = ("", "when", "kind", "about", "what", "why")
    agreed = f"<p>They agreed on {parting.decisions:,} decisions.</p>"
    return agreed + table("The first decision on which they part", heads, rows)


def _why(what: Step) -> str:
    return "; ".join(
        f"{ground.says} [{ground.clause}]" if ground.clause else ground.says for ground in what.grounds
    )


def _figures(found: Sequence[Difference]) -> str:
    if not found:
        return "<p>No figure differs.</p>"
    listed = table("Figures that differ", _HEADS, [_row(each) for each in found[:SHOWN]])
    if len(found) > SHOWN:
        rest = table("More figures that differ", _HEADS, [_row(each) for each in found[SHOWN:]])
        listed += details(f"{len(found) - SHOWN:,} more", rest)
    return listed


def _row(each: Difference) -> tuple[Cell, ...]:
    def cell(value: float | None) -> Amount:
        return Amount("–" if value is None else number(value))

    change, share = each.change, each.change_fraction
    return (
        each.path, cell(each.first), cell(each.second),
        Amount("" if change is None else f"{'+' if change > 0 else ''}{number(change)}"),
        Amount("" if share is None else f"{'+' if share > 0 else ''}{percent(share)}"),
    )  # fmt: skip


def _courses(first: Summary, second: Summary) -> str:
    one, other = first.course, second.course
    if one.begins != other.begins:
        words = "They begin at different times: see the report of each for its course."
        return f"<p>{escaped(words)}</p>"
    length = max(one.part_seconds, other.part_seconds)
    span = Span(one.begins, length, first.identity.dated and second.identity.dated)
    parts = []
    for name, caption in _CURVES:
        values = [joined(course.whole[name], length / course.part_seconds) for course in (one, other)]
        long = max(map(len, values))
        first_values, second_values = ([*each, *[0.0] * (long - len(each))] for each in values)
        curves = [Curve(FIRST, first_values), Curve(SECOND, second_values, dashed=True)]
        drawing = plots.over_time(name.replace("_", "-"), span, curves, f"{caption} of both over time.")
        legend = [(colour(place), curve.name) for place, curve in enumerate(curves)]
        wider = first if one.part_seconds == length else second
        parts.append(figure(drawing, caption, legend, over(wider, caption, curves)))
    return "\n".join(parts)


def joined(values: Sequence[float], times: float) -> list[float]:
    """Levels of so many parts each as one: their average. Parts only ever double, so it is a whole number."""
    count = round(times)
    assert count == times, "parts double"
    return [
        sum(values[place : place + count]) / len(values[place : place + count])
        for place in range(0, len(values), count)
    ]
