"""An archive as a store to read: the same questions as of a ledger, and the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stargate.base.errors import LedgerError
from stargate.ledger.archive.duck import DuckDatabase
from stargate.ledger.archive.manifest import File, Manifest, digest_of, read
from stargate.ledger.root import root_of
from stargate.ledger.store import Store
from stargate.ledger.store.copying import COPIED

_LINE = (
    "SELECT e.number, e.id, e.subject, s.kind, s.payer, s.payee, s.month, e.start_us, e.end_us, s.clause, s.unit,"
    " s.metric, s.price_usd, s.quoted_usd, s.portion, s.attributes, e.micro, e.posted_micro, e.entries"
    " FROM (SELECT line AS number, any_value(line_id) AS id, any_value(subject) AS subject,"
    " any_value(start_us) AS start_us, any_value(end_us) AS end_us, sum(micro) AS micro, sum(amount) AS posted_micro,"
    " count(*) AS entries FROM entry GROUP BY line) AS e JOIN subject AS s ON s.id = e.subject"
)
"""Lines as they stood when the last month closed."""


class Archive(Store):
    """The archive in a folder. Raises NotFoundError where there is none, LedgerError where it is not whole."""

    MOVED = "entry"
    CHARGED = "(SELECT subject, start_us, end_us, micro, amount AS posted_micro FROM entry)"

    POSTED = "entry AS e JOIN subject AS line ON line.id = e.subject"
    LINE_ID = "e.line_id"

    def __init__(self, folder: Path) -> None:
        self.manifest = read(folder)
        self._folder = folder
        database = DuckDatabase(folder)
        super().__init__(database)
        for table in COPIED:
            database.view(table, _query(folder, table, self.manifest))
        database.view("month", _months(self.manifest))
        database.view("line", _LINE)

    def faults(self) -> Iterator[str]:
        """What is wrong with it: files that are not what was written, months that do not come to their roots."""
        damaged = [said for one in self.manifest.closings for said in map(self._fault, one.files) if said]
        yield from damaged
        if damaged:
            return
        for one in self.manifest.closings:
            found = root_of(self, one.month, one.upto["entry"], one.upto["usage_event"]).hex()
            if found != one.root:
                yield f"{one.month}: its lines and usage come to the root {found}, not {one.root}"

    def _fault(self, file: File) -> str:
        try:
            found = digest_of(self._folder / file.path)
        except OSError as error:
            return f"{file.path}: {error.strerror}"
        return "" if found == file.sha256 else f"{file.path}: it is not what was written"


def _query(folder: Path, table: str, manifest: Manifest) -> str:
    """A table's rows, from all its files."""
    files = [file for one in manifest.closings for file in one.files if file.table == table]
    for file in files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            raise LedgerError(
                f"{path} is missing or not as long as it was written",
                "Take it from a copy of the archive, or write the archive anew.",
            )
    if not files:
        raise LedgerError(f"the archive {folder} holds no month", "Close a month, and write it again.")
    listed = ", ".join("'" + str(folder / file.path).replace("'", "''") + "'" for file in files)
    return f"SELECT {', '.join(COPIED[table])} FROM read_parquet([{listed}])"


def _months(manifest: Manifest) -> str:
    rows = (
        f"('{one.month}', 'closed', {one.upto['block']}, {int(one.closed_at)}, {one.upto['entry']},"
        f" {one.upto['usage_event']}, {one.upto['terms']}, unhex('{one.root}'))"
        for one in manifest.closings
    )
    columns = "name, status, block, closed_us, entry_seq, usage_seq, terms_seq, root"
    return f"SELECT * FROM (VALUES {', '.join(rows)}) AS m({columns})"
