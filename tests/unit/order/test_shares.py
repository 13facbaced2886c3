"""Whose each execution is of an order that trades for several strategies."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.order.executions import BookedExecution, Executions
from liveorder.domain.order.shares import OwnExecution, PositionShare, left_to_get, own_executions, shared_out
from liveorder.domain.values import Money

ONE = Decimal(1)
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def shares_of(**units: int) -> list[PositionShare]:
    return [PositionShare(strategy_name=name, quantity=Decimal(quantity)) for name, quantity in units.items()]


def filled(*quantities: int, fee: str | None = None) -> Executions:
    executions = Executions.none()
    for number, quantity in enumerate(quantities):
        paid = None if fee is None else Money(Decimal(fee), "USD")
        execution = BookedExecution(f"e{number}", Decimal(quantity), Decimal(5), Decimal(5 * quantity), paid, NOW)
        executions = executions.filled(execution)
    return executions


def own(executions: Executions, shares: list[PositionShare], step: Decimal = ONE) -> list[OwnExecution]:
    return [*own_executions("flatten", shares, executions, [*executions.effective()], step)]


def units_of(parts: list[OwnExecution], name: str) -> list[Decimal]:
    return [part.execution.quantity for part in parts if part.strategy_name == name]


def test_an_order_without_shares_is_its_own_strategys() -> None:
    executions = filled(3)
    assert own(executions, []) == [OwnExecution("flatten", executions.reported["e0"])]


def test_fills_are_divided_in_proportion_and_what_is_over_goes_to_whom_most_is_left() -> None:
    parts = own(filled(5, 1, 4), shares_of(a=7, b=3))
    assert units_of(parts, "a") == [4, 1, 2]
    assert units_of(parts, "b") == [1, 0, 2]


def test_what_is_filled_beyond_the_shares_is_the_orders_own() -> None:
    parts = own(filled(8, 4), shares_of(a=7, b=3))
    assert [sum(units_of(parts, name)) for name in ("a", "b", "flatten")] == [7, 3, 2]
    parts = own(filled(12), shares_of(flatten=7, b=3))
    assert [units_of(parts, name) for name in ("flatten", "b")] == [[9], [3]]


def test_a_bust_leaves_each_with_its_part_of_what_is_left() -> None:
    parts = own(filled(5, 1, 4).bust("e0"), shares_of(a=7, b=3))
    assert [units_of(parts, name) for name in ("a", "b")] == [[1, 3], [0, 1]]


def test_of_a_split_the_shares_are_in_the_new_units() -> None:
    parts = own(filled(5, 5).restated(Decimal(4)), shares_of(a=7, b=3))
    assert [sum(units_of(parts, name)) for name in ("a", "b")] == [28, 12]


def test_a_commission_is_divided_by_units_to_the_last_digit() -> None:
    parts = own(filled(9, fee="1.00"), shares_of(a=6, b=3))
    assert [part.execution.commission for part in parts] == [
        Money(Decimal("0.66666667"), "USD"),
        Money(Decimal("0.33333333"), "USD"),
    ]
    refunded = own(filled(9, fee="-1.00"), shares_of(a=6, b=3))
    assert [part.execution.commission for part in refunded] == [
        Money(Decimal("-0.66666667"), "USD"),
        Money(Decimal("-0.33333333"), "USD"),
    ]


def test_what_was_corrected_to_nothing_and_is_charged_for_costs_the_first() -> None:
    fee = Money(Decimal(2), "USD")
    gone = filled(3).filled(BookedExecution("c", Decimal(0), Decimal(5), Decimal(0), fee, NOW, "e0"))
    assert [part.execution.commission for part in own(gone, shares_of(a=2, b=1))] == [fee, Money(Decimal(0), "USD")]


@pytest.mark.parametrize(("units", "step"), [("7.5", "1"), ("0.37", "0.1"), ("0.0001", "0.1"), ("13", "5")])
def test_units_that_are_no_whole_steps_are_given_all_the_same(units: str, step: str) -> None:
    left = [Decimal("6.3"), Decimal("5.2"), Decimal("4.1")]
    parts = shared_out(Decimal(units), left, Decimal(step))
    assert sum(parts) == Decimal(units)
    assert all(0 <= part <= own for part, own in zip(parts, left, strict=True))


quantities = st.lists(st.decimals("0.1", "20", places=1), min_size=1, max_size=4)


@given(quantities, st.lists(st.decimals("0.1", "9", places=1), max_size=8), st.sampled_from(["1", "0.1", "5"]))
def test_nobody_gets_more_than_a_share_or_gives_any_back_and_all_is_given(
    left: list[Decimal], fills: list[Decimal], step: str
) -> None:
    whole = list(left)
    for units in fills:
        parts = shared_out(units, left, Decimal(step))
        assert all(0 <= part <= own for part, own in zip(parts, left, strict=True))
        assert sum(parts) == min(units, sum(left))
        left = [own - part for own, part in zip(left, parts, strict=True)]
    if sum(fills) >= sum(whole):
        assert not any(left)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1), st.lists(st.integers(1, 6), max_size=6))
def test_what_a_share_has_left_to_get_is_what_it_did_not_get(units: dict[str, int], fills: list[int]) -> None:
    shares, executions = shares_of(**units), filled(*fills)
    left = left_to_get(shares, executions, [*executions.effective()], ONE)
    got = [sum(units_of(own(executions, shares), share.strategy_name)) for share in shares]
    assert [own + rest for own, rest in zip(got, left, strict=True)] == [share.quantity for share in shares]
