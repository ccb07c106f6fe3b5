"""Limits over several hosts: a table of what each host was given and still counts, in SQLite or in PostgreSQL."""

from stargate.gateway.lending.book import Book, SqliteBook

__all__ = ["Book", "SqliteBook"]
