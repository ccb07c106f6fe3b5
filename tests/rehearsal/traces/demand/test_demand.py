"""Generated demand against the statistics that it is calibrated to."""

from __future__ import annotations

import csv
import statistics
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import msgspec
import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.traces import Job, open_trace
from stargate.rehearsal.traces.demand import Demand, Profile, busy_chips, generated, shipped
from stargate.rehearsal.traces.demand.calibrate import fitted
from stargate.rehearsal.traces.demand.generate import jobs_per_day
from stargate.rehearsal.traces.demand.law import grid

PROFILES = {profile.name: profile for profile in shipped().profiles}
NAMES = sorted(PROFILES)
COLUMNS = {
    "mean_run_seconds": "avg_run_time_gpu",
    "median_run_seconds": "med_run_time_gpu",
    "longest_run_seconds": "max_run_time_gpu",
    "mean_chips": "avg_gpu_num",
    "median_chips": "med_gpu_num",
    "most_chips": "max_gpu",
    "jobs": "gpu_job_num",
}


def published(shared: Path, name: str) -> dict[str, float]:
    path = shared / "data" / "traces" / "acme" / "cluster_summary.csv"
    if not path.exists():
        pytest.skip("cluster_summary.csv is not here")
    with path.open() as file:
        row = next(row for row in csv.DictReader(file) if row["id"].lower() == name)
    return {key: float(value) for key, value in row.items() if key != "id" and value}


@pytest.mark.parametrize("name", NAMES)
def test_the_statistics_are_those_of_the_summary(shared: Path, name: str) -> None:
    row = published(shared, name)
    ours = PROFILES[name].published
    for field, column in COLUMNS.items():
        assert getattr(ours, field) == row[column], field
    total = sum(row[f"{ending}_gpu_time"] for ending in ("complete", "cancel", "fail"))
    assert ours.chip_seconds_per_job == pytest.approx(total / row["gpu_job_num"], abs=0.001)
    assert ours.of_jobs.cancelled == row["cancel_rate_gpu"]
    assert ours.of_chip_seconds.cancelled == row["cancel_rate_gpu_time"]
    assert ours.of_chip_seconds.failed == row["fail_rate_gpu_time"]


@pytest.mark.parametrize("name", NAMES)
def test_the_law_meets_the_statistics_in_expectation(name: str) -> None:
    profile = PROFILES[name]
    law, wanted = profile.law, profile.published
    points = grid(law)
    held = points.chip_seconds
    assert points.mean(points.runs) == pytest.approx(wanted.mean_run_seconds, rel=0.002)
    assert points.mean(points.chips) == pytest.approx(wanted.mean_chips, rel=0.002)
    assert points.mean(held) == pytest.approx(wanted.chip_seconds_per_job, rel=0.002)
    assert law.median_run_seconds == wanted.median_run_seconds
    assert law.size_fractions[0] >= 0.5, "the median is 1"
    assert 2 ** (len(law.size_fractions) - 1) == wanted.most_chips
    rows, columns = held.shape
    odds = [[law.endings(float(held[row, column])) for column in range(columns)] for row in range(0, rows, 8)]
    for at, ending in enumerate(("cancelled", "failed")):
        some = msgspec.structs.replace(
            points, weights=points.weights[::8] * 8, chips=points.chips[::8], runs=points.runs[::8]
        )
        share = type(points.runs)((len(odds), columns))
        share[:] = [[pair[at] for pair in line] for line in odds]
        assert some.mean(share) == pytest.approx(getattr(wanted.of_jobs, ending), abs=0.003)
        by_held = some.mean(share * some.chip_seconds) / some.mean(some.chip_seconds)
        assert by_held == pytest.approx(getattr(wanted.of_chip_seconds, ending), abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_the_law_is_what_calibration_gives(name: str) -> None:
    profile = PROFILES[name]
    again = fitted(profile.published, profile.assumed.single_fraction)
    kept = profile.law
    assert again.sigma == pytest.approx(kept.sigma, rel=1e-4)
    assert again.correlation == pytest.approx(kept.correlation, rel=1e-4)
    assert again.size_fractions == pytest.approx(kept.size_fractions, rel=1e-4)
    for ending in ("cancelled", "failed"):
        new, old = getattr(again, ending), getattr(kept, ending)
        assert (new.offset, new.slope) == pytest.approx((old.offset, old.slope), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("single", [0.5, 0.6])
def test_the_statistics_can_be_met_with_other_assumptions(single: float) -> None:
    for name in ("seren", "kalos", "helios"):
        law = fitted(PROFILES[name].published, single)
        points = grid(law)
        assert points.mean(points.chip_seconds) == pytest.approx(
            PROFILES[name].published.chip_seconds_per_job, rel=1e-6
        )


def test_statistics_that_contradict_themselves_are_refused() -> None:
    wrong = msgspec.structs.replace(PROFILES["seren"].published, mean_run_seconds=1e9)
    with pytest.raises(InputError, match="no law meets the published run"):
        fitted(wrong, 0.55)


def drawn(profile: Profile, seed: int = 1) -> list[Job]:
    return list(generated(Demand(profile.name, 40, jobs_per_day=1000, seed=seed)))


@pytest.mark.parametrize("name", NAMES)
def test_drawn_jobs_look_like_the_published_ones(name: str) -> None:
    """Medians and fractions to 2 %; means of 40,000 draws from heavy tails to 15 %."""
    profile = PROFILES[name]
    wanted = profile.published
    jobs = drawn(profile)
    assert len(jobs) == pytest.approx(40_000, rel=0.02)
    assert statistics.median(job.run_seconds for job in jobs) == pytest.approx(
        wanted.median_run_seconds, rel=0.05
    )
    assert statistics.fmean(job.run_seconds for job in jobs) == pytest.approx(
        wanted.mean_run_seconds, rel=0.15
    )
    assert statistics.median(job.chips for job in jobs) == wanted.median_chips
    assert statistics.fmean(job.chips for job in jobs) == pytest.approx(wanted.mean_chips, rel=0.1)
    assert max(job.chips for job in jobs) <= wanted.most_chips
    assert max(job.run_seconds for job in jobs) <= wanted.longest_run_seconds
    endings = Counter(job.status for job in jobs)
    assert endings["completed"] / len(jobs) == pytest.approx(wanted.of_jobs.completed, abs=0.02)
    assert endings["cancelled"] / len(jobs) == pytest.approx(wanted.of_jobs.cancelled, abs=0.02)
    assert endings["failed"] / len(jobs) == pytest.approx(wanted.of_jobs.failed, abs=0.02)


def test_large_jobs_hold_most_of_kalos() -> None:
    """Not fitted: the paper on Acme has large jobs dominate its accelerator time."""
    jobs = drawn(PROFILES["kalos"])
    total = sum(job.chip_seconds for job in jobs)
    assert sum(job.chip_seconds for job in jobs if job.chips >= 256) > 0.8 * total
    assert sum(job.chips >= 256 for job in jobs) < 0.1 * len(jobs)


def test_the_seed_decides() -> None:
    demand = Demand("kalos", 3, seed=5)
    assert list(generated(demand)) == list(generated(demand))
    assert list(generated(demand)) != list(generated(msgspec.structs.replace(demand, seed=6)))


def test_jobs_come_in_order_and_within_the_days() -> None:
    jobs = list(generated(Demand("seren", 0.5)))
    assert all(before.submit_seconds <= after.submit_seconds for before, after in pairwise(jobs))
    assert jobs[-1].submit_seconds < 43_200
    assert [job.id for job in jobs] == [str(number) for number in range(1, len(jobs) + 1)]
    assert all(job.nodes * 8 >= job.chips for job in jobs)


def test_a_long_demand_is_a_stream() -> None:
    jobs = generated(Demand("kalos", 36_500, busy_chips=1_000_000))
    assert len(list(islice(jobs, 100))) == 100


def test_demand_by_busy_chips() -> None:
    demand = Demand("kalos", 30, busy_chips=50_000, chips_times=16, most_chips=8192, seed=2)
    assert busy_chips(demand) == pytest.approx(50_000)
    jobs = list(generated(demand))
    assert max(job.chips for job in jobs) == 8192
    assert {job.chips % 16 for job in jobs} == {0}
    assert len(jobs) == pytest.approx(30 * jobs_per_day(demand), rel=0.1)
    assert sum(job.chip_seconds for job in jobs) / (30 * 86_400) == pytest.approx(50_000, rel=0.3)


def test_the_clusters_were_as_busy_as_their_figures_say() -> None:
    seren = PROFILES["seren"].published
    assert busy_chips(Demand("seren", 1)) == pytest.approx(
        seren.jobs * seren.chip_seconds_per_job / seren.days / 86_400, rel=0.002
    )


def test_hours_are_those_of_philly(shared: Path) -> None:
    path = shared / "data" / "traces" / "philly" / "philly_jobs_2017-09_2017-10.csv.gz"
    if not path.exists():
        pytest.skip("the Philly table is not here")
    trace = open_trace(path)
    counts: Counter[int] = Counter()
    for job in trace.jobs():
        assert trace.start_seconds is not None
        counts[(trace.start_seconds + job.submit_seconds) // 3600 % 24] += 1
    arrivals = next(one for one in shipped().arrivals if one.name == "philly")
    assert [round(counts[hour] / counts.total(), 4) for hour in range(24)] == list(arrivals.hours)
    jobs = list(generated(Demand("philly", 70, seed=3)))
    ours = Counter(job.submit_seconds // 3600 % 24 for job in jobs)
    for hour in range(24):
        assert ours[hour] / len(jobs) == pytest.approx(arrivals.hours[hour], abs=0.005)


def test_flat_arrivals() -> None:
    jobs = list(generated(Demand("philly", 70, arrivals="flat")))
    hours = Counter(job.submit_seconds // 3600 % 24 for job in jobs)
    assert max(hours.values()) < 1.15 * min(hours.values())


@pytest.mark.parametrize(
    ("demand", "says"),
    [
        (Demand("kalso", 1), "Did you mean 'kalos'"),
        (Demand("kalos", 1, arrivals="x"), "no arrivals"),
    ],
)
def test_unknown_names_are_refused(demand: Demand, says: str) -> None:
    with pytest.raises(InputError, match=says):
        next(generated(demand))


def test_one_amount_is_enough() -> None:
    with pytest.raises(msgspec.ValidationError, match="say the same thing"):
        msgspec.convert({"profile": "kalos", "days": 1, "jobs_per_day": 5, "busy_chips": 5}, Demand)
