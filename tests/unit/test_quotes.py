"""Which of bid, ask and last an order is reckoned by."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import Side
from tests.builders import START

OLD, NEW = START - timedelta(minutes=10), START - timedelta(seconds=1)


def price(amount: int, is_fresh: bool) -> Price:
    return Price(Decimal(amount), NEW if is_fresh else OLD)


def quote(bid: bool | None, ask: bool | None, last: bool | None) -> Quote:
    """Bid 9, ask 11, last 10; each fresh, old or not there."""
    told = {"bid": (9, bid), "ask": (11, ask), "last": (10, last)}
    return Quote(**{name: price(amount, is_fresh) for name, (amount, is_fresh) in told.items() if is_fresh is not None})


@pytest.mark.parametrize(
    ("told", "buys_at", "sells_at"),
    [
        (quote(True, True, True), 11, 9),
        (quote(True, True, False), 11, 9),
        (quote(True, True, None), 11, 9),
        (quote(False, False, True), 10, 10),
        (quote(None, None, True), 10, 10),
        (quote(True, False, True), 10, 9),
        (quote(True, None, None), 9, 9),
        (quote(False, True, None), 11, 11),
    ],
)
def test_an_order_meets_the_other_side_then_the_last_trade_then_its_own_side_if_fresh(
    told: Quote, buys_at: int, sells_at: int
) -> None:
    for side, amount in ((Side.BUY, buys_at), (Side.SELL, sells_at)):
        met = told.met_by(side, START, 60)
        assert met == price(amount, is_fresh=True)


def test_where_no_price_is_fresh_the_newest_tells_how_old_they_are() -> None:
    newest = Price(Decimal(10), OLD + timedelta(minutes=1))
    told = Quote(bid=price(9, is_fresh=False), ask=price(11, is_fresh=False), last=newest)
    assert told.met_by(Side.BUY, START, 60) == told.met_by(Side.SELL, START, 60) == newest
    assert newest.age_seconds(START) == 540
    assert Quote().met_by(Side.BUY, START, 60) is None


@pytest.mark.parametrize(("last", "ask", "amount"), [(100, 101, 100), (None, 101, 101), (None, None, "0.01")])
def test_a_stub_bid_is_no_price_where_there_is_another(last: int | None, ask: int | None, amount: object) -> None:
    """By 0.01 a SELL for 1,000 would be of 100,000 shares, and any limit would pass the collar."""
    told = Quote(
        bid=Price(Decimal("0.01"), NEW),
        last=None if last is None else price(last, is_fresh=True),
        ask=None if ask is None else price(ask, is_fresh=True),
    )
    assert told.met_by(Side.SELL, START, 60) == Price(Decimal(str(amount)), NEW)
