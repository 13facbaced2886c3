"""An order that trades for several strategies: which part of each execution is whose.

What is whose is a function of the executions that count, in the order in which they were first reported. So a partial fill, a bust
and a correction leave every strategy with its part of what is filled then, to the last digit, and never with more than its share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from liveorder.domain.order.executions import BookedExecution, Executions, split_quantity, value_of
from liveorder.domain.record import Record
from liveorder.domain.values import EXACT, ZERO, Money, Quantity, total

_FEE_DECIMALS = 8


class PositionShare(Record):
    """Of what the order trades, at most so many units are the strategy's."""

    strategy_name: str
    quantity: Quantity


class OwnExecution(NamedTuple):
    """The part of an execution that is a strategy's."""

    strategy_name: str
    execution: BookedExecution


def shared_out(units: Decimal, left: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """`units` among those who have so much `left` each, in proportion to that.

    In whole steps where it is possible. What does not come out even goes to those with most left, the first of equals; nobody gets
    more than is left, so that more units than are left altogether are not all given.
    """
    whole = total(left)
    if units >= whole:
        return [*left]
    shares = [_in_steps(units, own, whole, step) for own in left]
    rest = EXACT.subtract(units, total(shares))
    for place in sorted(range(len(left)), key=lambda place: EXACT.subtract(shares[place], left[place])):
        more = min(rest, EXACT.subtract(left[place], shares[place]))
        shares[place], rest = EXACT.add(shares[place], more), EXACT.subtract(rest, more)
    return shares


def _in_steps(units: Decimal, own: Decimal, whole: Decimal, step: Decimal) -> Decimal:
    steps = Fraction(units) * Fraction(own) / Fraction(whole) // Fraction(step)
    return EXACT.multiply(Decimal(steps), step)


def left_to_get(
    shares: Sequence[PositionShare], executions: Executions, counted: Sequence[BookedExecution], step: Decimal
) -> list[Decimal]:
    """What each share still has to get, once the executions that count are divided."""
    left = _to_get(shares, executions)
    for execution in counted:
        left = _less(left, shared_out(execution.quantity, left, step))
    return left


def own_executions(
    owner: str, shares: Sequence[PositionShare], executions: Executions, counted: Sequence[BookedExecution], step: Decimal
) -> Iterator[OwnExecution]:
    """The executions that count, each in a part for every share, perhaps of nothing, so that it keeps its place.

    `owner`: the order's own strategy, which gets all of it where there are no shares, and what is filled beyond them. `step`: the
    smallest step of a quantity.
    """
    if not shares:
        yield from (OwnExecution(owner, execution) for execution in counted)
        return
    names = [share.strategy_name for share in shares]
    left = _to_get(shares, executions)
    for execution in counted:
        parts = shared_out(execution.quantity, left, step)
        left = _less(left, parts)
        whose = dict(zip(names, parts, strict=True))
        if beyond := EXACT.subtract(execution.quantity, total(parts)):
            whose[owner] = EXACT.add(whose.get(owner, ZERO), beyond)
        for (name, part), fee in zip(whose.items(), _fees(execution, [*whose.values()]), strict=True):
            value = value_of(part, execution.price)
            yield OwnExecution(name, execution._replace(quantity=part, value=value, commission=fee))


def _to_get(shares: Sequence[PositionShare], executions: Executions) -> list[Decimal]:
    return [reduce(split_quantity, executions.splits, share.quantity) for share in shares]


def _less(left: Sequence[Decimal], parts: Sequence[Decimal]) -> list[Decimal]:
    return [EXACT.subtract(own, part) for own, part in zip(left, parts, strict=True)]


def _fees(execution: BookedExecution, parts: Sequence[Decimal]) -> list[Money | None]:
    """The commission by units, to eight decimals or as many as it has; the rest is the largest part's."""
    fee, traded = execution.commission, total(parts)
    if fee is None:
        return [None] * len(parts)
    if not traded:
        return [fee, *[Money(ZERO, fee.currency)] * (len(parts) - 1)]
    exponent = fee.amount.as_tuple().exponent
    assert isinstance(exponent, int)
    step = EXACT.scaleb(Decimal(1), min(exponent, -_FEE_DECIMALS))
    size = fee.amount.copy_abs()
    fees = [_in_steps(size, part, traded, step) for part in parts]
    largest = max(range(len(parts)), key=lambda place: parts[place])
    fees[largest] = EXACT.add(fees[largest], EXACT.subtract(size, total(fees)))
    return [Money(each.copy_sign(fee.amount) if each else ZERO, fee.currency) for each in fees]
