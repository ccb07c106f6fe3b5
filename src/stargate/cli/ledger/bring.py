"""`stargate ledger import`: bills of other providers, kept as they are written."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import click

from stargate.base.errors import UserError
from stargate.cli.ledger.options import ledger_option, now, opened
from stargate.cli.ledger.progress import progress
from stargate.cli.output import count, json_option, print_json, table
from stargate.ledger.tell import Tell, told

PACKED = b"\x1f\x8b"
"""How gzip begins."""


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@ledger_option
@json_option
def command(files: tuple[Path, ...], ledger: str | None, data: Path, as_json: bool) -> None:
    """Import FOCUS files of other providers, versions 1.0 to 1.4, CSV or CSV packed by gzip.

    Each file counts once, whatever its name. Its figures are never changed: `stargate ledger costs` adds them up
    beside the ledger's own, and `stargate ledger export --imported` writes the file again.
    """
    from stargate.ledger.focus.bring import bring

    with opened(ledger, data, readonly=False) as store, progress(shown=not as_json) as tell:
        found = [bring(store, path.name, _lines(path, tell), now()) for path in files]
    items = [
        {
            "file": str(path),
            "number": one.file.number,
            "new": one.new,
            "dataset": one.file.dataset,
            "version": one.file.version,
            "rows": one.file.rows,
            "digest": one.file.digest.hex(),
        }
        for path, one in zip(files, found, strict=True)
    ]
    if as_json:
        print_json({"items": items})
        return
    rows = [
        (item["number"], item["file"], item["dataset"], item["version"], item["rows"], item["new"])
        for item in items
    ]
    click.echo(table(("NUMBER", "FILE", "DATASET", "FOCUS", "ROWS", "NEW"), rows))
    known = sum(not one.new for one in found)
    if known:
        click.echo(f"{count(known, 'file')} had been imported before", err=True)


def _lines(path: Path, tell: Tell) -> Callable[[], AbstractContextManager[Iterable[bytes]]]:
    """A file's lines, unpacked, as often as they are asked for."""

    @contextlib.contextmanager
    def read() -> Iterator[Iterable[bytes]]:
        with path.open("rb") as stream:
            packed = stream.read(len(PACKED)) == PACKED
            stream.seek(0)
            try:
                yield told(gzip.GzipFile(fileobj=stream) if packed else stream, tell, f"reading {path}")
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise UserError(f"{path} cannot be unpacked: {error}", "Fetch the file again.") from error

    return read
