"""The demo's screen, on a terminal and off it."""

from __future__ import annotations

import io

from rich.console import Console

from stargate.demo.scene import AttemptShown, Beat, Result, Scene
from stargate.demo.view import View, standing, verdict

SCENE = Scene(
    beats=[Beat(0.1, "submit", "lm is submitted"), Beat(4.2, "kill", "oci is killed")],
    step=120,
    total_steps=300,
    loss=2.5,
    running_on="coreweave",
    result=Result(
        attempts=[
            AttemptShown("lm.0.1", "oci", "p", 1, 100, "lost"),
            AttemptShown("lm.0.2", "cw", "p", 101, 300, "done"),
        ],
        final_loss=2.0,
        undisturbed_final_loss=2.0,
        journal_verified=True,
        decisions=[
            {"seq": 3, "fact": "offer_made", "about": "o1", "grounds": [{"says": "first", "clause": "a/b"}]}
        ],
    ),
)


def printed(scene: Scene) -> str:
    """What a reader of a log file sees."""
    out = io.StringIO()
    with View(Console(file=out, width=100)) as view:
        view.show(scene)
        view.show(scene)
        view.explain(scene)
    return out.getvalue()


def test_each_beat_is_printed_once_and_decisions_cite_their_clause() -> None:
    """Showing twice prints nothing twice."""
    text = printed(SCENE)
    assert text.count("oci is killed") == 1
    assert "first  [a/b]" in text
    assert "101 to 300" in text


def test_the_bar_shows_where_the_job_stands() -> None:
    """Step, loss and provider."""
    out = io.StringIO()
    Console(file=out, width=100).print(standing(SCENE))
    assert "step 120/300" in out.getvalue()
    assert "on coreweave" in out.getvalue()


def test_the_verdict_is_not_flattered() -> None:
    """Another loss, an unverified journal, or no loss of a provider is no success."""
    assert "as if it had not" in verdict(SCENE).plain
    for spoiled in (
        Result(SCENE.result.offers, SCENE.result.attempts, 2.0, 2.1, journal_verified=True),
        Result(SCENE.result.offers, SCENE.result.attempts, 2.0, 2.0, journal_verified=False),
        Result(SCENE.result.offers, SCENE.result.attempts[1:], 2.0, 2.0, journal_verified=True),
        Result(SCENE.result.offers, SCENE.result.attempts, None, None, journal_verified=True),
    ):
        assert "wrong" in verdict(Scene(result=spoiled)).plain
