"""How much a broker may still keep of what was bought, and whose it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.fees_in_kind import SETTLED_WITHIN, UNIT_STEP, Bought, FeesDue, Share, Stock, largest_fee
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass

D = Decimal
MONDAY = date(2025, 3, 10)
COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)
RATE = D("0.0025")


def bought(quantity: str, price: str = "60000", strategy: str = "trend", session: date = MONDAY) -> Bought:
    units = D(quantity)
    most = largest_fee(abs(units), RATE).copy_sign(units)
    return Bought(session, strategy, units, units * D(price), most)


def due(*fills: Bought) -> FeesDue:
    known = FeesDue(instrument=COIN)
    for fill in fills:
        known = known.with_fill(fill)
    return known


@pytest.mark.parametrize(
    ("quantity", "fee"),
    [("0.1", "0.00025"), ("13.9083", "0.03477075"), ("2.75634854", "0.006890872"), ("6.04178279", "0.015104457"), ("1E-9", "1E-9")],
)
def test_a_fee_is_rounded_up_to_nine_decimals(quantity: str, fee: str) -> None:
    """Figures of real fees at Alpaca."""
    assert largest_fee(D(quantity), RATE) == D(fee)


def test_a_fee_is_exact_whatever_decimal_context_an_embedding_program_has() -> None:
    fills = bought("123456.123456789"), bought("0.1")
    with localcontext() as context:
        context.prec = 3
        assert largest_fee(D("123456.123456789"), RATE) == D("308.640308642")
        known = due(*fills)
        assert known.left(MONDAY) == D("308.640558642")
        assert [share.units for share in known.shares(D("308.640558642"), MONDAY)] == [D("308.640558642")]


def test_what_is_bought_adds_up_by_strategy_and_session_and_what_is_taken_comes_off() -> None:
    known = due(bought("0.1"), bought("0.3"), bought("0.1", strategy="mean"))
    assert known.left(MONDAY) == D("0.00125")
    assert len(known.bought) == 2
    known = known.with_fee(MONDAY, "trend", D("0.0004"))
    assert known.left(MONDAY) == D("0.00085")
    assert known.with_fee(MONDAY, "trend", D("0.0006")).left(MONDAY) == D("0.00025")


def test_what_was_taken_back_leaves_no_fee_from_the_newest_on() -> None:
    tuesday = MONDAY + timedelta(days=1)
    known = due(bought("0.1"), bought("0.3", session=tuesday), bought("-0.3", session=tuesday))
    assert known.left(tuesday) == D("0.00025")
    assert due(bought("0.1"), bought("-0.1", session=tuesday)).bought == ()
    assert due(bought("-0.1")).bought == ()
    taken = due(bought("0.1"), bought("0.1")).with_fee(MONDAY, "trend", D("0.0005"))
    assert taken.with_fill(bought("-0.1")).left(MONDAY) == 0


def test_what_was_bought_long_ago_counts_no_more() -> None:
    known = due(bought("0.1"))
    assert known.left(MONDAY + SETTLED_WITHIN) == D("0.00025")
    assert known.left(MONDAY + SETTLED_WITHIN + timedelta(days=1)) == 0
    later = MONDAY + SETTLED_WITHIN + timedelta(days=1)
    assert [each.session for each in known.with_fill(bought("0.1", session=later)).bought] == [later]


def test_strategies_share_a_fee_by_what_they_bought_at_what_they_paid() -> None:
    known = due(bought("0.1"), bought("0.1", "66000"), bought("0.1", "70000", strategy="mean"))
    assert known.shares(D("0.00075"), MONDAY) == [Share("trend", D("0.0005"), D(63000)), Share("mean", D("0.00025"), D(70000))]
    assert known.shares(D("0.0006"), MONDAY) == [Share("trend", D("0.0004"), D(63000)), Share("mean", D("0.0002"), D(70000))]
    assert known.shares(D("1E-9"), MONDAY) == [Share("mean", D("1E-9"), D(70000))]


def test_it_is_written_and_read_exactly() -> None:
    known = due(bought("0.123456789"), bought("0.1", strategy="mean")).with_fee(MONDAY, "mean", D("0.0001"))
    assert FeesDue.from_json(known.to_json()) == known


lots = st.tuples(st.integers(1, 10**12), st.integers(0, 10**6), st.sampled_from(["trend", "mean", "grid"]), st.integers(0, 3))


@given(st.lists(lots, min_size=1, max_size=8), st.data())
def test_shares_add_up_to_the_last_digit_and_no_strategy_bears_more_than_it_may(
    fills: list[tuple[int, int, str, int]], data: st.DataObject
) -> None:
    today, known = MONDAY + timedelta(days=3), FeesDue(instrument=COIN)
    for units, price, strategy, day in sorted(fills, key=lambda fill: fill[3]):
        quantity = units * UNIT_STEP
        session = MONDAY + timedelta(days=day)
        known = known.with_fill(Bought(session, strategy, quantity, quantity * price, largest_fee(quantity, RATE)))
    left = known.left(today)
    fee = data.draw(st.integers(1, int(left / UNIT_STEP))) * UNIT_STEP
    shares = known.shares(fee, today)
    assert sum(share.units for share in shares) == fee
    for share in shares:
        own = sum((each.left for each in known.bought if each.strategy_name == share.strategy_name), D(0))
        assert 0 < share.units <= own
        known = known.with_fee(today, share.strategy_name, share.units)
    assert known.left(today) == left - fee


# --- what is sold meanwhile -----------------------------------------------------------------------------------------------------

STOCK = Stock(held=D("1.1"), selling=D("0.1"), paid_in_kind=D(0), largest_fee=D("0.003"))
LOTS = COIN.but(lot_size=D("0.0001"))


@pytest.mark.parametrize(
    ("wanted", "theirs", "expected"),
    [
        ("1", "1.098", "0.998"),
        ("1", "1.09795", "0.9979"),
        ("1", "1.1", "1"),
        ("1", "1.2", "1"),
        ("1", "1.05", "0.997"),
        ("1", None, "0.997"),
        ("0.997", None, "0.997"),
        ("1.01", None, "1.01"),
    ],
    ids=["a fee", "to the lot", "no fee", "it has more", "no fee can be so large", "not known", "covered", "more than is held"],
)
def test_no_more_is_sold_than_the_broker_has_by_its_fees(wanted: str, theirs: str | None, expected: str) -> None:
    assert STOCK.sellable(D(wanted), LOTS, None if theirs is None else D(theirs)) == D(expected)


def test_what_was_bought_can_be_sold_whole_though_a_fee_on_it_is_booked_already() -> None:
    booked = replace(STOCK, held=D("1.098"), paid_in_kind=D("0.002"), largest_fee=D(0))
    assert booked.sellable(D(1), LOTS, None) == D("0.998")
    assert booked.sellable(D("1.0001"), LOTS, None) == D("1.0001")


def test_what_is_less_than_a_lot_after_the_fee_is_left_as_it_is() -> None:
    dust = Stock(D("0.0001"), D(0), D(0), D("0.00005"))
    assert dust.sellable(D("0.0001"), LOTS, None) == D("0.0001")


def test_what_is_covered_whatever_was_kept_needs_no_question() -> None:
    assert STOCK.covers(D("0.997"))
    assert not STOCK.covers(D("0.9971"))


@pytest.mark.parametrize(
    ("missing", "expected"), [("0", False), ("-0.00025", False), ("1E-9", True), ("0.00025", True), ("0.000250001", False)]
)
def test_only_what_may_be_due_explains_what_the_broker_lacks(missing: str, expected: bool) -> None:
    assert due(bought("0.1")).explains(D(missing), MONDAY) is expected


def test_a_fee_of_what_was_bought_long_ago_explains_nothing() -> None:
    assert not due(bought("0.1")).explains(D("0.00025"), MONDAY + SETTLED_WITHIN + timedelta(days=1))


@given(
    st.lists(st.tuples(st.decimals("0.0001", "5", places=4), st.sampled_from(["trend", "carry"])), min_size=1, max_size=5),
    st.decimals("0.0001", "9", places=4),
    st.decimals("0", "1", places=2),
)
def test_what_is_still_due_goes_with_the_units_and_none_of_it_is_lost(
    fills: list[tuple[Decimal, str]], units: Decimal, taken: Decimal
) -> None:
    before = due(*(bought(f"{quantity}", strategy=name) for quantity, name in fills))
    before = before.with_fee(MONDAY, "trend", before.left(MONDAY) * taken)
    held = sum((quantity for quantity, name in fills if name == "trend"), D(0))
    if not held:
        return
    after = before.moved(MONDAY, "trend", "carry", units, held)
    assert after.left(MONDAY) == before.left(MONDAY)
    assert sum(lot.value for lot in after.bought) == sum(lot.value for lot in before.bought)
    of_giver = sum((lot.left for lot in after.bought if lot.strategy_name == "trend"), D(0))
    was = sum((lot.left for lot in before.bought if lot.strategy_name == "trend"), D(0))
    wanted = was * max(held - units, D(0)) / held
    assert 0 <= wanted - of_giver <= UNIT_STEP * len(fills)
    assert not after.left(MONDAY) or sum(share.units for share in after.shares(after.left(MONDAY), MONDAY)) == after.left(MONDAY)
