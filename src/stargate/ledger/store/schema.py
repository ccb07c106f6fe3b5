"""The tables, as numbered steps: an older ledger is brought up to date when it is opened.

{key} is the database's word for a numbered primary key, {int} for a 64-bit integer, {bytes} for bytes, and
{strict} what makes it refuse values of another type.
"""

from __future__ import annotations

APPLICATION_ID = 0x5354474C
"""`STGL`: SQLite's application_id, so that a file shows what it is."""

STEPS: tuple[tuple[str, ...], ...] = (
    (
        # Usage names a stream, so that what is alike is written once.
        """CREATE TABLE stream (
            id {key},
            digest {bytes} NOT NULL UNIQUE,
            metric TEXT NOT NULL,
            party TEXT NOT NULL,
            provider TEXT NOT NULL,
            quoted_usd TEXT,
            attributes TEXT NOT NULL
        ){strict}""",
        "CREATE TABLE source (id {key}, name TEXT NOT NULL UNIQUE){strict}",
        """CREATE TABLE usage_event (
            seq {key},
            source {int} NOT NULL REFERENCES source (id),
            event TEXT NOT NULL,
            fingerprint {bytes} NOT NULL,
            stream {int} NOT NULL REFERENCES stream (id),
            micro {int} NOT NULL,
            start_us {int} NOT NULL,
            end_us {int},
            corrects TEXT NOT NULL,
            recorded_us {int} NOT NULL,
            UNIQUE (source, event)
        ){strict}""",
        "CREATE INDEX usage_event_by_start ON usage_event (start_us)",
        # What was promised, and facts of the world: as they came on record.
        """CREATE TABLE terms (
            seq {key},
            kind TEXT NOT NULL CHECK (kind IN ('agreements', 'fact', 'budget')),
            digest {bytes} NOT NULL,
            recorded_us {int} NOT NULL,
            body {bytes} NOT NULL
        ){strict}""",
        # A projection of the entries: what each line stands at.
        """CREATE TABLE line (
            number {key},
            id {bytes} NOT NULL UNIQUE,
            month TEXT NOT NULL,
            kind TEXT NOT NULL,
            payer TEXT NOT NULL,
            payee TEXT NOT NULL,
            start_us {int} NOT NULL,
            end_us {int} NOT NULL,
            clause TEXT NOT NULL,
            unit TEXT NOT NULL,
            metric TEXT NOT NULL,
            price_usd TEXT,
            quoted_usd TEXT,
            portion TEXT NOT NULL,
            attributes TEXT NOT NULL,
            micro {int} NOT NULL,
            posted_micro {int} NOT NULL,
            entries {int} NOT NULL
        ){strict}""",
        "CREATE INDEX line_by_month ON line (month, payer, payee)",
        """CREATE TABLE entry (
            seq {key},
            id {bytes} NOT NULL UNIQUE,
            line {int} NOT NULL REFERENCES line (number),
            amount {int} NOT NULL,
            micro {int} NOT NULL,
            month TEXT NOT NULL,
            recorded_us {int} NOT NULL,
            usage_seq {int} NOT NULL,
            says TEXT NOT NULL,
            text_ref TEXT NOT NULL,
            due_us {int},
            corrects {int}
        ){strict}""",
        "CREATE INDEX entry_by_month ON entry (month)",
        "CREATE INDEX entry_by_line ON entry (line)",
        "CREATE TABLE account (id {key}, path TEXT NOT NULL UNIQUE){strict}",
        """CREATE TABLE posting (
            entry {int} NOT NULL REFERENCES entry (seq),
            side {int} NOT NULL,
            account {int} NOT NULL REFERENCES account (id),
            amount {int} NOT NULL,
            PRIMARY KEY (entry, side)
        ){strict_rowless}""",
        """CREATE TABLE balance (
            account {int} NOT NULL REFERENCES account (id),
            month TEXT NOT NULL,
            amount {int} NOT NULL,
            PRIMARY KEY (account, month)
        ){strict_rowless}""",
        """CREATE TABLE month (
            name TEXT NOT NULL PRIMARY KEY,
            status TEXT NOT NULL CHECK (status IN ('closing', 'closed')),
            closed_us {int},
            entry_seq {int} NOT NULL,
            usage_seq {int} NOT NULL,
            terms_seq {int} NOT NULL,
            root {bytes} NOT NULL
        ){strict}""",
        # How far usage has been rated. Moves in the transaction that posts.
        "CREATE TABLE progress (name TEXT NOT NULL PRIMARY KEY, seq {int} NOT NULL, body TEXT NOT NULL){strict}",
        # The chain: one block for each transaction, over all that it wrote.
        """CREATE TABLE block (
            seq {key},
            usage_seq {int} NOT NULL,
            terms_seq {int} NOT NULL,
            entry_seq {int} NOT NULL,
            hash {bytes} NOT NULL
        ){strict}""",
    ),
)

KEPT = ("usage_event", "terms", "entry", "posting", "block", "stream", "source", "account")
"""Tables whose rows are never changed or removed: the database itself refuses."""
