"""Small files to rehearse."""

from __future__ import annotations

from pathlib import Path

TRACE = """; MaxProcs: 8
1 0 -1 100 6 -1 -1 6 100 -1 1 1 1 -1 1 -1 -1 -1
2 10 -1 100 6 -1 -1 6 100 -1 1 1 1 -1 1 -1 -1 -1
3 20 -1 50 2 -1 -1 2 50 -1 1 1 1 -1 1 -1 -1 -1
"""
SCENARIO = """
scenario:
  name: tiny
  start: 2026-01-05
  horizon: 2d
  seed: 3
  demand:
  - {name: t, trace: jobs.swf}
  engines: [{start: {median: 1m, sigma: 1}}]
  faults:
  - {fault: outage, name: storm, scope: pool, id: home, at: 2026-01-05T00:10:00Z, lasts: 1h}
---
parties: [{id: lab}]
providers: [{id: own, party: lab}]
sites: [{id: here, jurisdiction: US}]
pools:
- id: home
  provider: own
  site: here
  chip: H100-SXM
  chips_per_node: 2
  tenure: owned
  nodes: [{from: 2025-01-01, nodes: 4}]
---
policy: {lab: lab}
"""
SWEEP = """
sweep:
  scenario: tiny.yaml
  seeds: [1, 2]
  set:
    policy.backfill: [easy, none]
"""


def lay(folder: Path) -> Path:
    """A trace, a scenario that reads it, a sweep of that."""
    (folder / "jobs.swf").write_text(TRACE)
    (folder / "tiny.yaml").write_text(SCENARIO)
    (folder / "sweep.yaml").write_text(SWEEP)
    return folder
