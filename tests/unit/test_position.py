from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from liveorder.domain.errors import InvalidInput
from liveorder.domain.position import COST_DECIMALS, Position, PositionSide, PositionStatus, shown
from liveorder.domain.values import Money

MORNING = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
NOON = MORNING + timedelta(hours=2, minutes=30)


def held(*fills: tuple[str, str], multiplier: str = "1", commission: str = "0") -> Position:
    """The position after fills of (signed quantity, price)."""
    position = Position.flat("USD", Decimal(multiplier))
    for quantity, price in fills:
        position = position.fill(Decimal(quantity), Decimal(price), Decimal(commission), MORNING)
    return position


def figures(*values: object) -> tuple[object, ...]:
    """Side by side; a `Fraction`, a `Decimal` and an `int` of one value are equal."""
    return values


def test_a_flat_position_has_nothing() -> None:
    flat = Position.flat("USD", Decimal(1))
    assert figures(flat.side, flat.status, flat.average_price, flat.opened_at) == (
        PositionSide.FLAT,
        PositionStatus.CLOSED,
        None,
        None,
    )
    assert figures(flat.quantity, flat.cost, flat.realized_gross, flat.realized_net, flat.cash_flow, flat.commission) == (0,) * 6


def test_opening_fills_move_the_average() -> None:
    position = held(("200", "10"), ("100", "13"))
    assert figures(position.quantity, position.average_price, position.cost, position.realized_gross) == (300, 11, 3300, 0)
    assert figures(position.side, position.status) == (PositionSide.LONG, PositionStatus.OPEN)


def test_a_partial_close_leaves_the_average() -> None:
    position = held(("200", "10"), ("-50", "12"))
    assert figures(position.quantity, position.average_price, position.realized_gross) == (150, 10, 100)


def test_a_short_earns_when_it_is_bought_back_lower() -> None:
    position = held(("-10", "50"), ("4", "45"))
    assert figures(position.side, position.quantity, position.average_price) == (PositionSide.SHORT, -6, 50)
    assert figures(position.cost, position.realized_gross) == (-300, 20)


def test_a_fill_through_zero_closes_at_its_price_and_opens_there() -> None:
    position = held(("100", "8"), ("-300", "9"))
    assert figures(position.quantity, position.average_price, position.realized_gross) == (-200, 9, 100)


def test_the_fee_of_a_fill_through_zero_is_expensed_whole() -> None:
    position = held(("100", "8"), ("-300", "9"), commission="3")
    assert figures(position.commission, position.realized_gross, position.realized_net) == (6, 100, 94)


def test_a_closed_position_keeps_what_it_earned() -> None:
    position = held(("3", "10"), ("-3", "11"))
    assert figures(position.quantity, position.cost, position.average_price, position.realized_gross) == (0, 0, None, 3)
    assert figures(position.status, position.opened_at) == (PositionStatus.CLOSED, None)


def test_an_average_that_does_not_end_is_kept_exactly() -> None:
    position = held(("3", "1"), ("4", "2"), ("-1", "3"))
    assert position.cost == Fraction(66, 7)
    assert position.average_price == Decimal("1.57142857")
    assert position.fill(Decimal(-6), Decimal("1.5"), Decimal(0), NOON).realized_gross == 1


def test_the_multiplier_is_in_the_money_and_not_in_the_average() -> None:
    position = held(("2", "1.25"), ("-1", "1.80"), multiplier="100")
    assert figures(position.average_price, position.cost, position.cash_flow) == (Decimal("1.25"), 125, -70)
    assert figures(position.realized_gross, position.unrealized(Decimal("1.5"))) == (55, 25)


def test_by_another_multiplier_what_is_held_counts_anew_and_what_was_earned_stays() -> None:
    """Corn was booked as if 450.25 were dollars. One of two was sold, and the other is worth cents."""
    position = held(("2", "450.25"), ("-1", "450.75"), multiplier="5000").with_multiplier(Decimal(50))
    assert figures(position.cost, position.realized_gross, position.average_price) == (Fraction(45025, 2), 2500, Decimal("450.25"))
    closed = position.fill(Decimal(-1), Decimal("455.25"), Decimal(0), NOON)
    assert figures(closed.realized_gross, closed.cost) == (2750, 0)
    assert closed.with_multiplier(Decimal(50)) is closed


def test_a_price_below_zero_is_a_price() -> None:
    position = held(("2", "-37.63"), ("-2", "-30"), multiplier="1000")
    assert position.realized_gross == 15260


def test_opening_time_is_that_of_the_fill_that_left_zero_or_crossed_it() -> None:
    opened = held(("10", "1"))
    assert opened.fill(Decimal(5), Decimal(1), Decimal(0), NOON).opened_at == MORNING
    assert opened.fill(Decimal(-5), Decimal(1), Decimal(0), NOON).opened_at == MORNING
    assert opened.fill(Decimal(-15), Decimal(1), Decimal(0), NOON).opened_at == NOON


def test_a_fill_of_nothing_can_still_cost() -> None:
    position = Position.flat("USD", Decimal(1)).fill(Decimal(0), Decimal(10), Decimal(1), MORNING)
    assert figures(position.status, position.opened_at, position.realized_net) == (PositionStatus.CLOSED, None, -1)


def test_a_late_commission_lowers_the_net_result_only() -> None:
    position = held(("10", "5"), ("-10", "6")).charge(Money(Decimal("0.35"), "USD"))
    assert figures(position.realized_gross, position.realized_net) == (10, Decimal("9.65"))


def test_a_split_restates_quantity_and_average_but_no_money() -> None:
    before = held(("100", "30"), ("-10", "40"))
    after = before.split(Decimal(3))
    assert figures(after.quantity, after.average_price) == (270, 10)
    assert figures(after.cost, after.cash_flow, after.realized_gross) == (before.cost, before.cash_flow, before.realized_gross)


def test_a_reverse_split_by_three_is_exact() -> None:
    assert held(("300", "10")).split(Fraction(1, 3)).quantity == 100


def test_a_split_that_leaves_an_odd_remainder_wants_it_settled_first() -> None:
    position = held(("100", "10"))
    with pytest.raises(InvalidInput, match="remainder"):
        position.split(Fraction(1, 3))
    settled = position.fill(Decimal(-1), Decimal(11), Decimal(0), NOON)
    assert settled.split(Fraction(1, 3)).quantity == 33


@pytest.mark.parametrize("ratio", ["0", "-2"])
def test_a_split_by_nothing_is_refused(ratio: str) -> None:
    with pytest.raises(InvalidInput, match="above zero"):
        held(("100", "10")).split(Decimal(ratio))


def test_a_mid_position_survives_json() -> None:
    position = held(("3", "1.10"), ("4", "2"), ("-1", "3"), commission="0.35")
    assert Position.from_json(position.to_json()) == position


def test_the_json_is_plain_text_with_exact_numbers() -> None:
    assert held(("3", "1"), ("4", "2"), ("-1", "3.00")).to_json() == (
        '{"currency": "USD", "multiplier": "1", "quantity": "6", "cost": "66/7", "cash_flow": "-8.00", "commission": "0", '
        '"opened_at": "2026-11-20T09:30:00+00:00"}'
    )


def test_more_digits_than_the_ambient_context_holds_are_kept() -> None:
    tiny, many = Decimal("0.000000000000000001"), Decimal(10**12)
    with localcontext(prec=9):
        position = held((str(many), "1"), (str(tiny), "1"), ("-1", "2"))
    assert position.quantity == Decimal("999999999999.000000000000000001")
    assert position.realized_gross == 1


def test_a_position_that_is_never_flat_stays_short_and_loses_no_money() -> None:
    position, exact = held(("500", "100.07")), Fraction("50035")
    for day in range(500):
        exact *= Fraction(position.quantity - day % 89 - 7) / Fraction(position.quantity)
        position = position.fill(Decimal(-(day % 89) - 7), Decimal(f"101.{day}"), Decimal(0), MORNING)
        exact += Fraction((day % 97 + 6) * Decimal(f"99.{day}"))
        position = position.fill(Decimal(day % 97) + 6, Decimal(f"99.{day}"), Decimal(0), MORNING)
    assert abs(position.cost - exact) < Fraction(1, 10 ** (COST_DECIMALS - 3))
    assert len(position.to_json()) < 400 < len(str(exact.denominator))
    in_all = position.realized_gross + position.unrealized(Decimal("100.11"))
    assert in_all == Fraction(position.cash_flow + position.quantity * Decimal("100.11"))


def test_money_is_shown_rounded_half_to_even() -> None:
    assert [str(shown(Fraction(number))) for number in ("2.675", "2.665", "-1/3", "5")] == ["2.68", "2.66", "-0.33", "5.00"]


def test_fees_of_rounds_that_left_dust_are_not_kept_for_ever() -> None:
    """Four are bought, 0.01 kept, and all but half a lot of 0.0001 sold, a hundred times."""
    position, price = Position.flat("USD", Decimal(1)), Decimal(3000)
    for _ in range(100):
        position = position.fill(Decimal(4), price, Decimal(0), None).pay_in_kind(Decimal("0.01"), price, None)
        assert position.paid_in_kind == Decimal("0.01")
        position = position.fill(Decimal("0.00005") - position.quantity, price, Decimal(0), None)
        assert position.paid_in_kind == Decimal("0.01")


def test_fees_of_one_round_stay_while_it_is_bought_and_sold_in_parts() -> None:
    position, price = Position.flat("USD", Decimal(1)), Decimal(3000)
    for signed in (4, -2, 8):
        position = position.fill(Decimal(signed), price, Decimal(0), None)
        if signed > 0:
            position = position.pay_in_kind(Decimal(signed) / 400, price, None)
    assert (position.quantity, position.paid_in_kind) == (Decimal("9.97"), Decimal("0.03"))
