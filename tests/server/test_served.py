"""What the catalog says about serving, as gateways are told it."""

from __future__ import annotations

from pathlib import Path

from stargate.catalog import load
from stargate.server.served import apis, models
from tests.server.serving import MODELS
from tests.server.world import INFRASTRUCTURE


def test_how_a_model_is_served_reaches_the_gateways(tmp_path: Path) -> None:
    """Preference, hedging, and where an API cuts texts."""
    said = MODELS.replace("{id: big}", "{id: big, prefer: fastest, hedge_after_ms: 250}")
    said = said.replace("abort: drain,", "abort: drain, tokenize_path: /tokenize,")
    file = tmp_path / "infrastructure.yaml"
    file.write_text(INFRASTRUCTURE + said)
    found = load([file])
    told = {model.id: (model.prefer, model.hedge_after_ms) for model in models(found, ())}
    assert told == {"tiny": ("balanced", 0), "big": ("fastest", 250)}
    assert [each.tokenize_path for each in apis(found)] == ["/tokenize"]
