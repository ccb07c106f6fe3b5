"""What people write in YAML, as the plain JSON that the server takes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def for_http(value: Any) -> Any:
    """The same with exact decimals as text: JSON numbers would be read as floating point on the way."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: for_http(item) for key, item in value.items()}
    if isinstance(value, list):
        return [for_http(item) for item in value]
    return value
