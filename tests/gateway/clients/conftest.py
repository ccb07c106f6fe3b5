"""One lab for all tests of a process: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.clients.lab import Lab, lab


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """It serves, and stays as it is: what kills takes one of its own."""
    with lab(tmp_path_factory.mktemp("lab")) as made:
        yield made
