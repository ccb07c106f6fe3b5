"""Batches: files of requests, run as workloads, and the files of their answers.

What OpenAI's clients know as `/v1/files` and `/v1/batches` is kept here: in a folder of its own, each file and each
batch a key's, bounded in number, size and age. Who asks for the lines is the runner, in `stargate.gateway.batch`; where
it runs is the broker's to say; what the calls cost is counted by the gateways that they go through, as all calls are.
"""

from stargate.server.batches.batches import Batches
from stargate.server.batches.course import Course
from stargate.server.batches.record import Batch, File

__all__ = ["Batch", "Batches", "Course", "File"]
