"""Single values of Kite's rows: numbers that stay exact, times without a zone, tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from liveorder.domain.identifiers import CLIENT_ORDER_ID_LENGTH
from liveorder.domain.values import ZERO

Row: TypeAlias = Mapping[str, Any]

IST = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has had one time zone and no daylight saving since 1945."""

UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, IndexError, InvalidOperation)
"""What reading an answer of another shape raises."""

_KEY = re.compile(rf"[A-Za-z0-9]{{{CLIENT_ORDER_ID_LENGTH}}}")


def number(row: Row, name: str) -> Decimal | None:
    """Exact, from the text or the integer that was sent; None for null, nothing and no such field. Raises one of `UNREADABLE`."""
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, float | bool):
        raise ValueError(f"{name} is {value!r}")
    exact = Decimal(value)
    if not exact.is_finite():
        raise ValueError(f"{name} is {value!r}")
    return exact


def quantity(row: Row, name: str) -> Decimal:
    """As `number`; zero where nothing is told."""
    return number(row, name) or ZERO


def price(row: Row, name: str) -> Decimal | None:
    """Kite tells 0 where an order has no such price."""
    return number(row, name) or None


def text(row: Row, name: str) -> str:
    """Without the blanks around it; empty for null and no such field."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def identifier(row: Row, name: str) -> str | None:
    """Digits, more of them than a float holds. Raises one of `UNREADABLE` for a number that is no integer."""
    value = row.get(name)
    if isinstance(value, float | Decimal | bool):
        raise ValueError(f"{name} is {value!r}")
    return text(row, name) or None


def moment(row: Row, *names: str) -> datetime | None:
    """The first of these fields that is a date with a time, in UTC. Kite's times are of India and say no zone.

    A trade's `order_timestamp` is a bare time of day on some days, and is passed over; so is what is no time at all.
    """
    for name in names:
        try:
            told = datetime.fromisoformat(text(row, name))
        except ValueError:
            continue
        if len(text(row, name)) > len("2026-11-21") and told.year > 1:
            return (told if told.tzinfo is not None else told.replace(tzinfo=IST)).astimezone(UTC)
    return None


def tags(row: Row) -> list[str]:
    """Every label of an order: `tag`, and `tags`, which can be missing and can hold labels of Kite's own."""
    several = row.get("tags")
    told = [row.get("tag"), *(several if isinstance(several, list) else [])]
    return [each for each in dict.fromkeys(str(tag).strip() for tag in told if tag is not None) if each]


def key_of(row: Row) -> str | None:
    """The client order id among the tags; None where there is none, or where several are possible."""
    possible = [tag for tag in tags(row) if _KEY.fullmatch(tag)]
    return possible[0] if len(possible) == 1 else None


def indian_day(at: datetime) -> date:
    """Kite's day. What it knows of orders and trades ends with it."""
    return at.astimezone(IST).date()
