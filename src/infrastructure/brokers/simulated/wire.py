"""Messages to and from the venue: JSON objects with decimals as text and times in ISO-8601. Unknown fields are left out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]


def plain(**fields: Any) -> Message:
    """The known fields, in JSON's own types (a `StrEnum` is one)."""
    message: Message = {}
    for name, value in fields.items():
        if value.__class__ is Decimal:
            message[name] = str(value)
        elif value.__class__ is datetime:
            message[name] = value.isoformat()
        elif value is not None:
            message[name] = value
    return message
