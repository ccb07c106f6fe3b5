"""The tables, as numbered steps: an older ledger is brought up to date when it is opened.

{key} is the database's word for a numbered primary key, {int} for a 64-bit integer, {bytes} for bytes, {text} for
text that sorts by its bytes, and {strict} what makes it refuse values of another type. A number that names a row of
another table is not declared as its foreign key: that more than halves what PostgreSQL takes in, and the chain covers
such rows with the names themselves.
"""

from __future__ import annotations

from stargate.base.errors import LedgerError

APPLICATION_ID = 0x5354474C
"""`STGL`: a database shows what it is."""

STEPS: tuple[tuple[str, ...], ...] = (
    (
        # Usage names a stream, so that what is alike is written once.
        """CREATE TABLE stream (
            id {key},
            digest {bytes} NOT NULL UNIQUE,
            metric {text} NOT NULL,
            party {text} NOT NULL,
            provider {text} NOT NULL,
            quoted_usd {text},
            attributes {text} NOT NULL
        ){strict}""",
        "CREATE TABLE source (id {key}, name {text} NOT NULL UNIQUE){strict}",
        """CREATE TABLE usage_event (
            seq {key},
            source {int} NOT NULL,
            event {text} NOT NULL,
            fingerprint {bytes} NOT NULL,
            stream {int} NOT NULL,
            micro {int} NOT NULL,
            start_us {int} NOT NULL,
            end_us {int},
            corrects {text} NOT NULL,
            recorded_us {int} NOT NULL,
            UNIQUE (source, event)
        ){strict}""",
        "CREATE INDEX usage_event_by_start ON usage_event (start_us)",
        # What was promised, and facts of the world: as they came on record.
        """CREATE TABLE terms (
            seq {key},
            kind {text} NOT NULL CHECK (kind IN ('agreements', 'fact', 'budget')),
            digest {bytes} NOT NULL,
            recorded_us {int} NOT NULL,
            body {bytes} NOT NULL
        ){strict}""",
        # What a line is for, apart from its span: many lines share it.
        """CREATE TABLE subject (
            id {key},
            digest {bytes} NOT NULL UNIQUE,
            kind {text} NOT NULL,
            payer {text} NOT NULL,
            payee {text} NOT NULL,
            month {text} NOT NULL,
            clause {text} NOT NULL,
            unit {text} NOT NULL,
            metric {text} NOT NULL,
            price_usd {text},
            quoted_usd {text},
            portion {text} NOT NULL,
            attributes {text} NOT NULL
        ){strict}""",
        "CREATE INDEX subject_by_month ON subject (month)",
        # A projection of the entries: what each line stands at.
        """CREATE TABLE standing (
            number {key},
            id {bytes} NOT NULL UNIQUE,
            subject {int} NOT NULL,
            start_us {int} NOT NULL,
            end_us {int} NOT NULL,
            micro {int} NOT NULL,
            posted_micro {int} NOT NULL,
            entries {int} NOT NULL
        ){strict}""",
        "CREATE INDEX standing_by_subject ON standing (subject)",
        """CREATE VIEW line AS SELECT
            s.number, s.id, s.subject, subject.kind, subject.payer, subject.payee, subject.month, s.start_us, s.end_us,
            subject.clause, subject.unit, subject.metric, subject.price_usd, subject.quoted_usd, subject.portion,
            subject.attributes, s.micro, s.posted_micro, s.entries
            FROM standing AS s JOIN subject ON subject.id = s.subject""",
        "CREATE TABLE account (id {key}, path {text} NOT NULL UNIQUE){strict}",
        # What the payer owes more, the payee is owed more: one row moves both accounts, so that they sum to zero.
        """CREATE TABLE entry (
            seq {key},
            line {int} NOT NULL,
            nth {int} NOT NULL,
            account {int} NOT NULL,
            contra {int} NOT NULL,
            amount {int} NOT NULL,
            micro {int} NOT NULL,
            month {text} NOT NULL,
            recorded_us {int} NOT NULL,
            usage_seq {int} NOT NULL,
            says {text} NOT NULL,
            text_ref {text} NOT NULL,
            due_us {int},
            corrects {int},
            UNIQUE (line, nth)
        ){strict}""",
        "CREATE INDEX entry_by_month ON entry (month)",
        """CREATE VIEW posting (entry, side, account, amount) AS
            SELECT seq, 0, account, amount FROM entry UNION ALL SELECT seq, 1, contra, -amount FROM entry""",
        """CREATE TABLE balance (
            account {int} NOT NULL,
            month {text} NOT NULL,
            amount {int} NOT NULL,
            PRIMARY KEY (account, month)
        ){strict_rowless}""",
        # A month closes in two steps, each of them a row.
        """CREATE TABLE month (
            name {text} NOT NULL,
            status {text} NOT NULL CHECK (status IN ('closing', 'closed')),
            block {int} NOT NULL,
            closed_us {int},
            entry_seq {int} NOT NULL,
            usage_seq {int} NOT NULL,
            terms_seq {int} NOT NULL,
            root {bytes} NOT NULL,
            PRIMARY KEY (name, status)
        ){strict}""",
        # How far usage has been rated. Moves in the transaction that posts.
        "CREATE TABLE progress (name {text} NOT NULL PRIMARY KEY, seq {int} NOT NULL, body {text} NOT NULL){strict}",
        # The chain: a transaction ends with a block over what it wrote, and has more where it wrote much.
        """CREATE TABLE block (
            seq {key},
            usage_seq {int} NOT NULL,
            terms_seq {int} NOT NULL,
            entry_seq {int} NOT NULL,
            hash {bytes} NOT NULL
        ){strict}""",
    ),
    (
        # Bills of other providers: each file once, its records as they are written, and what they come to.
        """CREATE TABLE imported_file (
            seq {key},
            block {int} NOT NULL,
            digest {bytes} NOT NULL UNIQUE,
            name {text} NOT NULL,
            dataset {text} NOT NULL,
            version {text} NOT NULL,
            head {bytes} NOT NULL,
            records {int} NOT NULL,
            recorded_us {int} NOT NULL
        ){strict}""",
        """CREATE TABLE imported_record (
            file {int} NOT NULL,
            number {int} NOT NULL,
            digest {bytes} NOT NULL,
            body {bytes} NOT NULL,
            PRIMARY KEY (file, number)
        ){strict_rowless}""",
        """CREATE TABLE imported_sum (
            file {int} NOT NULL,
            provider {text} NOT NULL,
            month {text} NOT NULL,
            currency {text} NOT NULL,
            records {int} NOT NULL,
            billed {text} NOT NULL,
            effective {text} NOT NULL,
            PRIMARY KEY (file, provider, month, currency)
        ){strict_rowless}""",
    ),
)

KEPT = (
    "usage_event", "terms", "entry", "month", "block", "stream", "source", "account", "subject",
    "imported_file", "imported_record", "imported_sum",
)  # fmt: skip
"""Tables whose rows are never changed or removed: the database itself refuses."""


def demand_readable(name: str, version: int, *, readonly: bool) -> None:
    """Refuse a ledger of a format that this program cannot read. Raises LedgerError."""
    if version > len(STEPS):
        raise LedgerError(
            f"the ledger {name} has format {version}; this program reads up to {len(STEPS)}",
            "Use the newer Stargate that wrote it.",
        )
    if readonly and version < len(STEPS):
        raise LedgerError(
            f"the ledger {name} has format {version}; this program reads {len(STEPS)}",
            "Start the server that writes it: it brings the ledger up to date.",
        )
