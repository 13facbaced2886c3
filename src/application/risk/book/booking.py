"""How one entry changes a position: to the last digit of its quantity, value and commission."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_FLOOR, Context, Decimal, Inexact
from fractions import Fraction

from liveorder.application.ports.order_store import LedgerEntry
from liveorder.application.risk.book.entries import TAKE_BACK
from liveorder.domain.position import Position
from liveorder.domain.values import ZERO, Money

_PRICE_DECIMALS = 8
_PRICE_STEP = Decimal(1).scaleb(-_PRICE_DECIMALS)
_EXACT = Context(prec=1000, traps=[Inexact])
_FLOOR = Context(prec=1000, rounding=ROUND_FLOOR)


def booked(position: Position, entry: LedgerEntry) -> Position:
    """The position after a `fill` or `take_back`."""
    values = entry.values
    quantity, value, commission = Decimal(values["quantity"]), Decimal(values["value"]), Decimal(values["commission"])
    if entry.kind == TAKE_BACK:
        return _taken_back(_charged(position, values, Decimal.copy_negate, position.opened_at), quantity, value, commission)
    at = datetime.fromisoformat(values["at"]) if values["at"] else None
    return _charged(_filled(position, quantity, value, commission, at), values, Decimal, at)


def _charged(position: Position, values: Mapping[str, str], signed: Callable[[Decimal], Decimal], at: datetime | None) -> Position:
    """With what was not charged in the position's currency, or where `signed` negates without it."""
    if "other_currency" in values:
        return position.charge(Money(signed(Decimal(values["other_commission"])), values["other_currency"]))
    if "in_kind" in values:
        return position.pay_in_kind(signed(Decimal(values["in_kind"])), Decimal(values["price"]), at)
    return position


def _filled(position: Position, quantity: Decimal, value: Decimal, commission: Decimal, at: datetime | None) -> Position:
    for units, price in _priced(quantity, value):
        position = position.fill(units, price, commission, at)
        commission = ZERO
    return position.charge(Money(commission, position.currency)) if commission else position


def _taken_back(position: Position, quantity: Decimal, value: Decimal, commission: Decimal) -> Position:
    """As if the fill had never been, where all of it can still be part of what is held; otherwise by the reverse fill.

    Exact when nothing was closed since. What was realised on an average that the fill took part in stays as it was, until the
    position is flat: then all that was ever earned is right again.
    """
    left = _EXACT.subtract(position.quantity, quantity)
    if left * quantity < 0:
        return _filled(position, -quantity, -value, -commission, position.opened_at)
    money = _EXACT.multiply(value, position.multiplier)
    return replace(
        position,
        quantity=left,
        cost=position.cost - Fraction(*money.as_integer_ratio()) if left else Fraction(0),
        cash_flow=_EXACT.add(position.cash_flow, money),
        commission=_EXACT.subtract(position.commission, commission),
        opened_at=position.opened_at if left else None,
    )


def _priced(quantity: Decimal, value: Decimal) -> Iterator[tuple[Decimal, Decimal]]:
    """Units and price: one pair, or two a hair apart where one price alone would never end. They add up to `value` exactly."""
    if not quantity:
        return
    try:
        yield quantity, _EXACT.divide(value, quantity)
    except Inexact:
        lower = _FLOOR.divide(value, quantity).quantize(_PRICE_STEP, context=_FLOOR)
        dearer = _EXACT.scaleb(_EXACT.subtract(value, _EXACT.multiply(quantity, lower)), _PRICE_DECIMALS)
        yield _EXACT.subtract(quantity, dearer), lower
        yield dearer, lower + _PRICE_STEP
