"""The training job of the demo: a small language model, trained data-parallel by real processes, in numpy.

`python -m stargate.demo.train` is one rank of it. It stands for the program that a user brings: it knows nothing of
Stargate but the environment variables that every job is given, and takes nothing from it but its errors' ancestors.

The result depends on the seed and the number of steps alone. Interruptions, resumptions on other providers and the
number of ranks (up to `gang.SHARDS`) do not change a single bit of it.
"""
