"""What work **needs**: memory, step time, throughput, goodput, cost and energy of a model on a chip and fabric.

Formulas, their calibration and the models people publish live here; what exists (`catalog`) and who
may use it (`agreements`) do not. Nothing here reads a clock, a file of yours, or the network.

`models` says what is computed, `training` and `inference` how long one step or iteration takes, `runs` and `replicas`
what becomes of it over weeks and under traffic, `calibration` how the constants are fitted.
"""
