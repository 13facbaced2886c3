"""What closes the positions of an account in one instrument, decided without waiting for anything."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.closing import ClosingPlan, Crossing, HeldPart, closing_of, crossings
from liveorder.domain.values import Product, Side

D = Decimal


def closing(own: Mapping[str, int | str], held: Mapping[Product | None, int | str], **more: Any) -> ClosingPlan:
    usual: dict[str, Any] = {"buying": {}, "selling": {}, "usual": None, "lot_size": D(1)}
    of_no_product: dict[Product | None, dict[str, Decimal]] = {None: {name: D(units) for name, units in own.items()}}
    return closing_of(of_no_product, [HeldPart(product, D(quantity)) for product, quantity in held.items()], **usual | more)


def by_product(own: Mapping[str, Mapping[Product | None, int]]) -> dict[Product | None, dict[str, Decimal]]:
    products = {product for parts in own.values() for product in parts}
    return {product: {name: D(parts[product]) for name, parts in own.items() if product in parts} for product in products}


def orders(found: ClosingPlan) -> list[Any]:
    return [
        (order.product, order.side, order.quantity, {share.strategy_name: share.quantity for share in order.shares})
        for order in found.orders
    ]


def test_one_order_closes_what_several_hold_each_with_its_share() -> None:
    found = closing({"a": 10, "b": 5, "c": 0}, {None: 15})
    assert orders(found) == [(None, Side.SELL, 15, {"a": 10, "b": 5})]
    assert found.kept == ()


def test_what_some_hold_against_others_is_no_part_of_the_order() -> None:
    found = closing({"a": 10, "b": 5, "c": -4}, {None: 11})
    assert orders(found) == [(None, Side.SELL, 11, {"a": 8, "b": 3})]
    assert crossings({"a": D(2), "b": D(2), "c": D(-4)}) == [Crossing("a", "c", D(2)), Crossing("b", "c", D(2))]


def test_a_short_position_is_bought_back() -> None:
    assert orders(closing({"a": -10, "b": 4}, {None: -6})) == [(None, Side.BUY, 6, {"a": 6})]


@pytest.mark.parametrize(
    ("own", "held", "kept", "why"),
    [
        ({"a": 10}, 15, 5, "our book has 10: the rest is not ours to close"),
        ({"a": 10}, -10, 10, "our book has 10: the rest is not ours to close"),
        ({}, 3, 3, "our book has 0: the rest is not ours to close"),
        ({"a": "10.4"}, "10.4", D("0.4"), "1 is the smallest size that can be ordered"),
        ({"a": "0.4"}, "0.4", D("0.4"), "1 is the smallest size that can be ordered"),
    ],
)
def test_what_is_kept_says_why(own: dict[str, int | str], held: int | str, kept: Decimal | int, why: str) -> None:
    (left,) = closing(own, {None: held}).kept
    assert (left.quantity, left.reason) == (kept, why)


def test_what_open_and_doubtful_orders_could_take_is_left_to_them() -> None:
    found = closing({"a": 10, "b": 5}, {None: 15}, selling={None: {"a": D(3), "flatten": D(1)}}, buying={None: {"b": D(3)}})
    assert orders(found) == [(None, Side.SELL, 11, {"a": 7, "b": 4})]
    assert found.kept[0].quantity == 4
    assert "in-doubt orders" in found.kept[0].reason


def test_products_are_closed_one_by_one_ours_first_and_a_persons_shares_last() -> None:
    found = closing({"a": 6, "b": 4}, {Product.CNC: 50, Product.MIS: 3, Product.NRML: 5}, usual=Product.NRML)
    assert orders(found) == [
        (Product.NRML, Side.SELL, 5, {"a": 3, "b": 2}),
        (Product.MIS, Side.SELL, 3, {"a": 2, "b": 1}),
        (Product.CNC, Side.SELL, 2, {"a": 1, "b": 1}),
    ]
    assert [(kept.part.product, kept.quantity) for kept in found.kept] == [(Product.CNC, D(48))]


MIS, CNC, NRML = Product.MIS, Product.CNC, Product.NRML


@pytest.mark.parametrize(
    ("own", "held", "doubts", "expected"),
    [
        (
            {"swing": {CNC: 100}, "day": {MIS: -40}},
            {CNC: 100, MIS: -40},
            {},
            [(CNC, Side.SELL, 100, {"swing": 100}), (MIS, Side.BUY, 40, {"day": 40})],
        ),
        ({"a": {MIS: 10, CNC: -10}}, {MIS: 10, CNC: -10}, {}, [(MIS, Side.SELL, 10, {"a": 10}), (CNC, Side.BUY, 10, {"a": 10})]),
        (
            {"a": {MIS: 10}, "b": {CNC: 4}},
            {MIS: 10, CNC: 4},
            {},
            [(MIS, Side.SELL, 10, {"a": 10}), (CNC, Side.SELL, 4, {"b": 4})],
        ),
        ({"a": {MIS: 10}, "b": {CNC: 4}}, {MIS: 10, CNC: 4}, {CNC: {"b": 4}}, [(MIS, Side.SELL, 10, {"a": 10})]),
        ({"swing": {CNC: 10}}, {CNC: 10}, {MIS: {"day": 10}}, [(CNC, Side.SELL, 10, {"swing": 10})]),
        ({"a": {MIS: 10}, "b": {CNC: 4}}, {CNC: 14}, {}, [(CNC, Side.SELL, 14, {"a": 10, "b": 4})]),
        ({"a": {MIS: 10}, "b": {CNC: 4}}, {CNC: 9}, {}, [(CNC, Side.SELL, 9, {"b": 4, "a": 5})]),
        ({"a": {MIS: 10}}, {CNC: 10}, {MIS: {"a": 4}}, [(CNC, Side.SELL, 6, {"a": 6})]),
        (
            {"a": {None: 10}, "b": {MIS: 5}},
            {CNC: 20, MIS: 9},
            {},
            [(MIS, Side.SELL, 9, {"b": 5, "a": 4}), (CNC, Side.SELL, 6, {"a": 6})],
        ),
        (
            {"a": {MIS: 10}, "b": {MIS: -4}, "c": {None: 5}},
            {MIS: 6, CNC: 5},
            {},
            [(MIS, Side.SELL, 6, {"a": 6}), (CNC, Side.SELL, 5, {"c": 5})],
        ),
        ({"a": {MIS: 10}, "b": {CNC: -4}}, {None: 6}, {}, [(None, Side.SELL, 6, {"a": 6})]),
        ({"a": {MIS: 10}}, {MIS: 10}, {None: {"a": 3}}, [(MIS, Side.SELL, 7, {"a": 7})]),
        ({"a": {None: 10}}, {MIS: 3, CNC: 50}, {MIS: {"a": 4}}, [(CNC, Side.SELL, 6, {"a": 6})]),
        ({"a": {None: 10}}, {CNC: 50}, {MIS: {"b": 4}}, [(CNC, Side.SELL, 10, {"a": 10})]),
    ],
)
def test_each_product_is_closed_for_those_who_hold_it_and_what_is_left_of_ours_under_others(
    own: Any, held: Any, doubts: Any, expected: list[Any]
) -> None:
    """`doubts`: open orders to sell."""
    selling = {product: {name: D(units) for name, units in theirs.items()} for product, theirs in doubts.items()}
    parts = [HeldPart(product, D(units)) for product, units in held.items()]
    found = closing_of(by_product(own), parts, buying={}, selling=selling, usual=None, lot_size=D(1))
    assert orders(found) == expected


PARTS = st.dictionaries(st.sampled_from((MIS, CNC, NRML, None)), st.integers(-9, 9), max_size=3)


@given(st.dictionaries(st.sampled_from("abc"), PARTS), st.dictionaries(st.sampled_from((MIS, CNC, NRML)), st.integers(-15, 15)))
def test_what_our_book_and_the_broker_have_alike_is_closed_for_its_holders(
    own: Mapping[str, Mapping[Product | None, int]], held: Mapping[Product, int]
) -> None:
    """What is held under others neither adds to that nor takes from it, and nobody's share is of more than is his on that side."""
    parts = [HeldPart(product, D(units)) for product, units in held.items()]
    found = closing_of(by_product(own), parts, buying={}, selling={}, usual=CNC, lot_size=D(1))
    closed = {(order.product, order.side): order for order in found.orders}
    for product, units in held.items():
        side = Side.SELL if units > 0 else Side.BUY
        ours = sum(theirs.get(product, 0) for theirs in own.values())
        alike = min(abs(ours), abs(units)) if ours * units > 0 else 0
        order = closed.get((product, side))
        assert (order.quantity if order else 0) >= alike
        assert (order.quantity if order else 0) <= abs(units)
    for name, theirs in own.items():
        for side in Side:
            shares = [share for order in found.orders if order.side is side for share in order.shares]
            shared = sum(share.quantity for share in shares if share.strategy_name == name)
            assert shared <= sum(abs(units) for units in theirs.values() if side.sign * units < 0)


names, holdings = st.sampled_from("abcd"), st.decimals("-30", "30", places=1)


@given(st.dictionaries(names, holdings), st.lists(holdings, max_size=3), st.sampled_from(["1", "0.1", "5"]))
def test_no_strategy_is_closed_beyond_what_it_holds_nor_any_part(own: dict[str, Decimal], held: list[Decimal], lot: str) -> None:
    products = [None, Product.MIS, Product.CNC]
    parts = {product: str(quantity) for product, quantity in zip(products, held, strict=False)}
    found = closing({name: str(units) for name, units in own.items()}, parts, lot_size=D(lot))
    left = dict(own)
    for order in found.orders:
        assert order.quantity == sum(share.quantity for share in order.shares)
        assert order.quantity <= abs(D(parts[order.product]))
        assert order.side.sign * D(parts[order.product]) < 0
        for share in order.shares:
            before = left[share.strategy_name]
            left[share.strategy_name] += order.side.signed(share.quantity)
            assert before * left[share.strategy_name] >= 0
            assert before * order.side.sign < 0
    assert abs(sum(left.values(), D(0))) <= abs(sum(own.values(), D(0)))


@given(st.dictionaries(names, holdings))
def test_crossing_leaves_one_side_alone_and_the_account_as_it_was(own: dict[str, Decimal]) -> None:
    left = dict(own)
    for crossing in crossings(own):
        assert crossing.quantity > 0
        left[crossing.long] -= crossing.quantity
        left[crossing.short] += crossing.quantity
    assert sum(left.values(), D(0)) == sum(own.values(), D(0))
    assert not (any(units > 0 for units in left.values()) and any(units < 0 for units in left.values()))
    assert all(left[name] * own[name] >= 0 and abs(left[name]) <= abs(own[name]) for name in own)
