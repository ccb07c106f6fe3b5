"""The main job, end to end: real server, real processes, a real SIGKILL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stargate.base.errors import StateConflictError
from stargate.demo.play import play


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The story, told once."""
    folder = tmp_path_factory.mktemp("demo")
    file = folder / "demo.json"
    assert play(folder / "data", file, leave=True)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.timeout(180)
def test_the_holder_is_asked_first_and_cannot_meet_the_requirement(told: dict[str, Any]) -> None:
    """One offer, under the clause, with what was not met."""
    assert told["offers"] == [
        {
            "to": "microsoft",
            "mode": "capability",
            "answer": "cannot_meet",
            "clause": "msft-2025/rofr",
            "unmet": ["chips"],
        }
    ]


@pytest.mark.timeout(180)
def test_the_job_goes_on_elsewhere_and_ends_as_if_undisturbed(told: dict[str, Any]) -> None:
    """Two attempts without a gap, on two providers; the same loss to the last digit."""
    first, second = told["attempts"]
    assert (first["provider"], first["outcome"]) == ("oci", "lost")
    assert (second["provider"], second["outcome"]) == ("coreweave", "done")
    assert first["first_step"] == 1
    assert 1 < second["first_step"] <= first["last_step"] + 1
    assert second["last_step"] == 300
    assert told["final_loss"] == told["undisturbed_final_loss"]
    assert told["journal_verified"] is True


@pytest.mark.timeout(180)
def test_every_decision_says_why(told: dict[str, Any]) -> None:
    """The offer and the market opening cite the clause; both placements have grounds."""
    decisions = told["decisions"]
    cited = {d["fact"] for d in decisions if any(g.get("clause") == "msft-2025/rofr" for g in d["grounds"])}
    assert {"offer_made", "offer_ended", "market_opened"} <= cited
    assert sum(d["fact"] == "placed" for d in decisions) == 2
    assert all(ground["says"] for decision in decisions for ground in decision["grounds"])


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """The demo never writes into data that somebody may want."""
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(StateConflictError, match="not empty"):
        play(tmp_path, None, leave=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
