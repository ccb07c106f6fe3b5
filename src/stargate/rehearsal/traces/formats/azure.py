"""Azure's LLM inference traces: an hour of 2023 (Splitwise), a week of 2024 (DynamoLLM), and 2025 (ModServe).

TIMESTAMP, ContextTokens, GeneratedTokens; 2025 also NumImages, which is not read. 2023 was read from the real
file; of 2024 (times with a zone, `2024-05-10 00:00:00.009930+00:00`) and 2025 the publisher's pages were seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from stargate.rehearsal.traces.cell import moment, tokens
from stargate.rehearsal.traces.format import Format, Options, has_columns
from stargate.rehearsal.traces.request import Request
from stargate.rehearsal.traces.row import Row, fitting, rows
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Request]:
    """The requests in the file's order."""
    return fitting(rows(source, skipped), _request, skipped)


def _request(line: int, row: Row) -> Request:
    return Request(
        at_seconds=moment(row["TIMESTAMP"], "the time"),
        input_tokens=tokens(row["ContextTokens"], "the number of context tokens"),
        output_tokens=tokens(row["GeneratedTokens"], "the number of generated tokens"),
    )


FORMAT = Format(
    name="azure-llm",
    about="Azure LLM inference (Azure/AzurePublicDataset: AzureLLMInferenceTrace_*.csv)",
    expects="the columns TIMESTAMP, ContextTokens and GeneratedTokens",
    files=r"AzureL[LM]MInferenceTrace_.*\.csv",
    fits=has_columns("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    read=read,
    gives="requests",
    relative=False,
)
