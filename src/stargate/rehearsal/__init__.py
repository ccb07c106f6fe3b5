"""**Practise**: the same broker under a simulated clock, on public traces, with faults, to a million chips.

Traces, clock, engine models, faults, scenarios, reports and the swarm live here. What decides is the broker
itself, unchanged; live engines and servers do not live here.
"""
