"""The error tree, with whose fault each is and the HTTP status it becomes."""

from __future__ import annotations

import inspect

from docs._ext.reference.markdown import code, table
from stargate.base import errors


def classes() -> list[type[errors.StargateError]]:
    """Every error class of the tree, parents before children."""
    found: list[type[errors.StargateError]] = []
    waiting: list[type[errors.StargateError]] = [errors.StargateError]
    while waiting:
        kind = waiting.pop(0)
        found.append(kind)
        own = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
        waiting[0:0] = own
    return found


def tree() -> str:
    """The drawing at the top of `base/errors.py`, and a table."""
    drawing = inspect.cleandoc(errors.__doc__ or "").partition("\n\n")[2]
    rows = [(f"`{kind.__name__}`", str(kind.http_status), kind.__doc__ or "") for kind in classes()]
    return f"{code(drawing)}\n\n{table(('error', 'HTTP status', 'meaning'), rows)}"
