"""One yard for all tests of a process that kill nothing: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.batch.yard import Yard, yard


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard(tmp_path_factory.mktemp("yard")) as made:
        yield made
