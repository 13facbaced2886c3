"""Figures, times and codes as words, for the sentences of events and errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
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


NAMED_AT_MOST = 3


def few(names: Iterable[object]) -> str:
    """The first of them, and how many more there are: a message is stored with each order that it is about."""
    every = [str(name) for name in names]
    more = f" and {len(every) - NAMED_AT_MOST} more" if len(every) > NAMED_AT_MOST else ""
    return ", ".join(every[:NAMED_AT_MOST]) + more


def in_currency(amount: Decimal, currency: str) -> str:
    """`$235.15`, `235.15 CHF`: with the sign of the currency where it is one's own."""
    sign = _SIGNS.get(currency)
    return f"{plain(amount)} {currency}" if sign is None else f"{sign}{plain(amount)}"


_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥"}


def words(code: str) -> str:
    return code.replace("_", " ").lower()


def in_brackets(text: str) -> str:
    """` (text)`; nothing of no text."""
    return f" ({text})" if text else ""


def one_of(given: object, words: Iterable[str]) -> str:
    """A remedy for what is none of these words: the one that it resembles, or all of them."""
    by_small = {str(word).lower(): str(word) for word in words}
    close = difflib.get_close_matches(str(given).lower(), by_small, n=1)
    return f"did you mean {by_small[close[0]]!r}?" if close else f"use one of {', '.join(by_small.values())}"
