"""What a signal opens or closes, by what its strategy has: the figures of docs/positions.md, and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.amount import Amount, Basis, equity_of
from liveorder.domain.broker_account import BrokerAccount, figures
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.position_effect import amount_of, depends_on_holdings, side_for_price
from liveorder.domain.risk import Exposure, OpenExposure, OpenSide, ProductPart, RiskRefusal, Stake
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.domain.standing import Standing
from liveorder.domain.values import AssetClass, OrderRole, OrderType, PositionEffect, Side, TradingMode

D, NOW = Decimal, datetime(2025, 3, 10, 16, tzinfo=UTC)
SPY = Instrument(symbol="SPY", exchange="ARCA")
COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO, lot_size=D("0.0001"))
SHORTS, LONGS = RiskLimits(allow_short_selling=True), RiskLimits()


def an_order(number: int, side: str, quantity: str, how: str = "", *, role: str = "EXIT") -> OpenExposure:
    """At the market, unless it is `resting`; or `in_doubt`."""
    kind = {"order_type": OrderType.STOP, "stop_price": D(90)} if how == "resting" else {"order_type": OrderType.MARKET}
    terms = OrderTerms(side=Side(side), role=OrderRole(role), **kind)
    of_order = UUID(int=number), SPY.key, Side(side), D(quantity), D(0), how == "in_doubt", "trend"
    return OpenExposure(*of_order, terms=terms, rests=how == "resting")


def standing(held: str | int = 0, *orders: OpenExposure, account: str | None = None, difference: str | None = "0") -> Standing:
    """What `trend` has; the account has no more, unless told otherwise."""
    own = Stake(D(held))
    for each in orders:
        own = own.plus(each.side, each.quantity)
    whole = Exposure(D(account or held), D(0), OpenSide(own.buys), OpenSide(own.sells))
    return Standing("trend", own, whole, None if difference is None else D(difference), orders)


def amount(
    fields: dict[str, Any],
    has: Standing,
    *,
    price: str | None = "100",
    instrument: Instrument = SPY,
    limits: RiskLimits = LONGS,
    equity: str | RiskRefusal | None = "10000",
    crosses_zero: bool = True,
) -> Amount:
    signal = Signal(**{"signal_id": "s1", "symbol": instrument.symbol} | fields)
    of_account = D(equity) if isinstance(equity, str) else equity
    at, long_only = None if price is None else D(price), not limits.allow_short_selling
    by = Basis(instrument, at, limits, False, has, of_account, crosses_zero=crosses_zero, is_long_only=long_only)
    return amount_of(signal, by)


def came_to(found: Amount) -> str:
    """`SELL 10 CLOSE`, or the code of the refusal or problem."""
    cancelled = " and ".join(f"{each.side} {each.quantity:f}" for each in found.in_the_way)
    first = f", {cancelled} cancelled first" if cancelled else ""
    if found.in_doubt:
        return "waits for " + " and ".join(f"{each.side} {each.quantity:f}" for each in found.in_doubt)
    if found.refusal is not None:
        return found.refusal.code + first
    if found.problem is not None:
        return f"invalid_{found.problem.field}"
    size = f"{found.quantity:f}" if found.quantity is not None else f"{found.notional:f} of money"
    then = ", then the other side" if found.is_first_leg else ""
    return " ".join([found.side, size, *([found.effect] if found.effect is not None else [])]) + first + then


CLOSE, OPEN = {"position_effect": "CLOSE"}, {"position_effect": "OPEN"}
SELL, BUY = {"side": "SELL"}, {"side": "BUY"}
ENTRY, EXIT = an_order(1, "BUY", "5"), an_order(2, "SELL", "4")
DOUBT = an_order(6, "BUY", "5", "in_doubt")
STOP, SMALL = an_order(4, "SELL", "20", "resting"), an_order(5, "SELL", "5", "resting")
LIMIT_TERMS = OrderTerms(side=Side.SELL, role=OrderRole.EXIT, order_type=OrderType.LIMIT, limit_price=D(110))
A_LIMIT = EXIT._replace(terms=LIMIT_TERMS, rests=True)
OF_A_TARGET = A_LIMIT._replace(terms=LIMIT_TERMS.but(target_quantity=D(0)))


@pytest.mark.parametrize("limits", [LONGS, SHORTS], ids=["long only", "shorts"])
@pytest.mark.parametrize(
    ("fields", "has", "expected"),
    [
        # no size, on the other side of what is held: all of it
        (SELL, standing(20), "SELL 20 CLOSE"),
        (BUY, standing(-20), "BUY 20 CLOSE"),
        (SELL | CLOSE, standing(20), "SELL 20 CLOSE"),
        (CLOSE, standing(20), "SELL 20 CLOSE"),
        (CLOSE, standing(-20), "BUY 20 CLOSE"),
        ({"role": "EXIT"}, standing(20), "SELL 20 CLOSE"),
        (SELL | {"role": "STOP_LOSS"}, standing(20), "SELL 20 CLOSE"),
        (SELL, standing(20, ENTRY), "SELL 20 CLOSE"),
        (SELL, standing(20, EXIT), "SELL 16 CLOSE"),
        # no size otherwise: position_size, 1000 at a price of 100
        (BUY, standing(), "BUY 10"),
        (BUY, standing(20), "BUY 10"),
        (SELL, standing(-20), "SELL 10"),
        (SELL, standing(), "SELL 10"),
        (BUY | OPEN, standing(20), "BUY 10 OPEN"),
        # a sized CLOSE is at most what is held and no exit of its own takes
        (SELL | CLOSE | {"quantity": 7}, standing(20), "SELL 7 CLOSE"),
        (SELL | CLOSE | {"quantity": 25}, standing(20), "SELL 20 CLOSE"),
        (SELL | CLOSE | {"quantity": 25}, standing(20, EXIT), "SELL 16 CLOSE"),
        (BUY | CLOSE | {"quantity": 25}, standing(-20), "BUY 20 CLOSE"),
        (SELL | CLOSE | {"notional": 550}, standing(20), "SELL 5 CLOSE"),
        (SELL | CLOSE | {"notional": 9000}, standing(20), "SELL 20 CLOSE"),
        (CLOSE | {"percent": 50}, standing(20), "SELL 10 CLOSE"),
        (CLOSE | {"percent": 33}, standing(20), "SELL 6 CLOSE"),
        (CLOSE | {"percent": 100}, standing(20, EXIT), "SELL 16 CLOSE"),
        (CLOSE | {"percent": 4}, standing(20), "invalid_quantity"),
        # resting exits make way: all of them for all of it, and else no more than is needed
        (SELL, standing(20, STOP), "SELL 20 CLOSE, SELL 20 cancelled first"),
        (CLOSE, standing(20, EXIT, STOP), "SELL 16 CLOSE, SELL 20 cancelled first"),
        (SELL | CLOSE | {"quantity": 7}, standing(20, STOP), "SELL 7 CLOSE, SELL 20 cancelled first"),
        (SELL | CLOSE | {"quantity": 7}, standing(20, SMALL), "SELL 7 CLOSE"),
        (SELL | CLOSE | {"quantity": 16}, standing(20, SMALL), "SELL 16 CLOSE, SELL 5 cancelled first"),
        (SELL | CLOSE | {"quantity": 25}, standing(20, SMALL), "SELL 20 CLOSE, SELL 5 cancelled first"),
        (CLOSE | {"percent": 50}, standing(20, SMALL), "SELL 10 CLOSE"),
        (SELL | CLOSE, standing(4, EXIT, SMALL), "already_closing"),
        (SELL | {"role": "STOP_LOSS"}, standing(20, SMALL), "SELL 15 CLOSE"),
        (SELL | {"role": "STOP_LOSS"}, standing(20, STOP), "already_closing"),
        # what nothing is left of
        (SELL | CLOSE, standing(), "nothing_to_close"),
        (CLOSE | {"quantity": 5}, standing(), "nothing_to_close"),
        # what rests with nothing behind it would open the other side: a close of all has it cancelled
        (CLOSE, standing(0, A_LIMIT), "nothing_to_close, SELL 4 cancelled first"),
        (SELL | CLOSE, standing(0, A_LIMIT, STOP), "nothing_to_close, SELL 4 and SELL 20 cancelled first"),
        (SELL | {"role": "EXIT"}, standing(0, A_LIMIT), "nothing_to_close, SELL 4 cancelled first"),
        (SELL | {"role": "STOP_LOSS"}, standing(0, A_LIMIT), "nothing_to_close"),
        (SELL | CLOSE | {"quantity": 4}, standing(0, A_LIMIT), "nothing_to_close"),
        (SELL | CLOSE, standing(0, A_LIMIT, ENTRY), "entry_is_open"),
        (SELL | CLOSE, standing(0, ENTRY), "entry_is_open"),
        (SELL, standing(0, ENTRY), "entry_is_open"),
        (BUY | {"role": "EXIT"}, standing(0, EXIT), "entry_is_open"),
        (SELL | CLOSE, standing(4, EXIT), "already_closing"),
        (SELL, standing(4, EXIT), "already_closing"),
        (BUY | CLOSE, standing(20), "close_would_add"),
        (SELL | {"role": "EXIT", "quantity": 5}, standing(-20), "close_would_add"),
        # what opens
        (BUY | OPEN | {"percent": 5}, standing(), "BUY 5 OPEN"),
        (BUY | {"risk_percent": 1, "stop_loss": 90}, standing(), "BUY 10"),
        (BUY | {"risk_percent": 1, "stop_loss": 93}, standing(), "BUY 14"),
        (BUY | {"risk_percent": 1, "stop_loss": 100}, standing(), "invalid_stop_loss"),
        (BUY | {"risk_percent": 1, "stop_loss": 107}, standing(), "invalid_stop_loss"),
        (SELL | OPEN | {"risk_percent": 1, "stop_loss": 107}, standing(), "SELL 14 OPEN"),
        (SELL | OPEN | {"risk_percent": 1, "stop_loss": 93}, standing(), "invalid_stop_loss"),
        (BUY | {"quantity": 7}, standing(-20), "BUY 7"),
        # targets
        ({"target_quantity": 15}, standing(), "BUY 15 OPEN"),
        ({"target_quantity": 15}, standing(10), "BUY 5 OPEN"),
        ({"target_quantity": 15}, standing(10, ENTRY), "at_target"),
        ({"target_quantity": 20}, standing(10, ENTRY), "BUY 5 OPEN"),
        ({"target_quantity": 4}, standing(10), "SELL 6 CLOSE"),
        ({"target_quantity": 0}, standing(10), "SELL 10 CLOSE"),
        ({"target_quantity": 0}, standing(10, EXIT), "SELL 6 CLOSE"),
        ({"target_quantity": 0}, standing(4, EXIT), "at_target"),
        ({"target_quantity": 0}, standing(), "at_target"),
        ({"target_quantity": -4}, standing(-10), "BUY 6 CLOSE"),
        ({"target_quantity": -14}, standing(-10), "SELL 4 OPEN"),
        ({"target_quantity": 20}, standing(10, EXIT), "BUY 10 OPEN, SELL 4 cancelled first"),
        ({"target_quantity": 8}, standing(10, ENTRY), "SELL 2 CLOSE, BUY 5 cancelled first"),
        ({"target_quantity": 10}, standing(10, ENTRY), "at_target, BUY 5 cancelled first"),
        ({"target_quantity": 20}, standing(10, DOUBT), "BUY 5 OPEN"),
        ({"target_quantity": 30}, standing(10, DOUBT, ENTRY), "BUY 10 OPEN"),
        ({"target_quantity": 15}, standing(10, DOUBT), "waits for BUY 5"),
        ({"target_quantity": 12}, standing(10, DOUBT), "waits for BUY 5"),
        ({"target_quantity": 10}, standing(10, DOUBT), "waits for BUY 5"),
        ({"target_quantity": 4}, standing(10, DOUBT), "SELL 6 CLOSE, BUY 5 cancelled first"),
        ({"target_quantity": 2}, standing(10, an_order(7, "SELL", "4", "in_doubt")), "SELL 4 CLOSE"),
        ({"target_quantity": "10.5"}, standing(10), "at_target"),
        # a stop is not on the way to a target: it stands unless there is no room for it; at zero nothing stands
        ({"target_quantity": 10}, standing(10, an_order(1, "SELL", "10", "resting")), "at_target"),
        ({"target_quantity": 10}, standing(10, SMALL, ENTRY), "at_target, BUY 5 cancelled first"),
        ({"target_quantity": 15}, standing(10, SMALL, ENTRY), "at_target"),
        ({"target_quantity": 20}, standing(10, SMALL), "BUY 10 OPEN"),
        ({"target_quantity": 5}, standing(10, SMALL), "SELL 5 CLOSE"),
        ({"target_quantity": 4}, standing(10, SMALL), "SELL 6 CLOSE, SELL 5 cancelled first"),
        ({"target_quantity": 4}, standing(10, an_order(1, "SELL", "10", "resting")), "SELL 6 CLOSE, SELL 10 cancelled first"),
        ({"target_quantity": 0}, standing(10, an_order(1, "SELL", "10", "resting")), "SELL 10 CLOSE, SELL 10 cancelled first"),
        ({"target_quantity": 0}, standing(10, SMALL), "SELL 10 CLOSE, SELL 5 cancelled first"),
        ({"target_quantity": 0}, standing(10, EXIT, SMALL), "SELL 6 CLOSE, SELL 5 cancelled first"),
        ({"target_percent": 0}, standing(10, SMALL), "SELL 10 CLOSE, SELL 5 cancelled first"),
        ({"target_quantity": -10}, standing(-10, an_order(1, "BUY", "10", "resting")), "at_target"),
        ({"target_quantity": 0}, standing(-10, an_order(1, "BUY", "10", "resting")), "BUY 10 CLOSE, BUY 10 cancelled first"),
        ({"target_quantity": 10}, standing(10, A_LIMIT), "at_target, SELL 4 cancelled first"),
        ({"target_quantity": 6}, standing(10, A_LIMIT), "at_target"),
        ({"target_quantity": 4}, standing(10, A_LIMIT, SMALL), "SELL 2 CLOSE, SELL 5 cancelled first"),
        ({"target_quantity": 0}, standing(10, A_LIMIT), "SELL 10 CLOSE, SELL 4 cancelled first"),
        ({"target_quantity": 0}, standing(4, OF_A_TARGET), "SELL 4 CLOSE, SELL 4 cancelled first"),
        ({"target_quantity": 0, "order_type": "LIMIT", "limit_price": 110}, standing(4, OF_A_TARGET), "at_target"),
        (SELL | {"target_quantity": 4}, standing(10), "SELL 6 CLOSE"),
        (BUY | {"target_quantity": 4}, standing(10), "target_side"),
        ({"target_percent": 10}, standing(), "BUY 10 OPEN"),
        ({"target_percent": "9.99"}, standing(10), "SELL 1 CLOSE"),
        ({"target_percent": -10}, standing(-4), "SELL 6 OPEN"),
        ({"target_percent": "0.5"}, standing(10), "SELL 10 CLOSE"),
        ({"target_percent": 0}, standing(10), "SELL 10 CLOSE"),
    ],
)
def test_what_a_signal_comes_to(fields: dict[str, Any], has: Standing, limits: RiskLimits, expected: str) -> None:
    assert came_to(amount(fields, has, limits=limits)) == expected


@pytest.mark.parametrize(
    ("fields", "has", "refused", "whole", "in_legs"),
    [
        (SELL | OPEN, standing(20), "reversal", "SELL 30", "SELL 20 CLOSE"),
        (BUY | OPEN | {"quantity": 5}, standing(-20), "reversal", "BUY 25", "BUY 20 CLOSE"),
        (SELL | OPEN | {"percent": 5}, standing(20), "reversal", "SELL 25", "SELL 20 CLOSE"),
        (SELL | OPEN | {"quantity": 5}, standing(20, EXIT), "reversal", "SELL 21", "SELL 16 CLOSE"),
        (SELL | OPEN | {"quantity": 5}, standing(4, EXIT), "reversal", "reversal", "reversal"),
        (SELL | {"quantity": 25}, standing(20), "SELL 25", "SELL 25", "SELL 20 CLOSE"),
        (SELL | {"quantity": 20}, standing(20), "SELL 20", "SELL 20", "SELL 20"),
        (SELL | {"quantity": 17}, standing(20, EXIT), "SELL 17", "SELL 17", "SELL 16 CLOSE"),
        (SELL | {"quantity": 5}, standing(4, EXIT), "SELL 5", "SELL 5", "SELL 5"),
        (BUY | {"quantity": 27}, standing(-20), "BUY 27", "BUY 27", "BUY 20 CLOSE"),
        ({"target_quantity": -4}, standing(10), "reversal", "SELL 14", "SELL 10 CLOSE"),
        ({"target_quantity": 4}, standing(-10), "reversal", "BUY 14", "BUY 10 CLOSE"),
        ({"target_quantity": -4}, standing(10, EXIT), "reversal", "SELL 10", "SELL 6 CLOSE"),
    ],
)
def test_a_reversal_goes_in_one_order_or_in_two(fields: Any, has: Standing, refused: str, whole: str, in_legs: str) -> None:
    """Where shorting is allowed; else it is as it was."""
    assert came_to(amount(fields, has)) == refused
    assert came_to(amount(fields, has, limits=SHORTS)) == whole
    then = ", then the other side" if in_legs.endswith("CLOSE") else ""
    assert came_to(amount(fields, has, limits=SHORTS, crosses_zero=False)) == in_legs + then


def test_a_reversal_has_resting_exits_and_entries_cancelled_first_and_is_in_legs_while_something_is_in_doubt() -> None:
    sized = SELL | {"quantity": 25}
    assert came_to(amount(sized, standing(20, STOP, ENTRY), limits=SHORTS)) == "SELL 25, SELL 20 and BUY 5 cancelled first"
    assert came_to(amount({"target_quantity": -4}, standing(20, STOP), limits=SHORTS)) == "SELL 24, SELL 20 cancelled first"
    assert came_to(amount({"target_quantity": -4}, standing(0, ENTRY), limits=SHORTS)) == "SELL 4 OPEN, BUY 5 cancelled first"
    doubtful = standing(20, an_order(8, "SELL", "4", "in_doubt"))
    assert came_to(amount(sized, doubtful, limits=SHORTS)) == "SELL 16 CLOSE, then the other side"
    assert came_to(amount({"target_quantity": -4}, doubtful, limits=SHORTS)) == "SELL 16 CLOSE, then the other side"


def test_a_sale_for_money_without_an_effect_is_of_what_is_held_unless_shorting_is_allowed() -> None:
    assert came_to(amount(SELL | {"notional": 550}, standing(20))) == "SELL 5"
    assert came_to(amount(SELL | {"notional": 5500}, standing(20))) == "SELL 20"
    assert came_to(amount(SELL | {"notional": 5500}, standing(20, EXIT))) == "SELL 16"
    assert came_to(amount(SELL | {"notional": 5500}, standing(20), limits=SHORTS)) == "SELL 55"
    apart = amount(SELL | {"notional": 5500}, standing(20), limits=SHORTS, crosses_zero=False)
    assert came_to(apart) == "SELL 20 CLOSE, then the other side"


def test_every_part_of_a_coin_goes_and_what_is_below_a_lot_stays_and_is_said() -> None:
    assert came_to(amount(CLOSE, standing("0.0166"), instrument=COIN)) == "SELL 0.0166 CLOSE"
    whole = amount(CLOSE, standing("0.01667"), instrument=COIN)
    assert came_to(whole) == "SELL 0.0166 CLOSE"
    assert whole.figures == {"held": "0.01667", "closable": "0.01667", "stays": "0.00007"}
    dust = amount(CLOSE, standing("0.00007"), instrument=COIN)
    assert str(dust.problem) == "quantity: 0.00007 BTC/USD is less than one lot of 0.0001; it stays as it is"


def test_a_sized_close_asks_for_no_more_than_it_says() -> None:
    assert "stays" not in amount(CLOSE | {"quantity": 5}, standing(20)).figures


@pytest.mark.parametrize(
    ("has", "limits", "expected"),
    [
        (standing(10, account="4"), LONGS, "SELL 4 CLOSE"),  # another strategy is short of 6
        (standing(10, account="4"), SHORTS, "SELL 10 CLOSE"),
        (standing(10, account="0"), LONGS, "SELL 10 CLOSE"),  # the rules say why not
        (standing(10, difference="-6"), SHORTS, "SELL 4 CLOSE"),  # sold elsewhere
        (standing(10, difference="-10"), SHORTS, "SELL 10 CLOSE"),
        (standing(10, difference=None), SHORTS, "SELL 10 CLOSE"),
    ],
)
def test_no_more_is_closed_than_the_broker_has(has: Standing, limits: RiskLimits, expected: str) -> None:
    """Where it may have nothing of it, the order is for the whole, and the risk rules say so."""
    assert came_to(amount(CLOSE, has, limits=limits)) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"position_effect": "CLOSE"}, "SELL 6 CLOSE, SELL 6 cancelled first"),
        ({"target_quantity": 2}, "SELL 4 CLOSE, SELL 6 cancelled first"),
    ],
    ids=["close", "target"],
)
def test_what_an_order_that_makes_way_may_have_filled_is_no_sale_of_a_persons(asked: dict[str, Any], expected: str) -> None:
    """The broker has 6 less than we, which our resting exit can have taken: known once that is over. 7 it cannot."""
    has = standing(6, an_order(1, "SELL", "6", "resting"))
    assert came_to(amount(asked, has._replace(heard_difference=D(-6)))) == expected
    assert came_to(amount(asked, has._replace(heard_difference=D(-7)))) == "nothing_to_close"
    part = ProductPart(has.own, has.account, heard_difference=D(-6))
    assert part.without(Side.SELL, D(6), D(6)).heard_difference == 0
    assert part.without(Side.BUY, D(0), D(0)).heard_difference == -6


MARKETABLE, RESTING = {"side": "SELL"}, {"side": "SELL", "order_type": "LIMIT", "limit_price": 105}


@pytest.mark.parametrize(
    ("has", "sale", "quantity", "expected"),
    [
        (standing(0, an_order(1, "BUY", "10", role="ENTRY")), MARKETABLE, 10, "waits"),
        (standing(0, an_order(1, "BUY", "10", role="ENTRY")), RESTING, 10, "waits"),
        (standing(0, an_order(1, "BUY", "10", role="ENTRY")), MARKETABLE, 11, "SELL 11"),
        (standing(4, an_order(1, "BUY", "6", role="ENTRY")), MARKETABLE, 4, "SELL 4"),
        (standing(4, an_order(1, "BUY", "6", role="ENTRY")), MARKETABLE, 10, "waits"),
        (standing(4, an_order(1, "BUY", "6", role="ENTRY"), an_order(2, "SELL", "1")), MARKETABLE, 10, "SELL 10"),
        (standing(10, an_order(1, "SELL", "10", "resting")), MARKETABLE, 4, "SELL 4, SELL 10 cancelled first"),
        (standing(10, an_order(1, "SELL", "10", "resting")), RESTING, 4, "SELL 4"),
        (standing(10, an_order(1, "SELL", "10", "resting"), an_order(2, "BUY", "5", role="ENTRY")), MARKETABLE, 15, "waits"),
        (standing(10, an_order(1, "SELL", "10")), MARKETABLE, 4, "SELL 4"),
    ],
)
def test_a_sized_sale_without_an_effect_where_nothing_may_be_short(
    has: Standing, sale: dict[str, Any], quantity: int, expected: str
) -> None:
    """What sells too much as it goes out is left to the rules, which refuse it."""
    found = amount({**sale, "quantity": quantity}, has)
    assert ("waits" if found.awaits_entries else came_to(found)) == expected
    assert not amount({**sale, "quantity": quantity}, has, limits=SHORTS).awaits_entries


TURN, PART, LEAVES = (
    an_order(number, "SELL", units, role=role)
    for number, units, role in ((7, "25", "ENTRY"), (8, "15", "ENTRY"), (9, "10", "EXIT"))
)


@pytest.mark.parametrize(
    ("has", "closes", "expected", "ends"),
    [
        (standing(20, TURN), {}, "SELL 20 CLOSE", [TURN]),
        (standing(20, TURN), {"quantity": 20}, "SELL 20 CLOSE", [TURN]),
        (standing(20, TURN), {"quantity": 19}, "already_closing", []),
        (standing(20, TURN), {"role": "STOP_LOSS"}, "already_closing", []),
        (standing(20, PART, LEAVES), {}, "SELL 10 CLOSE", [PART]),
        (standing(20, PART, STOP), {}, "SELL 5 CLOSE, SELL 20 cancelled first", []),
        (standing(0, TURN), {}, "nothing_to_close", []),
    ],
)
def test_a_close_of_all_ends_an_order_that_may_turn_the_position_first(
    has: Standing, closes: dict[str, Any], expected: str, ends: list[OpenExposure]
) -> None:
    """Not where exits that make way are all that would take it beyond zero."""
    found = amount(SELL | CLOSE | closes, has, limits=SHORTS)
    assert (came_to(found), [*found.superseded]) == (expected, ends)


BUYING = an_order(1, "BUY", "5", role="ENTRY")


@pytest.mark.parametrize(
    ("has", "sale", "worth", "expected"),
    [
        (standing(10, an_order(1, "SELL", "10", "resting")), MARKETABLE, 4, "SELL 4, SELL 10 cancelled first"),
        (standing(10, an_order(1, "SELL", "10", "resting")), MARKETABLE, 25, "SELL 10, SELL 10 cancelled first"),
        (standing(10, SMALL), MARKETABLE, 5, "SELL 5"),
        (standing(10, SMALL), MARKETABLE, 7, "SELL 7, SELL 5 cancelled first"),
        (standing(10, SMALL, EXIT), MARKETABLE, 25, "SELL 6, SELL 5 cancelled first"),
        (standing(10, SMALL), RESTING, 7, "SELL 5"),
        (standing(10, an_order(1, "SELL", "10", "resting")), RESTING, 4, "SELL 4"),
        (standing(10, an_order(1, "SELL", "10")), MARKETABLE, 4, "SELL 4"),
        (standing(4, BUYING), MARKETABLE, 9, "SELL 4"),
        (standing(4, STOP, BUYING), MARKETABLE, 9, "SELL 4, SELL 20 cancelled first"),
        (standing(0, BUYING), MARKETABLE, 5, "waits"),
        (standing(0, BUYING), RESTING, 5, "waits"),
        (standing(0, BUYING), MARKETABLE, 6, "waits"),
        (standing(0), MARKETABLE, 6, "SELL 6"),
    ],
)
def test_a_sale_for_money_is_of_no_more_than_there_is_or_comes(
    has: Standing, sale: dict[str, Any], worth: int, expected: str
) -> None:
    """At a limit above the price it is of fewer."""
    price = sale.get("limit_price", 100)
    found = amount({**sale, "notional": worth * price}, has, price=str(price))
    assert ("waits" if found.awaits_entries else came_to(found)) == expected
    assert not amount({**sale, "notional": worth * price}, has, price=str(price), limits=SHORTS).awaits_entries


def test_what_is_refused_names_the_orders_and_the_remedy() -> None:
    closing, entering = amount(SELL, standing(4, EXIT)).refusal, amount(SELL, standing(0, ENTRY)).refusal
    adding, turning = amount(BUY | CLOSE, standing(20)).refusal, amount(SELL | OPEN, standing(20)).refusal
    assert closing is not None
    assert entering is not None
    assert adding is not None
    assert turning is not None
    assert closing.message == (f"order {UUID(int=2)} can already SELL all 4 SPY that trend holds; cancel it first, or let it fill")
    assert (closing.measured, closing.limit) == ("4", "4")
    assert entering.message == (
        f"trend holds no SPY yet: order {UUID(int=1)} may still BUY 5; cancel it, or send the exit again once it is filled"
    )
    assert adding.message == "trend is long 20 SPY, and a BUY adds to it; to close it, SELL"
    assert "close it first (position_effect CLOSE)" in turning.message


def test_without_a_price_what_is_sized_by_money_is_left_to_the_rules_or_refused() -> None:
    assert came_to(amount(SELL | CLOSE | {"notional": 500}, standing(20), price=None)) == "SELL 500 of money CLOSE"
    assert came_to(amount(BUY | OPEN | {"percent": 5}, standing(), price=None)) == "BUY 500 of money OPEN"
    assert came_to(amount(BUY | {"risk_percent": 1, "stop_loss": 90}, standing(), price=None)) == "no_fresh_price"
    assert came_to(amount({"target_percent": 5}, standing(), price=None)) == "no_fresh_price"


def test_a_multiplier_is_part_of_what_a_unit_is_worth() -> None:
    future = SPY.but(asset_class=AssetClass.FUTURE, multiplier=D(50))
    assert came_to(amount(BUY | OPEN | {"percent": 100}, standing(), instrument=future)) == "BUY 2 OPEN"
    assert came_to(amount(BUY | {"risk_percent": 10, "stop_loss": 95}, standing(), instrument=future)) == "BUY 4"
    assert came_to(amount({"target_percent": 100}, standing(1), instrument=future)) == "BUY 1 OPEN"


NO_EQUITY = RiskRefusal("no_equity", "none", "none", "60")


@pytest.mark.parametrize("fields", [BUY | OPEN | {"percent": 5}, BUY | {"risk_percent": 1, "stop_loss": 90}, {"target_percent": 5}])
def test_without_equity_nothing_is_sized_by_it(fields: dict[str, Any]) -> None:
    assert came_to(amount(fields, standing(), equity=NO_EQUITY)) == "no_equity"
    assert Signal(**{"signal_id": "s1", "symbol": "SPY"} | fields).needs_equity


@pytest.mark.parametrize(("held", "comes_to"), [(10, "SELL 10 CLOSE"), (-10, "BUY 10 CLOSE"), (0, "at_target")])
@pytest.mark.parametrize("percent", [0, "0.0", "-0"])
def test_to_be_flat_takes_neither_equity_nor_a_price(held: int, comes_to: str, percent: object) -> None:
    fields = {"target_percent": percent}
    assert came_to(amount(fields, standing(held), equity=None, price=None)) == comes_to
    assert not Signal(**{"signal_id": "s1", "symbol": "SPY"} | fields).needs_equity


def test_equity_is_the_brokers_figure_no_older_than_a_minute_in_the_orders_currency() -> None:
    def account(seconds: float, amount: str = "10000") -> BrokerAccount:
        told = figures(NOW - timedelta(seconds=seconds), "USD", equity=D(amount))
        return BrokerAccount("U1", TradingMode.PAPER, "USD", told)

    assert equity_of(account(60), "USD", NOW) == 10000
    for found, why in (
        (equity_of(None, "USD", NOW), "reports no equity"),
        (equity_of(replace(account(0), figures=()), "USD", NOW), "reports no equity"),
        (equity_of(account(61), "USD", NOW), "61 s old"),
        (equity_of(account(0), "EUR", NOW), "in USD, the order in EUR"),
        (equity_of(account(0, "-5"), "USD", NOW), "is -5 USD"),
    ):
        assert isinstance(found, RiskRefusal)
        assert found.code == "no_equity"
        assert why in found.message


@pytest.mark.parametrize(
    ("fields", "has", "side"),
    [
        (SELL, standing(-5), "SELL"),
        ({"target_quantity": 5}, standing(10), "SELL"),
        ({"target_quantity": 5}, standing(1), "BUY"),
        ({"target_percent": -5}, standing(), "SELL"),
        ({"target_percent": 5}, standing(), "BUY"),
        (CLOSE, standing(-5), "BUY"),
        (CLOSE, standing(5), "SELL"),
        (CLOSE, standing(0, EXIT), "BUY"),
        (CLOSE, standing(0, ENTRY), "SELL"),
    ],
)
def test_a_price_is_asked_for_the_side_that_the_order_will_have(fields: dict[str, Any], has: Standing, side: str) -> None:
    assert side_for_price(Signal(**{"signal_id": "s1", "symbol": "SPY"} | fields), has) == side


def test_what_names_a_quantity_and_no_effect_depends_on_no_holdings() -> None:
    assert not depends_on_holdings(Signal(signal_id="s1", symbol="SPY", side="BUY", quantity=5))
    assert depends_on_holdings(Signal(signal_id="s1", symbol="SPY", side="SELL", quantity=5))
    assert depends_on_holdings(Signal(signal_id="s1", symbol="SPY", side="BUY"))
    assert depends_on_holdings(Signal(signal_id="s1", symbol="SPY", side="SELL", quantity=5, role=OrderRole.EXIT))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["EXIT", "STOP_LOSS", "TAKE_PROFIT"])), max_size=6), st.integers(1, 60)
)
def test_no_more_is_cancelled_than_makes_room(resting: list[tuple[int, str]], wanted: int) -> None:
    orders = [an_order(n, "SELL", str(units), "resting", role=role) for n, (units, role) in enumerate(resting, 1)]
    has = standing(sum(units for units, _ in resting), *orders)
    if not orders:
        return
    found = amount(CLOSE | {"quantity": wanted}, has)
    assert found.quantity == min(D(wanted), has.own.quantity)
    cancelled = [each.quantity for each in found.in_the_way]
    assert sum(cancelled) >= found.quantity
    kinds = [each.terms.role for each in orders if each.terms is not None]
    if len(set(kinds)) == 1:
        assert all(sum(cancelled) - each < found.quantity for each in cancelled), "each of them is needed"
    guards = [each for each in orders if each not in found.in_the_way and each.terms and each.terms.role == "EXIT"]
    assert not guards or all(each.terms and each.terms.role == "EXIT" for each in found.in_the_way), "a stop-loss goes last"


signed, whole = st.integers(-30, 30), st.integers(1, 30)
sizes = st.one_of(
    st.just({}),
    st.builds(lambda n: {"quantity": n}, whole),
    st.builds(lambda n: {"notional": n * 37}, whole),
    st.builds(lambda n: {"percent": n * 3}, whole),
    st.builds(lambda n: {"target_quantity": n}, signed),
    st.builds(lambda n: {"target_percent": n * 3}, signed),
)
open_orders = st.lists(st.builds(lambda n, side: an_order(n, side, str(n)), whole, st.sampled_from(["BUY", "SELL"])), max_size=3)


@given(signed, open_orders, sizes, st.sampled_from(["BUY", "SELL"]), st.sampled_from([LONGS, SHORTS]))
def test_what_closes_never_goes_beyond_zero(
    held: int, orders: list[OpenExposure], size: dict[str, Any], side: str, limits: RiskLimits
) -> None:
    has, is_target = standing(held, *orders), "target" in "".join(size)
    found = amount({"side": side} | ({} if is_target else CLOSE) | size, has, limits=limits)
    if found.effect is not PositionEffect.CLOSE or found.refusal is not None or found.quantity is None or found.problem is not None:
        return
    has = has.once_cancelled(found.in_the_way)
    left = has.own.quantity + found.side.signed(found.quantity) + found.side.signed(has.own.taken_by(found.side))
    assert left * has.own.quantity >= 0


PAGE = (Path(__file__).parents[2] / "docs/positions.md").read_text()
WORKED = PAGE.partition("## Worked figures")[2].partition("\n\nSELL,")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in WORKED.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize(("held", "orders", "said", "expected"), ROWS, ids=[f"{row[0]} {row[1]}: {row[2]}" for row in ROWS])
def test_the_worked_figures_of_the_documentation(held: str, orders: str, said: str, expected: str) -> None:
    fields: dict[str, Any] = {}
    for word in said.split(", "):
        name, _, value = word.partition(" ")
        fields |= {"side": word} if word in ("BUY", "SELL") else {"position_effect": word} if not value else {name: value}
    has = standing(held, *(an_order(n, *order.split()) for n, order in enumerate(filter(None, [orders]), 1)))
    found = came_to(amount(fields, has, limits=SHORTS))
    waits = f"waits for {orders}, which is cancelled; then SELL what that filled, or nothing_to_close"
    assert (waits if found == "entry_is_open" else found) == expected


def test_the_coin_of_the_documentation() -> None:
    assert "Of 0.01667 BTC in lots of 0.0001, a CLOSE without a size sells 0.0166. 0.00007 stays" in PAGE
