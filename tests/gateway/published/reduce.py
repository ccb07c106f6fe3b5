"""Keep of OpenAI's published description of its API what the tests need: the schemas of replies, without prose.

    python -m tests.gateway.published.reduce CLONE

`CLONE` is a clone of https://github.com/openai/openai-openapi (MIT licence, copyright OpenAI). What was kept last,
and of which commit, `schemas.json` says at its head.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "schemas.json"
ROOTS = (
    "Batch", "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse", "CreateCompletionResponse",
    "CreateEmbeddingResponse", "DeleteFileResponse", "ErrorResponse", "ListBatchesResponse", "ListFilesResponse",
    "ListModelsResponse", "Model", "OpenAIFile", "Response", "ResponseStreamEvent",
)  # fmt: skip
_PROSE = frozenset({"default", "deprecated", "description", "example", "examples", "title"})
_PREFIX = "#/components/schemas/"


def bare(schema: Any, *, names: bool = False) -> Any:
    """A schema without prose; `nullable`, which OpenAPI 3.1 no longer has, as it is said today."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if names:  # the keys are names of properties, whatever they are
        return {name: bare(each) for name, each in schema.items()}
    kept = {
        key: bare(value, names=key == "properties")
        for key, value in schema.items()
        if key not in _PROSE and not key.startswith("x-")
    }
    if kept.pop("nullable", False):
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


def named(schema: Any) -> set[str]:
    """The schemas that one refers to."""
    if isinstance(schema, list):
        return set().union(*map(named, schema))
    if not isinstance(schema, dict):
        return set()
    found = set().union(*map(named, schema.values()))
    target = schema.get("$ref")
    if isinstance(target, str):
        found.add(target.removeprefix(_PREFIX))
    return found


def reduced(schemas: dict[str, Any]) -> dict[str, Any]:
    """The roots and all that they refer to."""
    kept: dict[str, Any] = {}
    open_names = set(ROOTS)
    while open_names:
        name = open_names.pop()
        kept[name] = bare(schemas[name])
        open_names |= named(kept[name]) - kept.keys()
    return dict(sorted(kept.items()))


def main() -> None:
    """Read the clone, write the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.published.reduce")
    parser.add_argument("clone", type=Path)
    clone: Path = parser.parse_args().clone
    command = ["git", "-C", str(clone), "rev-parse", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    published = json.loads((clone / "openapi.json").read_bytes())
    made = {
        "source": "https://github.com/openai/openai-openapi openapi.json",
        "commit": commit,
        "version": published["info"]["version"],
        "licence": "MIT, Copyright (c) OpenAI (https://openai.com)",
        "components": {"schemas": reduced(published["components"]["schemas"])},
    }
    KEPT.write_text(json.dumps(made, indent=1, sort_keys=False) + "\n")
    print(f"{KEPT}: {len(made['components']['schemas'])} schemas, {KEPT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
