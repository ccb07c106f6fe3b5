"""The tables of the validation page, from the scores that `make validation` writes, and the page with them in place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from docs._ext.reference.markdown import table

DOCS = Path(__file__).resolve().parents[1]
SCORES = DOCS / "validation.json"
PAGE = DOCS / "validation.md"
PLACE = re.compile(r"(?<=<!-- scores: )([\w-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)

Scores = dict[str, Any]
"""`kinds`: for `training` and `serving` the answers of the score command by name; `cells` and
`families`: held-out errors by these."""


class Target(NamedTuple):
    """What a group should keep, in percent."""

    mape: float
    p90: float | None = None
    without_release: float | None = None


TARGETS = {
    "dense_3d": Target(7.0, p90=15.0),
    "fsdp": Target(10.0),
    "moe": Target(15.0, without_release=25.0),
    "tpu": Target(10.0),
    "whole_runs": Target(15.0),
    "throughput_dense": Target(12.0),
    "throughput_moe": Target(25.0),
    "tpot": Target(20.0),
    "ttft": Target(35.0),
}
SAYS = {
    "dense_3d": "dense, 3D parallel",
    "fsdp": "FSDP",
    "moe": "mixture of experts",
    "tpu": "TPU, one slice and many",
    "whole_runs": "whole runs, chip-hours",
    "throughput_dense": "serving throughput, dense",
    "throughput_moe": "serving throughput, experts",
    "tpot": "time per token",
    "ttft": "time to the first token",
}
WHY = {
    "dense_3d": "Narrow formats on the newest chips: cells of a handful of rows from one or two families. Held "
    "out, such a cell has nothing but what all chips share, and a data sheet's peak in four bits "
    "says little of what is reached.",
    "fsdp": "Nearly all rows are of one table, of models up to 70B; the few of larger ones are predicted "
    "from those.",
    "moe": "Software. The same configuration differs between releases by 26 % (DeepSeek-V3), 63 % (gpt-"
    "oss) and 77 % (Qwen3-30B), and differently for each model, which one factor for a release "
    "cannot follow. Held out, a model's kernels are unknown, and small experts are where kernels "
    "differ most.",
    "tpu": "Few rows for each of many chips. Those of the newest state no layout, and the layout is "
    "guessed; a model that none like it was seen of (gpt-oss) is predicted worst.",
    "whole_runs": "Eight reports of one row each. They count different things as part of a run, and most state "
    "neither layout nor software. One constant, `production`, cannot tell a tuned run from a first "
    "one.",
    "throughput_dense": "Rows of MLPerf state neither layout nor batch. Each vendor tunes a harness of its own to each "
    "benchmark, so that all rows of one lie on the same side: see the bias by source.",
    "throughput_moe": "As with dense models, and the layout of experts is open too in many tables: the fastest is "
    "taken.",
    "tpot": "Rows of two pools, most of which leave out how many engines each pool has: these are assumed. "
    "Also engines that copy attention, whose copies wait for one another by rules that changed from "
    "release to release.",
    "ttft": "In a closed loop most of this time is waiting: for an engine to look for requests, for a "
    "place, for other prompts, for a benchmark to warm up. Rows state the requests in flight, and "
    "none of these. Two pools come on top.",
}
"""What remains where a group misses its target; the page shows these sentences of those that do."""


def read() -> Scores:
    """The scores as they are committed."""
    found: Scores = msgspec.json.decode(SCORES.read_bytes())
    return found


def of_group(scores: Scores, name: str, group: str, part: str = "groups") -> dict[str, float] | None:
    """The accuracy of a group in the score of this name (`held_out`, `fitted`, `without_release`)."""
    for kind in scores["kinds"].values():
        found: dict[str, float] | None = kind[name][part].get(group)
        if found is not None:
            return found
    return None


def missed(scores: Scores) -> tuple[str, ...]:
    """The groups that do not keep a target where held out."""
    return tuple(
        group
        for group, target in TARGETS.items()
        if (found := of_group(scores, "held_out", group)) is not None and _misses(target, found)
    )


def _misses(target: Target, found: dict[str, float]) -> bool:
    return found["mape"] > target.mape or (target.p90 is not None and found["p90"] > target.p90)


def headline(scores: Scores) -> str:
    """Held out first, the targets, and what the fit itself leaves."""
    rows = []
    for group, target in TARGETS.items():
        held, fitted = of_group(scores, "held_out", group), of_group(scores, "fitted", group)
        assert held is not None, f"no row of {group} was scored"
        assert fitted is not None, f"no row of {group} was scored"
        bound = f"≤ {target.mape:g}" + (f", p90 ≤ {target.p90:g}" if target.p90 else "")
        rows.append(
            (
                f"{SAYS[group]} (`{group}`)",
                f"{held['n']:,}",
                f"**{held['mape']:.1f}**",
                f"{held['median']:.1f}",
                f"{held['p90']:.1f}",
                bound,
                "missed" if _misses(target, held) else "kept",
                f"{held['within']:.0%}",
                f"{fitted['mape']:.1f}",
            )
        )
    head = (
        "group",
        "rows",
        "held-out MAPE %",
        "median %",
        "p90 %",
        "target",
        "",
        "in range",
        "in-sample MAPE %",
    )
    return table(head, rows)


def complete(scores: Scores) -> str:
    """The same for rows whose source states the whole configuration, beside all rows."""
    rows = []
    for group in TARGETS:
        held, part = (
            of_group(scores, "held_out", group),
            of_group(scores, "held_out", group, "complete"),
        )
        if held is not None and part is not None:
            numbers = (part["mape"], part["p90"], held["mape"])
            rows.append((f"`{group}`", f"{part['n']:,}", *(f"{number:.1f}" for number in numbers)))
    return table(("group", "rows that state all", "held-out MAPE %", "p90 %", "all rows: MAPE %"), rows)


def releases(scores: Scores) -> str:
    """What the software release is worth: with its factor, and as if it were not known."""
    rows = []
    for group in TARGETS:
        known, unknown = of_group(scores, "held_out", group), of_group(scores, "without_release", group)
        if known is not None and unknown is not None:
            rows.append((f"`{group}`", f"{known['mape']:.1f}", f"{unknown['mape']:.1f}"))
    return table(("group", "release known: MAPE %", "release not known: MAPE %"), rows)


def sources(scores: Scores) -> str:
    """Held-out errors by the table or engine that rows come from."""
    rows = []
    for kind, found in scores["kinds"].items():
        for name, part in found["held_out"]["sources"].items():
            rows.append(
                (
                    kind,
                    name,
                    f"{part['n']:,}",
                    f"{part['mape']:.1f}",
                    f"{part['p90']:.1f}",
                    f"{part['bias']:+.1f}",
                )
            )
    return table(("kind", "source", "rows", "held-out MAPE %", "p90 %", "bias %"), rows)


def cells(scores: Scores) -> str:
    """Held-out errors by chip, precision and group."""
    rows = [
        (
            one["chip"],
            one["precision"],
            f"`{one['group']}`",
            f"{one['n']:,}",
            f"{one['mape']:.1f}",
            f"{one['bias']:+.1f}",
        )
        for one in scores["cells"]
    ]
    return table(("chip", "precision", "group", "rows", "held-out MAPE %", "bias %"), rows)


def explained(scores: Scores) -> str:
    """One item for each group that misses a target: by how much, and what is known of the reason."""
    items = []
    for group in missed(scores):
        held, target = of_group(scores, "held_out", group), TARGETS[group]
        assert held is not None, "a group that misses was scored"
        missing = f"{held['mape']:.1f} % for {target.mape:g} %"
        if target.p90 is not None and held["p90"] > target.p90:
            missing += f", p90 {held['p90']:.1f} % for {target.p90:g} %"
        items.append(f"- **`{group}`**: {missing}. {WHY[group]}")
    return "\n".join(items) or "Nowhere."


def families(scores: Scores) -> str:
    """The families that make most of the error of the groups that miss a target."""
    lacking = missed(scores)
    rows = [
        (
            f"`{one['group']}`",
            one["family"].replace("|", ", ").replace("/", ", "),
            f"{one['n']:,}",
            f"{one['mape']:.0f}",
            f"{one['share']:.0%}",
        )
        for one in scores["families"]
        if one["group"] in lacking
    ]
    return table(("group", "family", "rows", "held-out MAPE %", "share of the group's error"), rows)


def overall(scores: Scores) -> str:
    """One sentence: the mean over groups, rows and answers."""
    found = [held for group in TARGETS if (held := of_group(scores, "held_out", group)) is not None]
    mean = sum(each["mape"] for each in found) / len(found)
    rows = sum(kind["held_out"]["overall"]["n"] for kind in scores["kinds"].values())
    refused = sum(len(kind["held_out"]["refused"]) for kind in scores["kinds"].values())
    kept = len(TARGETS) - len(missed(scores))
    return (
        f"Held out, the mean over the {len(found)} groups is **{mean:.1f} %** on {rows:,} measured values. "
        f"{kept} of {len(TARGETS)} targets are kept. "
        + (f"{refused} rows could not be read." if refused else "Every row got an answer.")
    )


TABLES = {
    "overall": overall,
    "headline": headline,
    "complete": complete,
    "releases": releases,
    "sources": sources,
    "cells": cells,
    "families": families,
    "missed": explained,
}


def written(page: str, scores: Scores) -> str:
    """The page with every table made anew. Raises KeyError for a place whose name is none."""
    return PLACE.sub(lambda place: f"{place.group(1)} -->\n{TABLES[place.group(1)](scores)}\n", page)
