"""What the wire to the venue carries: JSON objects with decimals as text and times in ISO-8601; what is not known is left out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]


def plain(**fields: Any) -> Message:
    """The fields that are known, in JSON's own types (a `StrEnum` is one)."""
    message: Message = {}
    for name, value in fields.items():
        if value.__class__ is Decimal:
            message[name] = str(value)
        elif value.__class__ is datetime:
            message[name] = value.isoformat()
        elif value is not None:
            message[name] = value
    return message
