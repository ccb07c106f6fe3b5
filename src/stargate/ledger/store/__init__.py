"""Where the ledger's records lie: SQLite by default, PostgreSQL by a URL; the same statements run on both."""

from stargate.ledger.store.database import Database
from stargate.ledger.store.open import open_store
from stargate.ledger.store.reading import Terms
from stargate.ledger.store.store import Store
from stargate.ledger.store.writing import Refused, Taken, Writing

__all__ = ["Database", "Refused", "Store", "Taken", "Terms", "Writing", "open_store"]
