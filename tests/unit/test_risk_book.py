from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.risk.book import AccountLedger, RiskBook, entries_between
from liveorder.domain.events import Event
from liveorder.domain.instrument import Instrument
from liveorder.domain.limit_tables import LimitTable, NarrowLimits
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import RequestKind, WaitBegan, WaitEnded, WaitReason
from liveorder.domain.order.shares import PositionShare
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.position_adjustment import PositionChange
from liveorder.domain.position_owner import FLATTEN, PositionOwner
from liveorder.domain.quotes import Price
from liveorder.domain.risk import Exposure, OpenSide, Proposal, RiskView, Stake, assess
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import OrderType, PositionEffect, Product, Side
from tests.builders import (
    ACKNOWLEDGED,
    KEY,
    ORDER_ID,
    SENT,
    SESSION,
    START,
    acknowledged,
    bust,
    cancelled,
    fill,
    intent,
    order_of,
    replace_request,
    then,
    unknown,
)

SPY = Instrument(symbol="SPY", exchange="ARCA")
QQQ = Instrument(symbol="QQQ", exchange="ARCA")
NOTHING = OpenSide()
OTHER_ID = UUID(int=2)


def figures(*values: object) -> tuple[object, ...]:
    """Side by side; a `Fraction`, a `Decimal` and an `int` of one value are equal."""
    return values


def look(book: RiskBook, instrument: Instrument = SPY, **changes: Any) -> RiskView:
    fields: dict[str, Any] = {
        "now": START,
        "session_date": SESSION,
        "closed_because": None,
        "auto_trading": True,
        "halt": None,
        "price_age_seconds": 1.0,
        "currency": "USD",
        "atomic_replace": False,
    }
    strategy_name = changes.pop("strategy_name", "trend")
    return book.view("U1", strategy_name, instrument, **fields | changes)


def limit_order(**changes: Any) -> LiveOrder:
    """A draft to buy 100 SPY at 10, undecided by the broker."""
    fields = {"order_type": OrderType.LIMIT, "limit_price": Decimal(10), "decision_price": Decimal(10)} | changes
    return order_of(intent(**fields))


def limit_sale(**changes: Any) -> LiveOrder:
    return limit_order(order_id=OTHER_ID, side=Side.SELL, **changes)


def side(quantity: int, price: int = 10) -> OpenSide:
    return OpenSide(Decimal(quantity), Decimal(quantity * price))


class Account:
    """Commits steps of orders to a ledger and has the book follow."""

    def __init__(self) -> None:
        self.ledger, self.book = AccountLedger(), RiskBook()

    def commit(self, order: LiveOrder | None, after: LiveOrder) -> LiveOrder:
        rows = self.ledger.stage(entries_between(order, after, SESSION))
        self.ledger.keep(rows)
        self.book.absorb(rows)
        self.book.track(after)
        return after

    def trade(self, quantity: int, price: int, **changes: Any) -> LiveOrder:
        """An order that is filled whole; negative is sold."""
        terms = {"side": Side.BUY if quantity > 0 else Side.SELL, "quantity": Decimal(abs(quantity))} | changes
        return self.commit(None, order_of(intent(**terms), SENT, fill("x1", abs(quantity), price)))


def test_an_account_that_nothing_is_known_of_is_empty() -> None:
    view = look(RiskBook())
    assert figures(view.exposure, view.agreed_quantity, view.is_reconciled, view.doubts) == (Exposure(), 0, True, ())
    assert figures(view.trades_today, view.open_orders, view.other_position_value, view.other_exposure) == (0, 0, 0, 0)
    assert figures(view.realized_net_today, view.last_price) == (0, None)


def test_what_the_caller_knows_is_passed_on() -> None:
    view = look(
        RiskBook(),
        closed_because="NYSE is closed; wait for its session",
        auto_trading=False,
        halt="*: by asha",
        price_age_seconds=3.5,
    )
    assert figures(view.account_id, view.currency, view.now, view.session_date) == ("U1", "USD", START, SESSION)
    assert figures(view.closed_because, view.auto_trading, view.halt, view.price_age_seconds) == (
        "NYSE is closed; wait for its session",
        False,
        "*: by asha",
        3.5,
    )


def test_instruments_that_are_held_or_being_opened_are_positions_and_flat_ones_are_not() -> None:
    account = Account()
    account.trade(10, 10)
    assert figures(look(account.book).other_positions, look(account.book, QQQ).other_positions) == (0, 1)
    opening = account.commit(None, limit_order(order_id=OTHER_ID, instrument=QQQ))
    assert figures(look(account.book).other_positions, look(account.book, QQQ).other_positions) == (1, 1)
    account.commit(opening, then(opening, cancelled()))
    assert look(account.book).other_positions == 0
    account.trade(-10, 10, order_id=UUID(int=3))
    assert look(account.book, QQQ).other_positions == 0


# --- tables of limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "bought"), [({"strategy_name": "trend"}, 30), ({"strategy_name": "x"}, 0), ({"symbol": "SPY"}, 100)]
)
def test_an_order_for_several_strategies_counts_to_each_by_its_share(table: dict[str, str], bought: int) -> None:
    book = RiskBook()
    shares = tuple(PositionShare(strategy_name=name, quantity=Decimal(units)) for name, units in (("trend", 30), ("swing", 70)))
    book.track(limit_order(shares=shares, strategy_name="flatten"))
    measured = book.seen_by(LimitTable.of(NarrowLimits(max_positions=1), RiskLimits(), **table), look(book), SPY)
    assert (measured.exposure.buys, measured.open_orders) == (side(bought), 1 if bought else 0)
    beside = book.seen_by(LimitTable.of(NarrowLimits(max_positions=1), RiskLimits(), **table), look(book, QQQ), QQQ)
    assert figures(beside.other_exposure, beside.other_positions) == (bought * 10, 1 if bought else 0)


# --- open orders -----------------------------------------------------------------------------------------------------------------


def test_an_open_order_counts_at_its_worst_until_it_is_closed() -> None:
    account = Account()
    order = account.commit(None, order_of(limit_order().intent, SENT, ACKNOWLEDGED))
    assert look(account.book).exposure.buys == side(100)
    order = account.commit(order, then(order, fill("x1", 30, 9)))
    assert look(account.book).exposure == Exposure(Decimal(30), Decimal(270), side(70), NOTHING)
    account.commit(order, then(order, cancelled()))
    assert look(account.book).exposure == Exposure(Decimal(30), Decimal(270))


def test_a_sale_counts_on_its_own_side() -> None:
    book = RiskBook()
    book.track(limit_sale())
    assert figures(look(book).exposure.buys, look(book).exposure.sells) == (NOTHING, side(100))


def test_an_order_counts_at_the_worst_price_that_its_terms_allow() -> None:
    book = RiskBook()
    book.track(limit_sale(limit_price=Decimal(12), decision_price=Decimal(11)))
    assert look(book).exposure.sells.value == 1200


def test_an_order_without_any_price_counts_at_the_last_one() -> None:
    book = RiskBook()
    book.track(order_of())
    assert look(book).exposure.buys == OpenSide(Decimal(100), Decimal(0))
    book.mark(SPY.key, Price(Decimal(7), START))
    book.track(order_of(SENT))
    assert look(book).exposure.buys == side(100, 7)


def test_a_cash_order_counts_its_remaining_money_until_it_learns_its_quantity() -> None:
    account = Account()
    begin = intent(notional=Decimal(1000), decision_price=Decimal(10))
    order = account.commit(None, order_of(begin, SENT))
    assert look(account.book).exposure.buys == side(100)
    order = account.commit(order, then(order, fill("x1", 30, 8)))
    assert look(account.book).exposure.buys == side(76)
    account.commit(order, then(order, acknowledged("99")))
    assert look(account.book).exposure.buys == side(69)


def test_a_cash_order_that_nobody_can_price_counts_its_money() -> None:
    book = RiskBook()
    book.track(order_of(intent(notional=Decimal(1000))))
    assert look(book).exposure.buys == OpenSide(Decimal(0), Decimal(1000))
    assert look(book, QQQ).other_exposure == 1000


def test_the_contract_multiplier_counts() -> None:
    book = RiskBook()
    future = SPY.but(multiplier=Decimal(50))
    book.track(limit_order(instrument=future))
    assert look(book, future).exposure.buys.value == 50_000


def test_a_replace_without_an_outcome_counts_the_sum_unless_replacing_is_atomic() -> None:
    book = RiskBook()
    working = order_of(limit_order().intent, SENT, ACKNOWLEDGED)
    book.track(then(working, replace_request(1, quantity="150", limit="12")))
    assert look(book, atomic_replace=False).exposure.buys == OpenSide(Decimal(250), Decimal(3000))
    assert look(book, atomic_replace=True).exposure.buys == OpenSide(Decimal(150), Decimal(1800))
    assert look(book, atomic_replace=False).exposure.buys == OpenSide(Decimal(250), Decimal(3000))


def test_orders_in_doubt_are_named_until_they_are_settled() -> None:
    book = RiskBook()
    order = order_of(SENT, unknown(f"{KEY}-s1"))
    book.track(order)
    assert look(book).doubts == (ORDER_ID,)
    assert look(book, QQQ).doubts == ()
    book.track(then(order, ACKNOWLEDGED))
    assert look(book).doubts == ()


def test_a_cancel_in_doubt_is_a_doubt_too() -> None:
    book = RiskBook()
    replacing = order_of(SENT, ACKNOWLEDGED, replace_request(), unknown(f"{KEY}-r1", RequestKind.REPLACE))
    book.track(replacing)
    assert look(book).doubts == (ORDER_ID,)


def test_an_order_that_is_judged_again_does_not_count() -> None:
    book = RiskBook()
    book.track(order_of(limit_order().intent, SENT, unknown(f"{KEY}-s1")))
    book.track(limit_sale())
    view = look(book, judged=ORDER_ID)
    assert figures(view.exposure.buys, view.exposure.sells, view.doubts, view.open_orders) == (NOTHING, side(100), (), 1)
    assert figures(look(book, judged=OTHER_ID).trades_today, look(book, judged=UUID(int=99)).open_orders) == (0, 2)


def test_an_order_in_another_instrument_is_taken_out_of_that_alone() -> None:
    book = RiskBook()
    book.track(limit_order(instrument=QQQ))
    book.track(limit_sale())
    view = look(book, judged=ORDER_ID)
    assert figures(view.exposure.sells, view.open_orders, view.other_exposure, view.other_positions) == (side(100), 1, 0, 0)


waiting_or_open = st.tuples(
    st.booleans(),
    st.sampled_from([SPY, QQQ]),
    st.sampled_from([Side.BUY, Side.SELL]),
    st.integers(1, 9),
    st.sampled_from(["trend", "swing"]),
    st.sampled_from([None, PositionEffect.CLOSE]),
)


@given(st.lists(waiting_or_open, max_size=6), st.integers(0, 7), st.sampled_from(PositionOwner), st.booleans())
def test_an_order_is_judged_as_if_itself_and_later_ones_that_wait_were_not_there(
    drawn: list[tuple[bool, Instrument, Side, int, str, PositionEffect | None]],
    number: int,
    positions: PositionOwner,
    is_reserved: bool,
) -> None:
    """What is reserved of one that waited counts: it waits no more."""
    every, counted, judged = Account(), Account(), UUID(int=number)
    for account in (every, counted):
        account.book.judge_by(positions)
        account.trade(10, 10, order_id=UUID(int=1000))
    for place, (waits, instrument, way, units, strategy_name, effect) in enumerate(drawn, 1):
        terms = {"instrument": instrument, "side": way, "quantity": Decimal(units), "position_effect": effect}
        draft = limit_order(order_id=UUID(int=place), client_order_id=str(place), strategy_name=strategy_name, **terms)
        order = order_of(draft.intent, *([WaitBegan(reason=WaitReason.OPEN, signal="", message="")] if waits else [SENT]))
        every.book.track(order)
        goes_out = waits and is_reserved and place == number + 1
        if goes_out:
            gone_out = then(order, WaitEnded(terms=order.terms), SENT)
            every.book.reserve(gone_out)
            counted.book.reserve(gone_out)
        elif place != number and (not waits or place < number):
            counted.book.track(order)
    table = LimitTable.of(NarrowLimits(max_positions=1), RiskLimits(), strategy_name="trend")
    for instrument in (SPY, QQQ):
        seen, expected = look(every.book, instrument, judged=judged), look(counted.book, instrument)
        assert seen == expected
        assert every.book.seen_by(table, seen, instrument, judged) == counted.book.seen_by(table, expected, instrument)
        standing, plain = (book.standing("U1", "trend", instrument, judged) for book in (every.book, counted.book))
        assert (standing.own, standing.account, {*standing.orders}) == (plain.own, plain.account, {*plain.orders})
        intent = limit_order(order_id=judged, instrument=instrument).intent
        assert every.book.last_alike(intent) == counted.book.last_alike(intent)


def test_what_open_orders_could_do_can_be_listed() -> None:
    book = RiskBook()
    book.track(limit_order())
    [listed] = book.open_orders("U1")
    assert figures(listed.order_id, listed.instrument_key, listed.side) == (ORDER_ID, "ARCA:SPY", Side.BUY)
    assert figures(listed.quantity, listed.value, listed.is_in_doubt, listed.strategy_name) == (100, 1000, False, "trend")


# --- reservations ----------------------------------------------------------------------------------------------------------------


def test_a_reservation_counts_until_it_is_released() -> None:
    book = RiskBook()
    book.reserve(limit_order())
    view = look(book)
    assert figures(view.exposure.buys, view.open_orders, view.trades_today) == (side(100), 1, 1)
    book.release(ORDER_ID)
    assert figures(look(book).exposure, look(book).open_orders, look(book).trades_today) == (Exposure(), 0, 0)


def test_a_reservation_of_what_is_over_counts_nothing() -> None:
    book = RiskBook()
    book.reserve(order_of(cancelled()))
    assert look(book).open_orders == 0


def test_releasing_twice_is_releasing_once() -> None:
    book = RiskBook()
    book.track(limit_order())
    book.release(ORDER_ID)
    book.release(ORDER_ID)
    assert look(book).exposure.buys == side(100)


def test_a_reserved_order_that_became_durable_counts_once_and_stays_when_released() -> None:
    account = Account()
    account.book.reserve(limit_order())
    account.commit(None, order_of(limit_order().intent, SENT))
    before = look(account.book)
    account.book.release(ORDER_ID)
    assert figures(before.exposure.buys, before.open_orders, before.trades_today) == (side(100), 1, 1)
    assert look(account.book) == before


def test_a_reserved_replacement_counts_in_place_of_the_order_until_it_is_released() -> None:
    book = RiskBook()
    working = order_of(limit_order().intent, SENT, ACKNOWLEDGED)
    book.track(working)
    book.reserve(then(working, replace_request(1, quantity="150")))
    assert look(book, atomic_replace=True).exposure.buys == side(150)
    book.release(ORDER_ID)
    assert look(book, atomic_replace=True).exposure.buys == side(100)


# --- trades ----------------------------------------------------------------------------------------------------------------------


def attempted(book: RiskBook) -> int:
    """Durably, in the session."""
    day = book._account("U1").days.get(SESSION)
    return 0 if day is None else day.trades


def test_a_trade_counts_once_from_the_intent_to_the_end() -> None:
    account = Account()
    order = account.commit(None, order_of())
    assert figures(look(account.book).trades_today, attempted(account.book)) == (1, 0)
    order = account.commit(order, then(order, SENT))
    assert figures(look(account.book).trades_today, attempted(account.book)) == (1, 1)
    account.commit(order, then(order, cancelled()))
    assert figures(look(account.book).trades_today, attempted(account.book)) == (1, 1)


def test_an_intent_that_ended_unsent_was_no_trade() -> None:
    account = Account()
    order = account.commit(None, order_of())
    account.commit(order, then(order, cancelled()))
    assert look(account.book).trades_today == 0


def test_each_session_has_its_own_trades_and_result() -> None:
    account = Account()
    account.trade(10, 10)
    account.trade(-10, 8)
    later = look(account.book, session_date=SESSION + timedelta(days=3))
    assert figures(look(account.book).trades_today, look(account.book).realized_net_today) == (2, -20)
    assert figures(later.trades_today, later.realized_net_today) == (0, 0)


# --- positions -------------------------------------------------------------------------------------------------------------------


def test_a_position_is_valued_at_cost_and_then_at_the_newest_price() -> None:
    account = Account()
    account.trade(-30, 9)
    assert look(account.book).exposure == Exposure(Decimal(-30), Decimal(270))
    account.book.mark(SPY.key, Price(Decimal(12), START))
    account.book.mark(SPY.key, Price(Decimal(11), START))
    account.book.mark(SPY.key, Price(Decimal(99), START - timedelta(seconds=1)))
    view = look(account.book)
    assert figures(view.exposure, view.last_price) == (Exposure(Decimal(-30), Decimal(330)), 11)


def test_a_flat_position_is_worth_nothing() -> None:
    account = Account()
    account.trade(10, 10)
    account.trade(-10, 12)
    account.book.mark(SPY.key, Price(Decimal(11), START))
    assert look(account.book).exposure == Exposure()


def test_other_instruments_of_the_currency_are_added_up_and_those_of_others_left_out() -> None:
    account = Account()
    account.trade(10, 10)
    account.trade(-20, 30, instrument=QQQ)
    account.trade(7, 7, instrument=Instrument(symbol="SAP", exchange="XETR", currency="EUR"))
    account.book.track(limit_order(instrument=QQQ))
    view = look(account.book)
    assert figures(view.other_position_value, view.other_exposure) == (800, 1400)
    assert figures(look(account.book, QQQ).other_position_value, look(account.book, QQQ).other_exposure) == (100, 100)


def test_a_change_of_price_reaches_the_sums_of_every_account() -> None:
    account = Account()
    account.trade(10, 10)
    assert look(account.book, QQQ).other_position_value == 100
    account.book.mark(SPY.key, Price(Decimal(20), START))
    assert look(account.book, QQQ).other_position_value == 200


def test_sums_are_exact_after_an_absurd_order_came_and_went() -> None:
    book = RiskBook()
    book.track(limit_sale(instrument=QQQ))
    absurd = limit_order(instrument=QQQ, quantity=Decimal("9" * 28), limit_price=Decimal("9" * 28))
    book.track(absurd)
    assert look(book).other_exposure > 10**50
    book.track(then(absurd, cancelled()))
    assert look(book).other_exposure == 1000


def test_accounts_do_not_mix() -> None:
    account = Account()
    account.trade(10, 10, account_id="U2")
    account.book.track(limit_order(account_id="U2"))
    assert figures(look(account.book).exposure, look(account.book).open_orders, look(account.book).trades_today) == (
        Exposure(),
        0,
        0,
    )
    assert account.book.positions("U1") == {}
    assert account.book.positions("U2")[SPY.key].quantity == 10


def test_a_book_that_starts_from_the_stored_rows_sees_what_the_old_one_saw() -> None:
    account, restarted = Account(), RiskBook()
    account.trade(10, 10)
    account.trade(-4, 12)
    restarted.absorb(account.ledger.rows())
    assert look(restarted) == look(account.book)
    assert restarted.positions("U1") == account.book.positions("U1")


def test_rows_that_commits_share_may_be_absorbed_again() -> None:
    account = Account()
    rows = account.ledger.stage(entries_between(None, order_of(SENT, fill("x1", 5, 10)), SESSION))
    account.book.absorb(rows)
    account.book.absorb(rows)
    assert look(account.book).exposure.quantity == 5


def test_a_bust_takes_the_position_back() -> None:
    account = Account()
    order = account.trade(10, 10)
    account.commit(order, then(order, bust("x1")))
    assert look(account.book).exposure.quantity == 0


# --- reconciliation --------------------------------------------------------------------------------------------------------------


def holding_ten() -> RiskBook:
    account = Account()
    account.trade(10, 10)
    return account.book


def test_an_instrument_is_unreconciled_until_it_is_found_equal() -> None:
    book = holding_ten()
    book.set_unreconciled("U1", SPY.key, None)
    assert (look(book).is_reconciled, look(book, QQQ).is_reconciled, *book.unreconciled("U1")) == (False, True, SPY.key)
    book.clear_unreconciled("U1", SPY.key)
    book.clear_unreconciled("U1", QQQ.key)
    assert (look(book).is_reconciled, *book.unreconciled("U1")) == (True,)


@pytest.mark.parametrize(("theirs", "agreed"), [("14", "10"), ("4", "4"), ("0", "0"), ("-4", "0")])
def test_what_both_hold_is_agreed(theirs: str, agreed: str) -> None:
    book = holding_ten()
    book.set_unreconciled("U1", SPY.key, Decimal(theirs))
    assert look(book).agreed_quantity == Decimal(agreed)


def test_nothing_is_agreed_where_the_brokers_position_is_not_known() -> None:
    book = holding_ten()
    book.set_unreconciled("U1", SPY.key, None)
    assert look(book).agreed_quantity == 0


def test_nothing_is_agreed_in_what_only_the_broker_holds() -> None:
    book = RiskBook()
    book.set_unreconciled("U1", SPY.key, Decimal(10))
    assert figures(look(book).agreed_quantity, look(book).is_reconciled) == (0, False)


def test_a_fill_after_the_comparison_moves_both_positions() -> None:
    account = Account()
    account.trade(10, 10)
    account.book.set_unreconciled("U1", SPY.key, Decimal(7))
    account.trade(-5, 10)
    assert figures(look(account.book).exposure.quantity, look(account.book).agreed_quantity) == (5, 2)


# --- with the rules --------------------------------------------------------------------------------------------------------------

SELL_TEN = Proposal(
    "U1",
    "trend",
    SPY,
    OrderTerms(side=Side.SELL, order_type=OrderType.MARKET, quantity=Decimal(10), decision_price=Decimal(10)),
)


@pytest.mark.parametrize(
    "pending",
    [
        order_of,
        lambda sale: order_of(sale, SENT, unknown(f"{KEY}-s1")),
        lambda sale: order_of(sale, SENT, ACKNOWLEDGED),
    ],
    ids=["reserved", "in doubt", "working"],
)
def test_a_second_exit_of_the_same_position_is_a_short_sale(pending: Callable[[Event], LiveOrder]) -> None:
    book = holding_ten()
    assert assess(SELL_TEN, look(book), RiskLimits()).is_reducing
    book.reserve(pending(intent(side=Side.SELL, quantity=Decimal(1))))
    second = assess(SELL_TEN, look(book), RiskLimits(price_collar_percent=None))
    assert not second.is_reducing
    assert second.refusal is not None


# --- whose -----------------------------------------------------------------------------------------------------------------------


def of(strategy_name: str, account: Account) -> Stake:
    return look(account.book, strategy_name=strategy_name).own


def test_a_strategy_has_what_it_holds_and_what_its_own_orders_could_still_take() -> None:
    account = Account()
    account.trade(10, 10, strategy_name="A")
    account.trade(-4, 10, strategy_name="B", order_id=UUID(int=3))
    account.commit(None, order_of(limit_order(strategy_name="A", quantity=Decimal(5), order_id=UUID(int=4)).intent, SENT))
    sale = account.commit(None, order_of(limit_sale(strategy_name="A", quantity=Decimal(3)).intent, SENT, unknown(f"{KEY}-s1")))
    assert of("A", account) == Stake(Decimal(10), Decimal(5), Decimal(3))
    assert (of("B", account), of("C", account)) == (Stake(Decimal(-4)), Stake())
    assert look(account.book, strategy_name="A", judged=sale.order_id).own == Stake(Decimal(10), Decimal(5))
    assert figures(look(account.book).exposure.quantity, look(account.book).exposure.sells.quantity) == (6, 3)
    account.commit(sale, then(sale, cancelled()))
    assert of("A", account) == Stake(Decimal(10), Decimal(5))


def test_where_positions_are_the_accounts_each_strategy_has_all_of_it() -> None:
    account = Account()
    account.book.judge_by(PositionOwner.ACCOUNT)
    account.trade(10, 10, strategy_name="A")
    account.commit(None, order_of(limit_sale(strategy_name="B", quantity=Decimal(3)).intent, SENT))
    assert of("A", account) == of("C", account) == Stake(Decimal(10), Decimal(0), Decimal(3))


def test_flattening_closes_what_the_account_holds_whoever_opened_it() -> None:
    account = Account()
    account.trade(10, 10, strategy_name="A")
    assert of(FLATTEN, account) == Stake(Decimal(10))


def test_what_is_about_to_go_to_another_strategy_is_not_closed_by_the_giver_nor_yet_by_the_taker() -> None:
    account = Account()
    account.trade(10, 10, strategy_name="A")
    account.trade(-3, 10, strategy_name="B", order_id=UUID(int=3))
    going = [
        PositionChange("U1", name, SPY, "TRANSFER", Decimal(units), Decimal(10), START) for name, units in (("A", -4), ("B", 4))
    ]
    account.book.expect(going)
    assert figures(of("A", account).quantity, of("B", account).quantity, of("C", account).quantity) == (6, 0, 0)
    account.book.expect(going, is_over=True)
    assert figures(of("A", account).quantity, of("B", account).quantity) == (10, -3)


LEAVES = PositionChange("U1", "trend", SPY, "TRANSFER", Decimal(-4), Decimal(500), START)
CHANGES: dict[str, Callable[[Account], object]] = {
    "a fill": lambda account: account.trade(5, 500, order_id=OTHER_ID),
    "an order": lambda account: account.book.track(limit_order(order_id=OTHER_ID)),
    "a reservation": lambda account: account.book.reserve(limit_order(order_id=OTHER_ID)),
    "the end of one": lambda account: account.book.release(UUID(int=3)),
    "a step of an order": lambda account: account.book.follow((), then(limit_order(order_id=UUID(int=3)), SENT, fill("x3", 1, 10))),
    "a price": lambda account: account.book.mark(SPY.key, Price(Decimal(7), START)),
    "another difference": lambda account: account.book.set_unreconciled("U1", SPY.key, Decimal(7)),
    "no difference": lambda account: account.book.clear_unreconciled("U1", SPY.key),
    "a place": lambda account: account.book.place("U1", SPY.key, {Product.CNC: Decimal(10)}),
    "a transfer": lambda account: account.book.expect([LEAVES]),
    "whose they are": lambda account: account.book.judge_by(PositionOwner.ACCOUNT),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_standing_is_as_of_the_last_change(change: Callable[[Account], object]) -> None:
    account = Account()
    account.trade(10, 500)
    account.book.set_unreconciled("U1", SPY.key, Decimal(8))
    account.book.reserve(limit_order(order_id=UUID(int=3)))
    before = account.book.standing("U1", "trend", SPY)
    assert account.book.standing("U1", "trend", SPY) is before
    change(account)
    assert account.book.standing("U1", "trend", SPY) != before


def test_a_standing_is_of_its_own_account() -> None:
    account = Account()
    account.trade(10, 500)
    others = [account.book.standing(name, "trend", SPY).own.quantity for name in ("U2", "U1", "U2")]
    assert figures(*others) == (0, 10, 0)


def test_an_order_for_several_strategies_takes_of_each_its_share() -> None:
    account = Account()
    for number, (name, units) in enumerate((("A", 10), ("B", 5)), 3):
        account.trade(units, 10, strategy_name=name, order_id=UUID(int=number))
    named = (("A", 10), ("B", 5), (FLATTEN, 1))
    shares = tuple(PositionShare(strategy_name=name, quantity=Decimal(units)) for name, units in named)
    closing = limit_sale(strategy_name=FLATTEN, quantity=Decimal(18)).intent.but(shares=shares)
    sale = account.commit(None, order_of(closing, SENT))
    assert (of("A", account), of("B", account)) == (Stake(Decimal(10), sells=Decimal(10)), Stake(Decimal(5), sells=Decimal(5)))
    (listed,) = account.book.open_orders("U1")
    assert listed.parts == (("A", Decimal(10)), ("B", Decimal(5)), (FLATTEN, Decimal(1)), (FLATTEN, Decimal(2)))
    assert listed.units_of(FLATTEN) == 3
    account.commit(sale, then(sale, cancelled()))
    assert (of("A", account), of("B", account)) == (Stake(Decimal(10)), Stake(Decimal(5)))
