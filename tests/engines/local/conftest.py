"""The local engine on a stage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engines.stage import LocalStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[LocalStage]:
    """For one test."""
    made = LocalStage(tmp_path)
    await made.engine.open()
    yield made
    await made.close()


@pytest.fixture(scope="module")
async def lasting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStage]:
    """For all tests of a module that leave the provider as it is."""
    made = LocalStage(tmp_path_factory.mktemp("stage"))
    await made.engine.open()
    yield made
    await made.close()
