"""Two rehearsals on one page: where they part and why, every figure that differs, levels over each other."""

from __future__ import annotations

from collections.abc import Sequence

from stargate.rehearsal.compare import Difference, Divergence, Step, differences
from stargate.rehearsal.report import plots
from stargate.rehearsal.report.chapter import named, over
from stargate.rehearsal.report.page import bound, told
from stargate.rehearsal.report.plots import Curve, Span, colour
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.report.table import Amount, Cell, details, escaped, figure, number, percent, table

OURS, THEIRS = "first", "second"
SHOWN = 30
"""Differences that are not folded."""
_CURVES = (
    ("used_chips", "Chips in use"),
    ("waiting_slots", "Gangs that wait"),
    ("largest_provider_share", "Largest provider's share of the chips in use"),
)


def contrast(ours: Summary, theirs: Summary, parting: Divergence | None) -> str:
    """The comparison as a self-contained HTML file."""
    title = f"{ours.identity.title or 'Rehearsal'} and {theirs.identity.title or 'rehearsal'}"
    head = "".join(
        f"<h3>The {word}</h3>{named({'title': each.identity.title, **told(each.identity)})}"
        for word, each in ((OURS, ours), (THEIRS, theirs))
    )
    chapters = [
        ("Where they part", _parting(parting)),
        ("What differs", _figures(differences(ours, theirs))),
        ("Over time", _courses(ours, theirs)),
    ]
    return bound(title, head, [(name, text) for name, text in chapters if text])


def _parting(parting: Divergence | None) -> str:
    if parting is None:
        return "<p>Both decided the same at the same times.</p>"
    rows: list[Sequence[Cell]] = []
    for word, what in (
        ("the last decision they share", parting.before),
        (f"the {OURS} was told before", parting.told_ours),
        (f"the {THEIRS} was told before", parting.told_theirs),
        (f"the {OURS} decided", parting.ours),
        (f"the {THEIRS} decided", parting.theirs),
        (f"about what the {THEIRS} decided about, the {OURS} decided", parting.ours_on_theirs),
        (f"about what the {OURS} decided about, the {THEIRS} decided", parting.theirs_on_ours),
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
    heads = ("figure", OURS, THEIRS, "change", "of the first")
    listed = table("Figures that differ", heads, [_row(each) for each in found[:SHOWN]])
    if len(found) > SHOWN:
        rest = table("More figures that differ", heads, [_row(each) for each in found[SHOWN:]])
        listed += details(f"{len(found) - SHOWN:,} more", rest)
    return listed


def _row(each: Difference) -> tuple[Cell, ...]:
    def cell(value: float | None) -> Amount:
        return Amount("–" if value is None else number(value))

    change, share = each.change, each.change_fraction
    return (
        each.path, cell(each.ours), cell(each.theirs),
        Amount("" if change is None else f"{'+' if change > 0 else ''}{number(change)}"),
        Amount("" if share is None else f"{'+' if share > 0 else ''}{percent(share)}"),
    )  # fmt: skip


def _courses(ours: Summary, theirs: Summary) -> str:
    same = (ours.course.begins, ours.course.part_seconds) == (
        theirs.course.begins,
        theirs.course.part_seconds,
    )
    if not same:
        words = "Their times are cut into parts of different lengths: see each report for its own."
        return f"<p>{escaped(words)}</p>"
    course = ours.course
    span = Span(course.begins, course.part_seconds, ours.identity.dated and theirs.identity.dated)
    parts = []
    for name, caption in _CURVES:
        curves = [Curve(OURS, course.whole[name]), Curve(THEIRS, theirs.course.whole[name], dashed=True)]
        long = max(len(curve.values) for curve in curves)
        curves = [Curve(c.name, [*c.values, *[0.0] * (long - len(c.values))], c.dashed) for c in curves]
        drawing = plots.over_time(name.replace("_", "-"), span, curves, f"{caption} of both over time.")
        legend = [(colour(place), curve.name) for place, curve in enumerate(curves)]
        parts.append(figure(drawing, caption, legend, over(ours, caption, curves)))
    return "\n".join(parts)
