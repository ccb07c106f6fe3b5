"""Shared words: time, money, ids, errors, wire formats, strict documents.

Everything else in the house stands on this. Nothing here knows what a provider is, reads a clock,
or does I/O beyond reading a document that it is handed.
"""
