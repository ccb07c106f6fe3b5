"""The PostgreSQL server of the ledger's tests."""

from __future__ import annotations

from tests.ledger.conftest import cluster

__all__ = ["cluster"]
