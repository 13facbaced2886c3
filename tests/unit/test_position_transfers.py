"""What goes from one strategy's position to another's: who has it to give, and that nothing is earned or lost by it altogether."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.errors import DecisionRefused, InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.position_booking import BookedFill, Holding, HoldingKey
from liveorder.domain.position_transfer import transferable

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CORN = Instrument(symbol="ZC", exchange="CBOT", multiplier=Decimal(50))
KEY = "CBOT:ZC"


def held(*fills: tuple[str, str]) -> Position:
    position = Position.flat("USD", Decimal(50))
    for quantity, price in fills:
        position = position.fill(Decimal(quantity), Decimal(price), Decimal(0), NOW)
    return position


def holdings(**positions: Position) -> dict[HoldingKey, Position]:
    return {HoldingKey("U1", name, KEY, "USD", "50"): position for name, position in positions.items()}


def transferred(quantity: str, price: Decimal) -> PositionTransferred:
    return PositionTransferred(
        account_id="U1",
        from_strategy="a",
        to_strategy="b",
        instrument=CORN,
        quantity=Decimal(quantity),
        price=price,
        effective_at=NOW,
        evidence="a person says so",
        transfer_id="t1",
    )


def booked(event: PositionTransferred, giver: Position, taker: Position) -> tuple[Position, Position]:
    gives, takes = event.changes()
    after = [
        Holding(position, 1, 1).book(BookedFill(2, change.quantity, change.price, Decimal(50), None, False, change.effective_at))[0]
        for change, position in ((gives, giver), (takes, taker))
    ]
    return after[0].position, after[1].position


fills = st.lists(
    st.tuples(st.integers(-9, 9).filter(bool).map(str), st.decimals("0.01", "99", places=2).map(str)), min_size=1, max_size=5
)


@given(fills, fills, st.integers(-9, 9).filter(bool), st.decimals("0.01", "99", places=2))
def test_together_they_hold_and_have_earned_what_they_did(
    one: list[tuple[str, str]], other: list[tuple[str, str]], quantity: int, price: Decimal
) -> None:
    giver, taker = held(*one), held(*other)
    after = booked(transferred(str(quantity), price), giver, taker)
    mark = Decimal("7.77")
    assert sum(each.quantity for each in after) == giver.quantity + taker.quantity
    results = [sum((each.realized_net + each.unrealized(mark) for each in both), Fraction(0)) for both in (after, (giver, taker))]
    assert results[0] == results[1]


@given(fills, st.data())
def test_at_average_cost_nothing_is_earned(bought: list[tuple[str, str]], data: st.DataObject) -> None:
    giver = held(*bought)
    if not giver.quantity:
        return
    units = data.draw(st.integers(1, int(abs(giver.quantity)))) * (1 if giver.quantity > 0 else -1)
    left, taker = booked(transferred(str(units), giver.cost_of_one), giver, held())
    assert abs(left.realized_gross - giver.realized_gross) < Fraction(1, 10**20)
    assert taker.average_price == giver.average_price


def test_a_flat_position_costs_nothing() -> None:
    assert held().cost_of_one == 0


def test_what_is_held_can_be_given_in_its_direction_only() -> None:
    found = holdings(a=held(("10", "4")), b=held(("-4", "4")), c=held())
    assert transferable(found, "a", "b", Decimal("2.5"), KEY, Decimal(0)).position == held(("10", "4"))
    assert transferable(found, "b", "a", Decimal(-4), KEY, Decimal(0)).holding.strategy_name == "b"
    for giver, quantity in (("a", "11"), ("a", "-1"), ("b", "1"), ("b", "-5")):
        with pytest.raises(InvalidInput, match=f"quantity: {giver} holds"):
            transferable(found, giver, "d", Decimal(quantity), KEY, Decimal(0))
    with pytest.raises(InvalidInput, match=r"from: c holds nothing of CBOT:ZC; held there by a \(10\), b \(-4\)"):
        transferable(found, "c", "a", Decimal(1), KEY, Decimal(0))
    with pytest.raises(InvalidInput, match=r"to: a is whom it comes from; name another strategy"):
        transferable(found, "a", "a", Decimal(1), KEY, Decimal(0))
    with pytest.raises(InvalidInput, match="a transfer of nothing"):
        transferable(found, "a", "b", Decimal(0), KEY, Decimal(0))


def test_what_open_orders_could_still_take_stays() -> None:
    found = holdings(a=held(("10", "4")))
    assert transferable(found, "a", "b", Decimal(4), KEY, Decimal(6)).holding.strategy_name == "a"
    with pytest.raises(DecisionRefused, match="cancel them first, or transfer less"):
        transferable(found, "a", "b", Decimal(5), KEY, Decimal(6))
