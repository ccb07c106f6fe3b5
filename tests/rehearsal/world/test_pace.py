"""Checkpoints and stalls, against a walk second by second."""

from __future__ import annotations

import random

import pytest

from stargate.rehearsal.world.pace import Pattern, Progress


def walked(pattern: Pattern, ran: int, work: int) -> Progress:
    """The same one unit of time after the other, as a program would go through it."""
    done = saved = stalled = since = 0
    stall_left = 0
    for _ in range(ran):
        if stall_left:
            stall_left -= 1
            stalled += 1
            saved = saved if stall_left else done
        elif done < work:
            done, since = done + 1, since + 1
            if since == pattern.interval_us and done < work:
                since, stall_left = 0, pattern.stall_us
                saved = saved if stall_left else done
    if done >= work:
        saved = done
    return Progress(done, saved, stalled)


@pytest.mark.parametrize("seed", range(20))
def test_progress_is_what_a_program_would_make(seed: int) -> None:
    chance = random.Random(seed)
    pattern = Pattern(chance.randint(1, 12), chance.randint(0, 5))
    work = chance.randint(1, 60)
    for ran in range(pattern.run_us(work) + 1):
        found = pattern.after(ran, work)
        assert found == walked(pattern, ran, work), ran
        assert found.done_us + found.stalled_us == ran


def test_what_was_hand_computed() -> None:
    # An hour of work, a checkpoint after every 20 minutes that takes 2: two on the way, none at the end.
    pattern = Pattern(20, 2)
    assert pattern.run_us(60) == 64
    assert pattern.run_us(61) == 67
    assert pattern.after(21, 60) == Progress(20, 0, 1)
    assert pattern.after(22, 60) == Progress(20, 20, 2)
    assert pattern.after(50, 60) == Progress(46, 40, 4)
    assert pattern.after(64, 60) == Progress(60, 60, 4)
    assert pattern.next_save_us(0) == 22
    assert pattern.next_save_us(22) == 44


def test_without_checkpoints_all_is_lost_until_the_end() -> None:
    assert Pattern().after(59, 60) == Progress(59, 0, 0)
    assert Pattern().after(60, 60) == Progress(60, 60, 0)
    assert Pattern().run_us(60) == 60
    assert Pattern(10, 5).run_us(0) == 0
    assert Pattern(10, 5).after(0, 0) == Progress(0, 0, 0)
