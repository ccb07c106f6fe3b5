"""What came of a rehearsal: figures from its facts as they are played, tables, and one page to read.

The collector and its records, the CSV files, the page and the comparison of two runs live here. What happened is the
journal's; what happens is decided by the broker.
"""
