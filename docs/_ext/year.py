"""The parts of the page on the year, from the figures that `make rehearsal-year` writes, and the page made of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from docs._ext.reference.markdown import cell, code, table
from stargate.base import wire
from stargate.rehearsal.report.summary import Identity, Summary

DOCS = Path(__file__).resolve().parents[1]
FIGURES = DOCS / "rehearsal-year.json"
PAGE = DOCS / "rehearsal-year.md"
PLACE = re.compile(r"(?<=<!-- year: )([\w-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
CUT_DAYS = 14
"""Of the year, that a test rehearses again."""

Figures = dict[str, Any]
"""`runs`: summaries by name, in brief; `cut_digest`, `cpu_seconds`, `peak_mib` and `attempts` of the year."""

WITHOUT = {
    "without_slip": "the slip",
    "without_drop": "the dropped expansion",
    "without_outage": "the outage",
}
NOISE = 0.005
"""Of the year's work: less than this is told as no work lost."""
REASONS = {
    "preempted": "stopped for more urgent work",
    "migrated": "moved to cheaper capacity",
    "lease_end": "moved off a lease that ends",
    "scaled_down": "replicas of the API that were no longer needed",
    "cancelled": "cancelled by their owners",
    "capacity": "stopped where a pool has fewer nodes than before",
    "drain": "moved off what is emptied",
}
GO_ON = """\
scenario:
  name: {name}
  from_journal: stargate-data          # the folder of a server, or the file of a journal
  horizon: 229d
  seed: 1
{changes}  parties:
  - {{party: microsoft, answers: [{answers}]}}
  demand:
  - name: more
    generate: {{profile: kalos, days: 229, busy_chips: 2800, chips_times: 16, most_chips: 8192, users: 200, seed: 51}}
    transform: &transform
    - {{do: scale, run: 48}}
    - do: assign
      rules:
      - {{by: user, team: {{pretraining: 0.5, post-training: 0.3, evaluation: 0.2}}}}
      - {{where: [{{field: team, in: [evaluation]}}], deadline: {{run_times: 1.0, plus_seconds: 86400}}}}
    form: &form {{chips: [GB200-NVL72, B200-SXM], save_every: 10m, save_gib: 1400}}
  - name: fairwater
    after: 16d
    generate: {{profile: kalos, days: 213, busy_chips: 1300, chips_times: 16, most_chips: 8192, users: 200, seed: 61}}
    transform: *transform
    form: *form
  - name: next
    after: 184d
    generate: {{profile: kalos, days: 45, busy_chips: 900, chips_times: 16, most_chips: 8192, users: 50, seed: 71}}
    transform: *transform
    form: {{chips: [GB200-NVL72], save_every: 10m, save_gib: 1400}}
  engines:
  - accept: {{fixed: 5s}}
    start: {{median: 3m, sigma: 0.7, at_most: 1h}}
    failures: {{rate: published}}
    saving: {{stall: 20s, on_stop: 25s, reported_every: 6h}}
"""
"""A scenario that goes on from a journal; of its demand, what was planned."""
WHAT_IF = {
    "as_planned": GO_ON.format(
        name="As planned",
        changes="",
        answers="{answer: accept, chance: 0.4, after: {low: 2h, high: 1d}}, "
        "{answer: decline, chance: 0.67, after: {low: 6h, high: 5d}}",
    ),
    "as_feared": GO_ON.format(
        name="Azure declines everything from today, and Abilene slips six months",
        changes="  changes:\n  - {do: slip, sites: [abilene], months: 6}\n",
        answers="{answer: decline, after: {low: 6h, high: 5d}}",
    ),
}


def digest_of(summary: Summary) -> str:
    """Of all figures of a run, whatever its files and records are called."""
    bare = msgspec.structs.replace(summary, identity=Identity())
    return hashlib.blake2b(wire.to_json(bare), digest_size=16).hexdigest()


def read() -> Figures:
    """The figures as they are committed."""
    found: Figures = msgspec.json.decode(FIGURES.read_bytes())
    return found


# -- words -------------------------------------------------------------------------------------------------------------


def usd(micro_usd: float) -> str:
    """Billions and millions."""
    amount = micro_usd / 1e6
    if abs(amount) >= 1e9:
        return f"{amount / 1e9:,.2f} billion USD"
    return f"{amount / 1e6:,.1f} million USD"


def many(value: float) -> str:
    """A number for people."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.1f} million"
    return f"{value:,.0f}"


def lasting(seconds: float) -> str:
    """A length of time."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 172_800 else f"{seconds / 86_400:,.1f} d"


def _year(figures: Figures) -> Any:
    return figures["runs"]["year"]


def _worked(run: Any) -> float:
    """Chip-hours of work that no attempt did again, whatever became of its run."""
    time: dict[str, float] = run["chip_time"]
    return time["useful_chip_hours"] + time["discarded_chip_hours"]


def _held(places: Iterable[Any]) -> list[Any]:
    return sorted((one for one in places if one["held_chip_hours"]), key=lambda one: -one["held_chip_hours"])


def _clauses(run: Any) -> list[Any]:
    return [clause for agreement in run["agreements"] for clause in agreement["clauses"]]


def _day(instant: str) -> str:
    return instant[:10]


# -- the parts ---------------------------------------------------------------------------------------------------------


def lead(figures: Figures) -> str:
    """What the lead of capacity reads first."""
    year = _year(figures)
    time, work = year["chip_time"], year["work"]
    places = _held(year["providers"])
    shares = ", ".join(
        f"{one['paid_micro_usd'] / year['paid_micro_usd']:.0%} {one['id']}" for one in places[:3]
    )
    large = year["sizes"][-1]
    between = large["used_chip_hours"] / max(1, large["interruptions"])
    costs = [_cost(year, figures["runs"][name], says) for name, says in WITHOUT.items()]
    return (
        f"The year cost **{usd(year['paid_micro_usd'])}** ({shares}) for {many(time['held_chip_hours'])} chip-hours "
        f"held, of which **{time['utilisation']:.0%}** were used. Of what was used, "
        f"{_worked(year) / time['used_chip_hours']:.1%} was work"
        f" that nobody had to do again. Runs waited {lasting(work['wait_seconds']['average'])} on average, the largest "
        f"gangs {lasting(large['wait_seconds']['average'])}, and {lasting(large['wait_seconds']['p99'])} at their 99th "
        f"percentile. These were interrupted once in {many(between)} chip-hours and spent {large['effective']:.1%} of "
        f"their time working. "
        f"The troubles cost, each against the same year without it: {'; '.join(costs)}. "
        f"{_bound_in_short(year)}"
    )


def _cost(year: Any, other: Any, says: str) -> str:
    """What a trouble took, against the same year without it."""
    lost = _worked(other) - _worked(year)
    wait = year["work"]["wait_seconds"]["average"] - other["work"]["wait_seconds"]["average"]
    waited = f"{lasting(abs(wait))} {'more' if wait >= 0 else 'less'} average wait"
    if abs(lost) >= NOISE * _worked(year):
        return f"{says} {many(lost)} chip-hours of work and {waited}"
    down = year["chip_time"]["down_chip_hours"] - other["chip_time"]["down_chip_hours"]
    again = year["work"]["recoveries"] - other["work"]["recoveries"]
    recovered = f"{abs(again):,} {'more' if again >= 0 else 'fewer'} recoveries"
    return (
        f"{says} {many(down)} chip-hours of capacity, {recovered} and {waited}, but no work that other pools "
        f"did not take up (its sum is {abs(lost) / _worked(year):.1%} {'smaller' if lost > 0 else 'larger'}, since "
        f"every later start comes at another moment)"
    )


def _bound_in_short(year: Any) -> str:
    right = next((one for one in year["rights"]), None)
    asked = "Nobody had to be asked first" if right is None else (
        f"{right['holder'].capitalize()} was asked first {right['offers']} times, and took {right['leases']} of them,"
    )  # fmt: skip
    most = max(year["agreements"], key=lambda one: one["burned_micro_usd"])
    return (
        f"{asked} before the amendment of 2025-10-28 ended its right; the API had to stay on Azure until that of "
        f"2026-04-27. "
        f"Of what is committed, use drew most under `{most['id']}`: {usd(most['burned_micro_usd'])} of "
        f"{usd(most['committed_micro_usd'])}."
    )


def run(figures: Figures) -> str:
    """What was run, and what it took."""
    year = _year(figures)
    identity = year["identity"]
    facts = sum(year["facts"].values())
    return (
        f"{year['work']['submitted']:,} workloads, {figures['attempts']:,} attempts and {facts:,} facts took "
        f"{figures['cpu_seconds']:.0f} s of CPU time on one core and {figures['peak_mib']:.0f} MiB, the second account "
        f"included. Seed {identity['seed']}, input digest `{identity['input_digest']}`, state digest "
        f"`{identity['state_digest']}`."
    )


def providers(figures: Figures) -> str:
    """Cost by provider."""
    head = (
        "provider", "held chip-hours", "used", "paid, USD", "of use, USD", "USD per chip-hour used", "down chip-hours",
    )  # fmt: skip
    rows = [
        (
            one["id"], many(one["held_chip_hours"]), f"{one['utilisation']:.0%}", usd(one["paid_micro_usd"])[:-4],
            usd(one["metered_micro_usd"])[:-4], f"{one['paid_micro_usd'] / 1e6 / max(1.0, one['used_chip_hours']):.2f}",
            many(one["down_chip_hours"]),
        )
        for one in _held(_year(figures)["providers"])
    ]  # fmt: skip
    return table(head, rows)


def troubles(figures: Figures) -> str:
    """The year beside the same year without each trouble."""
    year = _year(figures)
    names = list(WITHOUT)
    rows = []
    for says, value, form in (
        ("paid", lambda one: one["paid_micro_usd"], usd),
        ("work done, chip-hours", _worked, many),
        ("used of held", lambda one: 100 * one["chip_time"]["utilisation"], lambda value: f"{value:.1f} %"),
        ("average wait", lambda one: one["work"]["wait_seconds"]["average"], lasting),
        (
            "average wait of the largest gangs",
            lambda one: one["sizes"][-1]["wait_seconds"]["average"],
            lasting,
        ),
        ("unfinished at the end", lambda one: one["work"]["unfinished"], many),
        ("deadlines missed by runs that did not fail", lambda one: one["work"]["deadlines_missed"], many),
        ("leases signed", lambda one: len(one["deals"]), many),
        ("chip-hours down", lambda one: one["chip_time"]["down_chip_hours"], many),
        ("recoveries", lambda one: one["work"]["recoveries"], many),
        ("work done again, chip-hours", lambda one: one["chip_time"]["redone_chip_hours"], many),
    ):
        rows.append((says, form(value(year)), *[form(value(figures["runs"][name])) for name in names]))
    return table(("figure", "the year", *[f"without {WITHOUT[name]}" for name in names]), rows)


def moved(figures: Figures) -> str:
    """What moved, and why."""
    work = _year(figures)["work"]
    rows = [(REASONS.get(reason, reason), f"{number:,}") for reason, number in work["stops"].items()]
    rows += [(f"ended by themselves: {cause}", f"{number:,}") for cause, number in work["failures"].items()]
    rows += [
        ("recoveries: started again from the last checkpoint, elsewhere or there", f"{work['recoveries']:,}"),
        ("restarts after the program's own failure", f"{work['restarts']:,}"),
    ]
    return table(("attempts", "number"), rows)


def goodput(figures: Figures) -> str:
    """Where chip-hours went, by size."""
    head = (
        "gang, chips", "runs", "chip-hours used", "interruptions", "chip-hours between two", "working", "saving",
        "done again", "starting and stopping",
    )  # fmt: skip
    rows = []
    before = 0
    for one in _year(figures)["sizes"]:
        used = max(1.0, one["used_chip_hours"])
        most = one["most_chips"]
        rows.append(
            (
                f"more than {before:,}" if most is None else f"{before + 1:,} to {most:,}", f"{one['workloads']:,}",
                many(used), f"{one['interruptions']:,}",
                many(used / one["interruptions"]) if one["interruptions"] else "",
                f"{one['effective']:.1%}",
                *[f"{one[f'{part}_chip_hours'] / used:.1%}" for part in ("saving", "redone", "overhead")],
            )
        )  # fmt: skip
        before = most or before
    return table(head, rows)


def endings(figures: Figures) -> str:
    """What became of the runs, beside what was published."""
    year = _year(figures)
    time, work = year["chip_time"], year["work"]
    ended = work["succeeded"] + work["failed"] + work["cancelled"]
    return (
        f"Of the runs that ended, {work['failed'] / ended:.1%} failed by their own fault and "
        f"{work['cancelled'] / ended:.1%} were cancelled; of the work, "
        f"{time['discarded_chip_hours'] / _worked(year):.1%} was theirs. Acme published 39.7 % and 6.2 % of jobs, and "
        f"68.7 % of GPU time, for the cluster that the demand follows; runs that go on at the end of the year count "
        f"as kept here."
    )


def waits(figures: Figures) -> str:
    """Waits by size, and by team."""
    year = _year(figures)
    head = ("class", "runs", "average", "median", "90 %", "99 %", "longest")
    rows = []
    before = 0
    for one in year["sizes"]:
        wait, most = one["wait_seconds"], one["most_chips"]
        says = f"more than {before:,} chips" if most is None else f"{before + 1:,} to {most:,} chips"
        parts = [lasting(wait[part]) for part in ("average", "median", "p90", "p99", "most")]
        rows.append((says, f"{wait['count']:,}", *parts))
        before = most or before
    wait = year["work"]["wait_seconds"]
    parts = [lasting(wait[part]) for part in ("average", "median", "p90", "p99", "most")]
    rows.append(("all, the API included", f"{wait['count']:,}", *parts))
    teams = [
        (one["id"], f"{one['workloads']:,}", lasting(one["average_wait_seconds"]), many(one["used_chip_hours"]),
         f"{one['preemptions']:,}")
        for one in year["teams"]
    ]  # fmt: skip
    heads = ("team", "workloads", "average wait", "chip-hours used", "stopped for others")
    return f"{table(head, rows)}\n\n{table(heads, teams)}"


def sites(figures: Figures) -> str:
    """Use and energy by site."""
    head = ("site", "held chip-hours", "used", "down chip-hours", "MWh", "kW per chip held", "interruptions")
    rows = [
        (
            one["id"], many(one["held_chip_hours"]), f"{one['utilisation']:.0%}", many(one["down_chip_hours"]),
            many(one["energy_mwh"]), f"{one['energy_mwh'] * 1000 / one['held_chip_hours']:.2f}", f"{one['failures']:,}",
        )
        for one in _held(_year(figures)["sites"])
    ]  # fmt: skip
    return table(head, rows)


def commitments(figures: Figures) -> str:
    """What is committed, and what use drew on it."""
    head = ("agreement", "committed in all", "drawn by use", "of it")
    rows = [
        (
            one["id"], usd(one["committed_micro_usd"]), usd(one["burned_micro_usd"]),
            f"{one['burned_micro_usd'] / one['committed_micro_usd']:.1%}" if one["committed_micro_usd"] else "",
        )
        for one in _year(figures)["agreements"]
        if one["committed_micro_usd"] or one["burned_micro_usd"]
    ]  # fmt: skip
    return table(head, rows)


def clauses(figures: Figures) -> str:
    """Which clause bound when."""
    head = ("clause", "decisions", "first", "last", "the first time because")
    rows = [
        (
            f"`{one['id']}`", ", ".join(f"{kind} {number:,}" for kind, number in one["decisions"].items()),
            _day(one["first"]), _day(one["last"]), cell(one["says"].partition(" (would change")[0]),
        )
        for one in _clauses(_year(figures))
    ]  # fmt: skip
    return table(head, rows)


def rights(figures: Figures) -> str:
    """What holders of rights were asked."""
    head = ("right", "offers", "answers", "chips offered", "taken", "leases", "average time to the end")
    rows = [
        (
            f"`{one['clause']}`", f"{one['offers']:,}",
            ", ".join(f"{outcome} {number:,}" for outcome, number in one["outcomes"].items()),
            f"{one['offered_chips']:,}", f"{one['taken_chips']:,}", f"{one['leases']:,}",
            lasting(one["average_answer_seconds"]),
        )
        for one in _year(figures)["rights"]
    ]  # fmt: skip
    return table(head, rows)


def events(figures: Figures) -> str:
    """What happened to capacity."""
    happened = [one for one in _year(figures)["happenings"] if one["kind"] != "repriced"]
    rows = [(one["at"][:16].replace("T", " "), one["subject"], cell(one["says"])) for one in happened]
    return table(("when", "what", "how"), rows)


def journal(figures: Figures) -> str:
    """The scenario that goes on from a journal."""
    return code(WHAT_IF["as_feared"], "yaml")


def feared(figures: Figures) -> str:
    """From a journal: as planned, and as feared."""
    planned, other = (figures["runs"][name] for name in ("as_planned", "as_feared"))
    kinds: tuple[tuple[str, Callable[[Any], Any], Callable[[Any], str]], ...] = (
        ("from", lambda one: _day(one["begins"]), str),
        ("until", lambda one: _day(one["ends"]), str),
        ("chip-hours held", lambda one: one["chip_time"]["held_chip_hours"], many),
        ("work done, chip-hours", _worked, many),
        ("paid", lambda one: one["paid_micro_usd"], usd),
        ("average wait", lambda one: one["work"]["wait_seconds"]["average"], lasting),
        (
            "average wait of the largest gangs",
            lambda one: one["sizes"][-1]["wait_seconds"]["average"],
            lasting,
        ),
        ("unfinished at the end", lambda one: one["work"]["unfinished"], many),
        ("deadlines missed by runs that did not fail", lambda one: one["work"]["deadlines_missed"], many),
        ("offers to Microsoft", lambda one: sum(right["offers"] for right in one["rights"]), many),
        (
            "… accepted",
            lambda one: sum(right["outcomes"].get("accepted", 0) for right in one["rights"]),
            many,
        ),
        (
            "… declined",
            lambda one: sum(right["outcomes"].get("declined", 0) for right in one["rights"]),
            many,
        ),
    )
    rows = [(says, form(value(planned)), form(value(other))) for says, value, form in kinds]
    return table(("figure", "as planned", "as feared"), rows)


TABLES = {
    "lead": lead,
    "run": run,
    "providers": providers,
    "troubles": troubles,
    "moved": moved,
    "goodput": goodput,
    "endings": endings,
    "waits": waits,
    "sites": sites,
    "commitments": commitments,
    "clauses": clauses,
    "rights": rights,
    "events": events,
    "journal": journal,
    "feared": feared,
}


def written(page: str, figures: Figures) -> str:
    """The page with every part made anew. Raises KeyError for a place whose name is none."""
    return PLACE.sub(lambda place: f"{place.group(1)} -->\n{TABLES[place.group(1)](figures)}\n", page)
