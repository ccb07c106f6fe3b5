"""Strict YAML documents: every fault is named with file, line, field path and remedy.

Numbers with a point become Decimal, never float; dates stay text until a typed field reads them;
duplicate keys and unknown fields are errors; aliases, size and depth are bounded.
"""
