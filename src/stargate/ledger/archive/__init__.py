"""Closed months as Parquet files: written once, read by DuckDB, and by anything else that reads Parquet.

An archive is the record up to the last month that it holds, month by month: each adds the usage, the entries and the
terms that came on record with its close. It answers what a ledger's store answers of them, with the same figures;
nothing can be written to it but further months.
"""

from stargate.ledger.archive.archive import Archive
from stargate.ledger.archive.manifest import Closing, File, Manifest
from stargate.ledger.archive.write import extend

__all__ = ["Archive", "Closing", "File", "Manifest", "extend"]
