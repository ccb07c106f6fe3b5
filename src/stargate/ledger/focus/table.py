"""CSV as it is written, and as it is read: rows of text, and nothing about what they mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

LINES_AT_ONCE = 1_000


def written(header: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Iterator[bytes]:
    """Lines of CSV in portions: the header, and each row in its order; what a row lacks is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for number, row in enumerate(rows, 1):
        writer.writerow([row.get(name, "") for name in header])
        if number % LINES_AT_ONCE == 0:
            yield stream.getvalue().encode()
            stream.seek(0)
            stream.truncate()
    yield stream.getvalue().encode()
