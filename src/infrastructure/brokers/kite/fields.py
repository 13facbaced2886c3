"""Values of Kite's rows: exact numbers, times without a zone, tags."""

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
"""What reading an answer of an unexpected shape raises."""

_KEY = re.compile(rf"[A-Za-z0-9]{{{CLIENT_ORDER_ID_LENGTH}}}")


def number(row: Row, name: str) -> Decimal | None:
    """The exact number, from the text or integer that Kite sent. None for null, an empty text or a missing field. Raises one of
    `UNREADABLE`.
    """
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
    """As `number`, but zero if nothing was reported."""
    return number(row, name) or ZERO


def price(row: Row, name: str) -> Decimal | None:
    """As `number`, but None for 0, which Kite reports if an order has no such price."""
    return number(row, name) or None


def text(row: Row, name: str) -> str:
    """The stripped text. Empty for null or a missing field."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def identifier(row: Row, name: str) -> str | None:
    """An id: digits, possibly more than a float holds. Raises one of `UNREADABLE` for a number that is not an integer."""
    value = row.get(name)
    if isinstance(value, float | Decimal | bool):
        raise ValueError(f"{name} is {value!r}")
    return text(row, name) or None


def moment(row: Row, *names: str) -> datetime | None:
    """The first of these fields that holds a date with a time, in UTC. Kite's times are India's and name no zone.

    On some days a trade's `order_timestamp` is a bare time of day. It is skipped, like any value that is not a time.
    """
    for name in names:
        try:
            at = datetime.fromisoformat(text(row, name))
        except ValueError:
            continue
        if len(text(row, name)) > len("2026-11-21") and at.year > 1:
            return (at if at.tzinfo is not None else at.replace(tzinfo=IST)).astimezone(UTC)
    return None


def tags(row: Row) -> list[str]:
    """All tags of an order, from `tag` and `tags`. `tags` can be missing, and can hold tags of Kite's own."""
    several = row.get("tags")
    found = [row.get("tag"), *(several if isinstance(several, list) else [])]
    return [each for each in dict.fromkeys(str(tag).strip() for tag in found if tag is not None) if each]


def key_of(row: Row) -> str | None:
    """The client order id among the tags. None if there is none, or more than one candidate."""
    possible = [tag for tag in tags(row) if _KEY.fullmatch(tag)]
    return possible[0] if len(possible) == 1 else None


def indian_day(at: datetime) -> date:
    """Kite's day. Kite drops orders and trades at its end."""
    return at.astimezone(IST).date()
