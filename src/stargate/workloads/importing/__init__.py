"""Files of other systems to workloads: sbatch scripts, dstack tasks and services, SkyPilot tasks.

What has no counterpart here is carried in `engine_options`, or named in the notes of the result; nothing
is dropped without a word. Nothing here runs what it reads.
"""

from stargate.workloads.importing.imported import Imported, KnownChip
from stargate.workloads.importing.recognise import import_text

__all__ = ["Imported", "KnownChip", "import_text"]
