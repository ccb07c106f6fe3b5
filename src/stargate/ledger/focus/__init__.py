"""FOCUS, the FinOps Open Cost and Usage Specification: the ledger's months as its four datasets, and its files read in.

What leaves is reckoned from entries that are booked, and adds up to them. What comes in from other providers is kept
as it is written, and shown beside ours.
"""
