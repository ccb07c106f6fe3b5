"""Every operation under generated requests, good and bad: the gateway never fails, and answers as it says it does.

`STARGATE_EXAMPLES=2000` looks further than the examples that every run tries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stargate.gateway.serving.description import description
from tests.gateway.alone import TOKEN, Alone, alone, endpoint, routes
from tests.gateway.provider import spawn
from tests.gateway.published.schema import breaches

EXAMPLES = int(os.environ.get("STARGATE_EXAMPLES", "25"))
"""For each operation."""
CHECKS = (
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    content_type_conformance,
)


def known() -> dict[str, Any]:
    """The document; models are mostly asked for by the name of one that there is."""
    found = description("test")
    for item in found["paths"].values():
        for each in item.values():
            if "requestBody" in each:
                schema = each["requestBody"]["content"]["application/json"]["schema"]
                schema["properties"]["model"] = {"enum": ["tiny", "tiny", "none"]}
    return found


schema = schemathesis.openapi.from_dict(known())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    folder = tmp_path_factory.mktemp("generated") / "gateway"
    with spawn() as provider, alone(folder, routes(endpoint(provider.url)), body_bytes=1 << 20) as made:
        before_bytes = made.worker.memory_info().rss
        yield made
        assert "Traceback" not in made.log()
        assert made.worker.memory_info().rss - before_bytes < 64 << 20
        assert all(settled is not None for _, settled in made.attempts())


@pytest.mark.slow
@pytest.mark.timeout(60 + 2 * EXAMPLES)
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests(gateway: Alone, case: Any) -> None:
    """An error has the published shape, whoever it is of."""
    url = gateway.url.removesuffix("/v1")
    answer = case.call(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"})
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400:
        assert not breaches("ErrorResponse", answer.json())


def test_the_document_is_served(gateway: Alone) -> None:
    """To everybody: it holds nothing of anybody's."""
    status, document = gateway.get("/openapi.json")
    assert status == 200
    assert document["paths"].keys() == description("")["paths"].keys()
