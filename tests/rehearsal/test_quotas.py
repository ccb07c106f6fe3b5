"""Kueue's benchmark in small: limits hold, everybody ends, the urgent first."""

from __future__ import annotations

import pytest

from bench.kueue import CONFIGS, Config, play


def small(name: str) -> Config:
    """One cohort in twenty of its workloads."""
    config = CONFIGS[name]
    kinds = tuple(kind._replace(each=max(1, kind.each // 20)) for kind in config.kinds)
    return config._replace(cohorts=2, queues=6, kinds=kinds)


@pytest.mark.parametrize("name", CONFIGS)
def test_everybody_ends_and_no_limit_is_passed(name: str) -> None:
    found = play(small(name), charged=False)
    assert found["unfinished"] == 0
    assert found["apart"] == 0, "a gang that asks for a rack is in one"
    assert found["most_of_a_queue"] <= 1
    if not CONFIGS[name].nodes:
        assert found["most_of_a_cohort"] <= 1


def test_the_urgent_wait_least_and_queues_borrow() -> None:
    config = CONFIGS["baseline"]
    kinds = tuple(kind._replace(each=kind.each // 5) for kind in config.kinds)
    found = play(config._replace(cohorts=1, kinds=kinds), charged=False)
    waits = found["wait_s"]
    assert waits["large"] < waits["medium"] < waits["small"]
    assert found["most_of_a_queue"] > config.nominal / (config.nominal + config.borrowing)
    assert found["use_percent"] > 75
