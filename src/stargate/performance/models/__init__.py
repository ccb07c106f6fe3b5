"""Models: their dimensions, the numbers that formulas read, the published ones by name, and others' descriptions."""
