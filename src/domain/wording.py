"""Figures, times and codes as words, for the sentences of events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def listed(named: Mapping[str, Any]) -> str:
    """`, name value` for each that has a value."""
    known = [f"{name} {plain(value)}" for name, value in named.items() if value is not None]
    return f", {', '.join(known)}" if known else ""


def plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def words(code: str) -> str:
    return code.replace("_", " ").lower()


def in_brackets(text: str) -> str:
    """` (text)`; nothing of no text."""
    return f" ({text})" if text else ""
