"""Serving a model: the time of one iteration, latencies under load, throughput, memory, and the layouts of both.

Formulas are written once for one configuration and for columns of them (`number.Space`). Queueing across replicas
and their number for a traffic live in `replicas`; what was measured and how it is fitted, in `calibration`.
"""
