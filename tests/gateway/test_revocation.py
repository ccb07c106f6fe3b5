"""A revoked key is worth nothing on any worker of any host: see `tests.gateway.revocation`, which measures how soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.revocation import HOSTS, WORKERS, hosts, lines, revoke


@pytest.mark.slow
def test_a_revoked_key_is_worth_nothing_anywhere(tmp_path: Path) -> None:
    with hosts(tmp_path) as made, lines(made) as reached:
        took = revoke(made, reached)
    assert len(took) == len(HOSTS) * WORKERS
    assert max(took) < 10.0  # it is a second, where the machine is not too busy to look
