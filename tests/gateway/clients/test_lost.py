"""The real model loses a provider while sixteen clients listen; llama.cpp's own counters are the judge."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.gateway.clients.lab import REAL, lab
from tests.gateway.lost import answered, faults, lose, total


@pytest.mark.slow
def test_a_lost_provider_cuts_its_own_streams_alone_and_all_is_counted(tmp_path: Path) -> None:
    with lab(tmp_path) as made:
        key = made.application("client")
        replicas = made.replicas()
        victim, survivor = replicas["azure"], replicas["oci"]
        loss = asyncio.run(lose(made, key, REAL, victim.kill, max_tokens=60))
        records = answered(made, loss)
        assert not faults(loss, records, "azure")
        assert 0 < len(loss.cut) < len(loss.streams)
        assert all("azure broke off" in each.says for each in loss.cut)
        # Every other request, and nothing else, was answered by the one that is left.
        ours = total([each for each in records.values() if each.where.provider == "oci"])
        assert survivor.tokens() == (ours.input_tokens - ours.cached_tokens, ours.output_tokens)
