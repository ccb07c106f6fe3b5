"""The same rehearsal many times: over seeds and parameters, in parallel, with what comes of each point.

Grids, overrides, the processes or the Ray cluster they run on, and the table of results live here. One rehearsal is
the business of `stargate.rehearsal` itself.
"""
