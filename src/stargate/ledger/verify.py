"""Verification: every balance and line rebuilt from entries, every block and every month's root from what it covers.

Nothing is believed but the rows themselves, and each that does not fit is named. What nobody can see from the file
alone is a whole history that was written anew: note the head elsewhere, and give it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from io import BytesIO
from itertools import chain, islice

import msgspec

from stargate.base.time import HOUR
from stargate.ledger.focus.foreign import Foreign
from stargate.ledger.reckon import RATED
from stargate.ledger.record.entry import accounts_of
from stargate.ledger.record.imported import Imported, Sum
from stargate.ledger.root import root_of
from stargate.ledger.store.audit import Audit, LineSeen
from stargate.ledger.store.chain import COVERED, Position, said, sealed
from stargate.ledger.store.names import digest_of
from stargate.ledger.tell import Tell, quiet, told

FAULTS_LIMIT = 1_000
"""Named at once."""
BLOCKS_AT_ONCE = 100
"""Between two words."""


class Fault(msgspec.Struct, frozen=True):
    """A row that does not fit."""

    where: str
    """As `usage event 12`, `line 7`, `block 3`."""
    says: str

    def __str__(self) -> str:
        return f"{self.where}: {self.says}"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found."""

    head: str
    """`BLOCK:HASH`: worth noting elsewhere."""
    usage: int
    entries: int
    closed: int
    """Months."""
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return not self.faults


def verify(audit: Audit, head: str = "", tell: Tell = quiet) -> Verified:
    """Check a whole ledger, within one view of it. `tell` hears what is being looked at, and how far that is.

    `head` is one that was noted before: its block must still be there.
    """
    with audit.snapshot():
        blocks = list(audit.blocks())
        last = blocks[-1] if blocks else Position()
        found = tuple(islice(_faults(audit, blocks, head, tell), FAULTS_LIMIT))
        closed = sum(month.status == "closed" for month in audit.months())
        return Verified(
            head=_named(last), usage=last.usage_seq, entries=last.entry_seq, closed=closed, faults=found
        )


def _named(block: Position) -> str:
    return f"{block.block}:{block.hash.hex()}"


def _faults(audit: Audit, blocks: list[Position], head: str, tell: Tell) -> Iterator[Fault]:
    if head and head not in map(_named, blocks):
        yield Fault(
            f"block {head.partition(':')[0]}", "it is not the one that was noted: history was written anew"
        )
    whole: list[Imported] = []
    for what, faults in (
        ("usage", _usage(audit, tell)),
        ("terms", _terms(audit)),
        ("lines", _lines(audit, tell)),
        ("balances", _balances(audit)),
        ("months", _months(audit, tell)),
        ("imported files", _files(audit, whole, tell)),
        ("imported sums", _sums(audit, whole, tell)),
        ("marks", _marks(audit)),
        ("blocks", _blocks(audit, blocks, tell)),
    ):
        tell(what, 0, 0)
        try:
            yield from faults
        except (ValueError, ArithmeticError, TypeError) as error:
            yield Fault(what, f"what lies there cannot be read: {error}")


def _usage(audit: Audit, tell: Tell) -> Iterator[Fault]:
    seen = told(audit.usage_seen(), tell, "usage", audit.position().usage_seq)
    for seq, fingerprint, stream, event in seen:
        if isinstance(event, str):
            yield Fault(f"usage event {seq}", event)
        elif event.fingerprint() != fingerprint:
            yield Fault(f"usage event {seq}", f"{event.key} of {event.source} does not say what it said")
        elif digest_of(event.stream) != stream:
            yield Fault(f"usage event {seq}", "its stream goes by another name than it is")


def _terms(audit: Audit) -> Iterator[Fault]:
    for seq, digest, body in audit.terms_seen():
        if digest_of(body) != digest:
            yield Fault(f"terms {seq}", "they do not say what they said")


def _lines(audit: Audit, tell: Tell) -> Iterator[Fault]:
    for line in told(audit.lines_seen(), tell, "lines"):
        says = _wrong(line)
        if says:
            yield Fault(f"line {line.number}", says)
    for seq in audit.strays():
        yield Fault(f"entry {seq}", "its line is not there")


def _wrong(line: LineSeen) -> str:
    if isinstance(line.key, str):
        return line.key
    if line.key.id != line.id:
        return "it is for another thing than its name says"
    if digest_of(line.key.subject) != line.subject:
        return "what it is for goes by another name than it is"
    if line.stands != line.sums:
        return f"it stands at {line.stands} (counted, posted, entries), and its entries come to {line.sums}"
    if not line.numbered:
        return "its entries are not its first, second and so on"
    if line.accounts != accounts_of(line.key):
        return f"its entries move {line.accounts}, not {accounts_of(line.key)}"
    return ""


def _balances(audit: Audit) -> Iterator[Fault]:
    for account, month, stands, posted in audit.balances_seen():
        if stands is None or (stands != (posted or 0)):
            yield Fault(
                f"balance of account {account} in {month}", f"it says {stands}, and postings come to {posted}"
            )


def _months(audit: Audit, tell: Tell) -> Iterator[Fault]:
    months = audit.months()
    for done, month in enumerate(months):
        tell("months", done, len(months))
        if (
            month.status == "closed"
            and root_of(audit, month.name, month.entry_seq, month.usage_seq) != month.root
        ):
            yield Fault(f"month {month.name}", "its root is not that of its lines and their usage")


def _files(audit: Audit, whole: list[Imported], tell: Tell) -> Iterator[Fault]:
    """Bills of others; those that say what they said are added to `whole`."""
    for file in audit.imported():
        state = blake2b(file.head, digest_size=len(file.digest))
        seen = told(audit.imported_seen(file.number), tell, f"imported file {file.number}", file.rows)
        yield from _records(seen, file, state.update)
        if state.digest() == file.digest:
            whole.append(file)
        else:
            yield Fault(f"imported file {file.number}", f"{file.name} does not say what it said")
    for table in ("imported_record", "imported_sum"):
        for number in audit.orphans(table):
            yield Fault(f"{table.replace('_', ' ')} of file {number}", "there is no such file")


def _records(
    seen: Iterator[tuple[int, bytes, bytes]], file: Imported, hear: Callable[[bytes], None]
) -> Iterator[Fault]:
    """Records of a file that were changed, added or removed; `hear` is told what those say that belong there."""
    due = 1
    for number, digest, body in seen:
        where = f"imported record {file.number}/{number}"
        if not 1 <= number <= file.rows:
            yield Fault(where, f"it was added: {file.name} has {file.rows:,} records")
            continue
        if number > due:
            yield _gone(file, due, number - 1)
        if digest_of(body) != digest:
            yield Fault(where, "it does not say what it said")
        hear(body)
        due = number + 1
    if due <= file.rows:
        yield _gone(file, due, file.rows)


def _gone(file: Imported, first: int, last: int) -> Fault:
    more = f" to {last}" if last > first else ""
    return Fault(f"imported record {file.number}/{first}{more}", "not there any more")


def _sums(audit: Audit, whole: list[Imported], tell: Tell) -> Iterator[Fault]:
    """What is said that files come to, beside what their records come to, added up again."""
    stand: dict[int, dict[tuple[str, str, str], Sum]] = {}
    for number, one in audit.imported_sums():
        stand.setdefault(number, {})[one[:3]] = one
    for file in whole:
        bodies = chain((file.head,), audit.imported_records(file.number))
        foreign = Foreign((line for body in bodies for line in BytesIO(body)), file.name)
        for _ in told(foreign.records(), tell, f"sums of imported file {file.number}", file.rows):
            """They are added up as they pass."""
        due, given = {one[:3]: one for one in foreign.sums()}, stand.get(file.number, {})
        for of in sorted({*given, *due}):
            stands, comes = _come_to(given.get(of)), _come_to(due.get(of))
            if stands != comes:
                where = f"imported sum {file.number}/{'/'.join(of)}"
                yield Fault(where, f"it says {stands}, and records come to {comes}")


def _come_to(one: Sum | None) -> str:
    return f"{one.billed:f} billed, {one.effective:f} effective in {one.rows:,} records" if one else "nothing"


def _marks(audit: Audit) -> Iterator[Fault]:
    now = audit.position()
    for name, seq, body in audit.marks():
        if name == RATED:
            fits = 0 <= seq <= now.usage_seq and (not body or int(body) <= now.terms_seq)
        else:
            fits = seq >= 0 and not seq % HOUR
        if not fits:
            yield Fault(f"progress {name}", f"{seq} ({body or 'no note'}) cannot be")


def _blocks(audit: Audit, blocks: list[Position], tell: Tell) -> Iterator[Fault]:
    before = Position()
    for done, block in enumerate(blocks):
        if not done % BLOCKS_AT_ONCE:
            tell("blocks", done, len(blocks))
        if block.block != before.block + 1 or any(
            now < then for now, then in zip(block[1:4], before[1:4], strict=True)
        ):
            yield Fault(f"block {block.block}", f"it does not come after block {before.block}")
        if (
            sealed(before._replace(block=block.block - 1), block, _covered(audit, before, block))[-1]
            != block.hash
        ):
            yield Fault(f"block {block.block}", f"what it covers was changed: {_spans(before, block)}")
        before = block
    spans = {"usage_event": before.usage_seq, "terms": before.terms_seq, "entry": before.entry_seq}
    for table in COVERED:
        for row in audit.uncovered(table, spans.get(table, before.block)):
            yield Fault(f"{table} {row}", "no block covers it")


def _covered(audit: Audit, before: Position, block: Position) -> Iterator[bytes]:
    spans = {
        "usage_event": (before.usage_seq, block.usage_seq),
        "terms": (before.terms_seq, block.terms_seq),
        "entry": (before.entry_seq, block.entry_seq),
    }
    for table in COVERED:
        after, upto = spans.get(table, (block.block - 1, block.block))
        if after < upto:
            for row, name in audit.covered(table, after, upto):
                yield said(row, name)


def _spans(before: Position, block: Position) -> str:
    parts = [
        f"{what} {then + 1:,} to {now:,}"
        for what, then, now in zip(("usage", "terms", "entries"), before[1:4], block[1:4], strict=True)
        if now > then
    ]
    return "; ".join(parts) or "a month, a file, or its own numbers"
