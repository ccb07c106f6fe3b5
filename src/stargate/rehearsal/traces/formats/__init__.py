"""One reader for each published format. `FORMATS` lists them, the most particular first."""

from stargate.rehearsal.traces.format import Format
from stargate.rehearsal.traces.formats import (
    acme,
    azure,
    burstgpt,
    gavel,
    helios,
    mooncake,
    openb,
    pai,
    philly,
    servegen,
    swf,
)

__all__ = ["FORMATS"]

FORMATS: tuple[Format, ...] = (
    acme.FORMAT,
    helios.FORMAT,
    philly.LOG,
    philly.TABLE,
    openb.FORMAT,
    azure.FORMAT,
    burstgpt.FORMAT,
    mooncake.FORMAT,
    servegen.FORMAT,
    pai.FORMAT,
    gavel.FORMAT,
    swf.FORMAT,
)
