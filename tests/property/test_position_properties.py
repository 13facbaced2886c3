"""What holds of every position, whatever was traded."""

from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.position import Position


class Fill(NamedTuple):
    quantity: Decimal
    price: Decimal
    commission: Decimal


quantities = st.decimals("-1000", "1000", places=3) | st.integers(-5, 5).map(Decimal)
prices = st.decimals("-50", "5000", places=4)
fills = st.lists(st.builds(Fill, quantities, prices, st.decimals("-1", "10", places=2)), max_size=30)
# So few, and so round, that no cost reaches the decimals where it is rounded: here averages are compared exactly.
few_fills = st.lists(st.builds(Fill, st.decimals("-99", "99", places=2), prices, st.just(Decimal("0.35"))), max_size=12)
multipliers = st.sampled_from(["1", "50", "100", "0.01", "1000"]).map(Decimal)
ratios = st.builds(Fraction, st.integers(1, 7), st.sampled_from([1, 2, 4, 5, 10]))
moments = st.none() | st.datetimes(timezones=st.just(UTC))


def folded(fills: list[Fill], multiplier: Decimal, at: datetime | None = None) -> Position:
    position = Position.flat("USD", multiplier)
    for fill in fills:
        position = position.fill(*fill, at)
    return position


def cash_flow(fills: list[Fill], multiplier: Decimal) -> Fraction:
    return -sum((Fraction(q) * Fraction(price) * Fraction(multiplier) for q, price, _ in fills), Fraction(0))


@given(fills, multipliers, prices)
def test_realised_and_unrealised_add_up_to_cash_flow_and_value(fills: list[Fill], multiplier: Decimal, mark: Decimal) -> None:
    position = folded(fills, multiplier)
    value = sum((Fraction(fill.quantity) for fill in fills), Fraction(0)) * Fraction(mark) * Fraction(multiplier)
    assert position.cash_flow == cash_flow(fills, multiplier)
    assert position.realized_gross + position.unrealized(mark) == cash_flow(fills, multiplier) + value


@given(fills, multipliers, multipliers, prices)
def test_another_multiplier_changes_what_is_held_and_nothing_that_was_earned(
    fills: list[Fill], before: Decimal, after: Decimal, mark: Decimal
) -> None:
    position, other = folded(fills, before), folded(fills, before).with_multiplier(after)
    assert (other.quantity, other.realized_gross, other.average_price) == (
        position.quantity,
        position.realized_gross,
        position.average_price,
    )
    value = Fraction(other.quantity) * Fraction(mark) * Fraction(after)
    assert other.realized_gross + other.unrealized(mark) == Fraction(other.cash_flow) + value
    assert Position.from_json(other.to_json()) == other


@given(fills, multipliers)
def test_commission_lowers_the_net_result_and_nothing_else(fills: list[Fill], multiplier: Decimal) -> None:
    charged = folded(fills, multiplier)
    free = folded([fill._replace(commission=Decimal(0)) for fill in fills], multiplier)
    assert charged.realized_net == free.realized_gross - sum((Fraction(fill.commission) for fill in fills), Fraction(0))
    assert (charged.realized_gross, charged.cost, charged.quantity) == (free.realized_gross, free.cost, free.quantity)


@given(fills, multipliers, prices)
def test_first_in_first_out_earns_the_same_in_all(fills: list[Fill], multiplier: Decimal, mark: Decimal) -> None:
    position = folded(fills, multiplier)
    realised, unrealised = first_in_first_out(fills, Fraction(mark))
    assert position.realized_gross + position.unrealized(mark) == (realised + unrealised) * Fraction(multiplier)


@given(few_fills, multipliers)
def test_closing_earns_the_difference_to_the_average(fills: list[Fill], multiplier: Decimal) -> None:
    realised, average, quantity = Fraction(0), Fraction(0), Fraction(0)
    for signed, price in ((Fraction(fill.quantity), Fraction(fill.price)) for fill in fills):
        closing = min(abs(quantity), abs(signed)) if quantity * signed < 0 else Fraction(0)
        way = 1 if quantity > 0 else -1
        realised += closing * way * (price - average)
        opening, rest = abs(signed) - closing, abs(quantity) - closing
        if opening:
            average = (rest * average + opening * price) / (rest + opening)
        quantity += signed
    assert folded(fills, multiplier).realized_gross == realised * Fraction(multiplier)


@given(few_fills, multipliers)
def test_splitting_one_fill_in_two_at_its_price_changes_nothing(fills: list[Fill], multiplier: Decimal) -> None:
    halves = [Fill(fill.quantity / 2, fill.price, commission) for fill in fills for commission in (fill.commission, Decimal(0))]
    assert folded(halves, multiplier) == folded(fills, multiplier)


@given(st.data(), fills, multipliers)
def test_quantity_and_cash_flow_do_not_depend_on_the_order(data: st.DataObject, fills: list[Fill], multiplier: Decimal) -> None:
    one, other = folded(fills, multiplier), folded(data.draw(st.permutations(fills)), multiplier)
    assert (one.quantity, one.cash_flow, one.commission) == (other.quantity, other.cash_flow, other.commission)


@given(fills, multipliers, moments)
def test_every_position_survives_json(fills: list[Fill], multiplier: Decimal, at: datetime | None) -> None:
    position = folded(fills, multiplier, at)
    assert Position.from_json(position.to_json()) == position


@given(fills, multipliers, ratios, prices)
def test_a_split_changes_no_money(fills: list[Fill], multiplier: Decimal, ratio: Fraction, mark: Decimal) -> None:
    before = folded(fills, multiplier)
    after = before.split(ratio)
    assert after.quantity == Fraction(before.quantity) * ratio
    assert (after.realized_gross, after.cost, after.cash_flow) == (before.realized_gross, before.cost, before.cash_flow)
    worth = Fraction(mark) / ratio * Fraction(after.quantity) * Fraction(multiplier)
    assert worth - after.cost == before.unrealized(mark)


@given(fills, multipliers)
def test_average_and_opening_time_are_there_exactly_while_something_is_held(fills: list[Fill], multiplier: Decimal) -> None:
    position = folded(fills, multiplier, datetime(2026, 11, 20, tzinfo=UTC))
    is_open = position.quantity != 0
    assert (position.average_price is not None, position.opened_at is not None) == (is_open, is_open)
    assert is_open or position.cost == 0


def first_in_first_out(fills: list[Fill], mark: Fraction) -> tuple[Fraction, Fraction]:
    """Realised and unrealised of the naive method, one unit of multiplier: each close takes the oldest lot."""
    lots: deque[tuple[Fraction, Fraction]] = deque()
    realised = Fraction(0)
    for fill in fills:
        rest, price = Fraction(fill.quantity), Fraction(fill.price)
        while rest and lots and lots[0][0] * rest < 0:
            lot, paid = lots.popleft()
            closed = min(abs(lot), abs(rest)) * (1 if lot > 0 else -1)
            realised += closed * (price - paid)
            rest += closed
            if lot != closed:
                lots.appendleft((lot - closed, paid))
        if rest:
            lots.append((rest, price))
    return realised, sum((lot * (mark - paid) for lot, paid in lots), Fraction(0))
