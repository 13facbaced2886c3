"""Numbers, times and names for people: thousands apart, times in UTC to the second, a dash for what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from liveorder.application.reporting.views.signals import DEAD_LETTER
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import ZERO

NOTHING = "–"
CUT = "…"
"""Stands in a shortened name or id for what is left out."""
SHORT = 20
"""Characters of an id that are enough to tell it: as many as a client order id has."""

STATUS_STYLES: Mapping[str, str] = {
    OrderStatus.PENDING: "yellow",
    OrderStatus.SUBMITTED: "cyan",
    OrderStatus.PARTIAL: "blue",
    OrderStatus.FILLED: "green",
    OrderStatus.REJECTED: "red",
    OrderStatus.CANCELLED: "magenta",
    DEAD_LETTER: "red",
}
_CENT = Decimal("0.01")
_FINEST = Decimal("0.000001")


class Styled(NamedTuple):
    """Text and how it looks on a screen: `green`, `bold red`."""

    plain: str
    style: str = ""


def number(value: Decimal | None) -> str:
    """Every digit that counts, and no zeros behind them."""
    if value is None:
        return NOTHING
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(value: Decimal | None) -> str:
    """At least two decimals, at most six; half to even."""
    if value is None:
        return NOTHING
    rounded = value if _decimals(value) <= 6 else value.quantize(_FINEST, rounding=ROUND_HALF_EVEN)
    return number(rounded) if _decimals(rounded.normalize()) > 2 else f"{rounded.quantize(_CENT):,f}"


def money(value: Decimal) -> str:
    """Two decimals, half to even."""
    return f"{value.quantize(_CENT, rounding=ROUND_HALF_EVEN):,f}"


def fees(amount: Decimal, others: Mapping[str, Decimal]) -> str:
    """What was charged in the instrument's currency, and apart from it in others: ``1.00, 2 EUR``."""
    return ", ".join(
        [*([money(amount)] if amount or not others else []), *(f"{number(paid)} {name}" for name, paid in others.items())]
    )


def result(value: Decimal) -> Styled:
    """A profit in green with its sign, a loss in red."""
    sign = "+" if value > 0 else ""
    return Styled(f"{sign}{money(value)}", "green" if value > 0 else "red" if value < 0 else "")


def moment(at: datetime | None) -> str:
    return NOTHING if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def without_year(at: datetime | None) -> str:
    return moment(at)[5:] or NOTHING


def age(seconds: float) -> str:
    """In whole units, the largest that there is one of: ``7 s``, ``3 min``, ``2 h``."""
    whole = max(int(seconds), 0)
    for size, unit in ((3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def part(done: Decimal, whole: Decimal | None) -> str:
    """How much of how much: ``60/100``; just the whole when nothing is left."""
    if whole is not None and done == whole > ZERO:
        return number(whole)
    return f"{number(done)}/{number(whole)}"


def status(name: str) -> Styled:
    return Styled(name, STATUS_STYLES.get(name, ""))


def short(identity: str | None) -> str:
    """A long id shortened in a way that shows that it was. Commands that take an id take it so too, if only one order fits."""
    return NOTHING if identity is None else in_short(identity, SHORT)


def in_short(text: str, width: int) -> str:
    """In at most `width` characters, cut in its middle: names of one kind begin alike, and ids end unlike."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}{CUT}{text[len(text) - (width - 1 - head) :]}"


def plural(count: int, noun: str, several: str = "") -> str:
    """``1 order``, ``2 orders``."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
