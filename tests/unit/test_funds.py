"""What our orders take of an account's buying power between two figures of its broker."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.ports.order_store import LedgerRow
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.book.funds import Question
from liveorder.application.risk.book.rows import position_key
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind, figures
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.events import Event
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.position import Position
from liveorder.domain.risk import BuyingPower
from liveorder.domain.values import AssetClass, OrderType, Product, Side, TradingMode
from tests.builders import (
    ACKNOWLEDGED,
    FAILED,
    KEY,
    REJECTED,
    SENT,
    acknowledged,
    cancelled,
    fill,
    intent,
    order_of,
    replace_request,
    seconds,
    then,
)
from tests.unit.test_risk_book import look

D = Decimal
SPY = Instrument(symbol="SPY", exchange="ARCA")


def a_buy(number: int = 1, *, instrument: Instrument = SPY, **changes: Any) -> LiveOrder:
    """Of 100 at 10: a thousand."""
    terms = {"order_type": OrderType.LIMIT, "limit_price": D(10), "decision_price": D(10), "quantity": D(100)}
    return order_of(intent(order_id=UUID(int=number), instrument=instrument, **terms | changes))


class Money:
    """A risk book that follows orders, and a broker that reports."""

    def __init__(self, amount: str | None = "10000", **parts: str) -> None:
        self.book = RiskBook()
        self.lag = 0.0
        self.report(self.asked(0), amount, **parts)

    def asked(self, at: float) -> Question:
        return self.book.funds("U1").ask(seconds(at))

    def report(self, question: Question, amount: str | None = "10000", currency: str = "USD", **parts: str) -> None:
        told = figures(question.asked_at, currency, buying_power=None if amount is None else D(amount))
        apart = [Figure(FigureKind.BUYING_POWER, D(other), currency, question.asked_at, part) for part, other in parts.items()]
        account = BrokerAccount("U1", TradingMode.PAPER, currency, (*told, *apart))
        self.book.funds("U1").report(question, account, self.lag)

    def told_again(self, at: float, amount: str) -> None:
        self.report(self.asked(at), amount)

    def reserve(self, order: LiveOrder) -> LiveOrder:
        self.book.reserve(order)
        return order

    def track(self, order: LiveOrder, *events: Event, holds: int | None = None) -> LiveOrder:
        """The order after these events, durable, as it comes about: reserved until it is, and its position's row before it."""
        self.book.reserve(order)
        after = then(order, *events) if events else order
        if holds is not None:
            held(self, holds)
        self.book.track(after)
        self.book.release(order.order_id)
        return after

    def power(
        self, instrument: Instrument = SPY, without: LiveOrder | None = None, now: datetime | None = None
    ) -> BuyingPower | None:
        order_id = None if without is None else without.order_id
        return self.book.funds("U1").buying_power(instrument, now or seconds(30), self.lag, () if order_id is None else (order_id,))

    def left(self, instrument: Instrument = SPY, without: LiveOrder | None = None) -> Decimal:
        told = self.power(instrument, without)
        assert told is not None
        return told.amount

    def is_settled(self) -> bool:
        told = self.power()
        assert told is not None
        return told.is_settled


# --- what is subtracted ----------------------------------------------------------------------------------------------------------


def test_a_decided_order_counts_before_it_is_durable_so_that_the_next_one_cannot_pass_with_it() -> None:
    money = Money("1500")
    first = money.reserve(a_buy(1))
    assert money.left() == 500
    money.reserve(a_buy(2))
    assert money.left() == -500
    money.book.release(first.order_id)
    assert money.left() == 500


def test_what_is_spent_stays_spent_when_the_order_is_over() -> None:
    money = Money()
    order = money.track(a_buy(), SENT, ACKNOWLEDGED)
    assert money.left() == 9000
    order = money.track(order, fill("e1", 40, 9))
    assert money.left() == 10_000 - 360 - 600
    money.track(order, fill("e2", 60, 9))
    assert money.left() == 9100


def test_what_was_not_bought_is_given_back() -> None:
    money = Money()
    order = money.track(a_buy(), SENT, ACKNOWLEDGED, fill("e1", 40, 10))
    money.track(order, cancelled())
    assert money.left() == 9600


@pytest.mark.parametrize("end", [(SENT, REJECTED), (ev.Refused(reason=ev.RejectReason.RISK, code="x", message="x"),)])
def test_an_order_that_is_not_taken_takes_nothing(end: tuple[Event, ...]) -> None:
    money = Money()
    money.track(a_buy(), *end)
    assert money.left() == 10_000


def test_a_reservation_that_comes_to_an_end_after_its_order_takes_nothing_back() -> None:
    """Filled within the commit's own turn: what is released is an older word of it."""
    money = Money()
    draft = money.reserve(a_buy())
    money.book.track(then(draft, SENT, ACKNOWLEDGED, fill("e1", 100, 10)))
    money.book.release(draft.order_id)
    assert money.left() == 9000


@pytest.mark.parametrize(
    "other",
    [
        {"side": Side.SELL},
        {"instrument": Instrument(symbol="ES", exchange="CME", asset_class=AssetClass.FUTURE)},
        {"product": Product.MIS},
    ],
)
def test_what_takes_a_margin_and_not_its_value_is_left_to_the_broker(other: dict[str, Any]) -> None:
    money = Money()
    money.track(a_buy(**other), SENT, ACKNOWLEDGED)
    assert money.left() == 10_000


def held(money: Money, quantity: int) -> None:
    """The position's row is this, from this commit on."""
    position = Position.flat("USD", D(1)).fill(D(quantity), D(10), D(0), seconds(0)) if quantity else Position.flat("USD", D(1))
    money.book.absorb([LedgerRow("U1", position_key("trend", SPY.key), position.to_json())])


def test_an_order_that_only_buys_back_what_is_short_takes_nothing() -> None:
    money = Money()
    held(money, -100)
    look(money.book)
    money.reserve(a_buy(1))
    assert money.left() == 10_000
    money.reserve(a_buy(2))
    assert money.left() == 9000


def a_cover(number: int = 1, quantity: int = 100) -> LiveOrder:
    """A stop that buys back at 12."""
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "limit_price": None, "stop_price": D(12), "decision_price": D(12)}
    return a_buy(number, quantity=D(quantity), **stop)


def test_a_cover_takes_nothing_as_long_as_it_rests_and_as_it_fills() -> None:
    """Also one that is taken in after a restart, before anything was judged."""
    money = Money()
    held(money, -100)
    cover = a_cover()
    for events in ((), (SENT,), (ACKNOWLEDGED,)):
        cover = money.track(cover, *events)
        assert money.left() == 10_000
    cover = money.track(cover, fill("e1", 40, 12), holds=-60)
    assert money.left() == 10_000
    money.track(cover, fill("e2", 60, 13), holds=0)
    assert money.left() == 10_000


def test_a_cover_with_nothing_left_takes_nothing_while_a_request_of_it_has_no_outcome() -> None:
    money = Money()
    held(money, -100)
    cover = money.track(money.track(a_cover(), SENT), ACKNOWLEDGED)
    asked = ev.CancelRequested(request_id=f"{KEY}-c1", reason=ev.CancelReason.REQUESTED)
    cover = money.track(money.track(cover, asked), fill("e1", 100, 12))
    assert cover.status.is_closed
    assert not cover.is_finished
    assert money.left() == 10_000


def test_a_resting_cover_takes_its_value_once_the_position_is_read_anew_as_flat() -> None:
    """The log had more to say of it than was kept: no step of the order tells that."""
    money = Money()
    held(money, -100)
    cover = a_cover()
    for events in ((SENT,), (ACKNOWLEDGED,)):
        cover = money.track(cover, *events)
    held(money, 0)
    look(money.book)
    assert money.left() < 10_000


def test_a_buy_that_turns_a_short_position_takes_what_it_adds() -> None:
    money = Money()
    held(money, -100)
    turning = money.track(a_buy(quantity=D(150)), SENT, ACKNOWLEDGED)
    assert money.left() == 9500
    turning = money.track(turning, fill("e1", 80, 10), holds=-20)
    assert money.left() == 9500
    money.track(turning, fill("e2", 70, 10), holds=50)
    assert money.left() == 9500


def test_of_two_orders_that_buy_back_the_same_units_the_dearer_takes_its_value_whatever_is_told_of_either() -> None:
    money = Money()
    held(money, -100)
    first, second = money.track(a_cover(1), SENT), money.track(a_buy(2), SENT)
    assert money.left() == 8800
    money.track(first, ACKNOWLEDGED)
    money.track(second, ACKNOWLEDGED)
    assert money.left() == 8800


def test_a_cover_takes_its_value_once_another_order_bought_back_what_it_was_for_until_more_is_short() -> None:
    money = Money()
    held(money, -100)
    money.track(a_cover(1), SENT, ACKNOWLEDGED)
    other = money.track(a_buy(2), SENT, ACKNOWLEDGED)
    money.track(other, fill("e1", 100, 10), holds=0)
    assert money.left() == 8800
    money.track(a_buy(3, side=Side.SELL), SENT, ACKNOWLEDGED, fill("e2", 100, 10), holds=-100)
    assert money.left() == 10_000


def test_the_figure_may_be_too_low_once_something_was_bought_back() -> None:
    money = Money()
    held(money, -100)
    cover = money.track(a_cover(), SENT, ACKNOWLEDGED)
    assert money.is_settled()
    money.track(cover, fill("e1", 40, 12), holds=-60)
    assert not money.is_settled()


def test_a_cover_that_the_figure_knows_takes_nothing_beside_it() -> None:
    money = Money()
    held(money, -100)
    cover = money.track(a_cover(), SENT, ACKNOWLEDGED)
    money.told_again(60, "5000")
    cover = money.track(cover, fill("e1", 40, 12), holds=-60)
    assert money.left() == 5000
    assert money.left(without=cover) == 5000
    money.track(cover, fill("e2", 60, 12), holds=0)
    money.told_again(61, "5000")
    assert money.left() == 5000
    assert money.book.funds("U1")._purchases == {}


# --- figures come ----------------------------------------------------------------------------------------------------------------


def test_a_figure_contains_the_orders_that_the_broker_had_when_it_was_asked() -> None:
    money = Money()
    open_, done = money.track(a_buy(1), SENT, ACKNOWLEDGED), money.track(a_buy(2), SENT, ACKNOWLEDGED)
    money.track(done, fill("e1", 100, 10))
    money.told_again(60, "8000")
    assert money.left() == 8000
    money.track(open_, fill("e2", 100, 10))
    assert money.left() == 8000


def test_an_order_that_the_broker_has_not_acknowledged_counts_beside_the_figure() -> None:
    """It may have come after the figure was made."""
    money = Money()
    sent = money.track(a_buy(), SENT)
    money.told_again(60, "9900")
    assert money.left() == 8900
    money.track(sent, ACKNOWLEDGED)
    money.told_again(61, "8900")
    assert money.left() == 8900


def test_what_happens_while_the_broker_is_asked_counts_beside_the_answer() -> None:
    money = Money()
    early = money.track(a_buy(1), SENT, ACKNOWLEDGED)
    question = money.asked(60)
    money.track(a_buy(2), SENT, ACKNOWLEDGED)
    money.track(early, fill("e1", 100, 10))
    money.report(question, "9000")
    assert money.left() == 8000


def test_what_an_order_grows_by_while_the_broker_is_asked_counts_beside_the_answer() -> None:
    money = Money()
    order = money.track(a_buy(), SENT, ACKNOWLEDGED)
    question = money.asked(60)
    money.track(order, replace_request(quantity="130"), ev.Replaced(request_id=f"{KEY}-r1", quantity=D(130)))
    money.report(question, "9000")
    assert money.left() == 8700


def test_an_answer_to_an_earlier_question_changes_nothing() -> None:
    money = Money()
    early, late = money.asked(60), money.asked(61)
    money.report(late, "5000")
    money.report(early, "7000")
    assert money.left() == 5000


def test_what_is_over_and_reported_is_forgotten() -> None:
    money = Money()
    for number in range(1, 50):
        money.track(a_buy(number), SENT, ACKNOWLEDGED, fill("e1", 100, 10))
    money.told_again(60, "1")
    assert money.book.funds("U1")._purchases == {}


def test_no_figure_no_buying_power() -> None:
    """Neither before the first, nor where the broker tells none, nor in a currency in which it tells none."""
    assert RiskBook().funds("U1").buying_power(SPY, seconds(0), 0.0, ()) is None
    assert Money(None).power() is None
    assert Money().power(SPY.but(currency="EUR")) is None


def test_coins_are_paid_for_out_of_their_own_figure() -> None:
    coin = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)
    option = SPY.but(asset_class=AssetClass.OPTION)
    money = Money("10000", CRYPTO="3000")
    money.track(a_buy(1), SENT, ACKNOWLEDGED)
    money.track(a_buy(2, instrument=coin, quantity=D(50)), SENT, ACKNOWLEDGED)
    money.track(a_buy(3, instrument=option, quantity=D(20)), SENT, ACKNOWLEDGED)
    assert [money.left(each) for each in (SPY, coin, option)] == [8800, 2500, 8800]


# --- replaces --------------------------------------------------------------------------------------------------------------------


def test_an_order_that_is_replaced_has_its_own_part_for_its_new_terms() -> None:
    """Before and after the figure that contains it: the new terms may cost what is free and what the old ones had taken."""
    money = Money("1500")
    order = money.track(a_buy(), SENT, ACKNOWLEDGED)
    assert (money.left(), money.left(without=order)) == (D(500), D(1500))
    money.told_again(60, "500")
    assert (money.left(), money.left(without=order)) == (D(500), D(1500))
    order = money.track(order, fill("e1", 40, 10))
    assert (money.left(), money.left(without=order)) == (D(500), D(1100))


def test_a_replace_that_adds_takes_what_it_adds() -> None:
    money = Money("1500")
    order = money.track(a_buy(), SENT, ACKNOWLEDGED)
    money.told_again(60, "500")
    larger = then(order, replace_request(quantity="130"))
    money.book.reserve(larger)
    assert money.left() == -800  # until it is known that a replace leaves no second order, both count
    money.book.release(order.order_id)
    assert money.left() == 500


# --- what frees money ------------------------------------------------------------------------------------------------------------


def sold(at: float) -> Event:
    return fill("s1", 100, 10, at=at)


def test_a_figure_is_settled_until_an_order_of_ours_frees_money() -> None:
    money = Money()
    assert money.is_settled()
    money.track(a_buy(1), SENT, ACKNOWLEDGED, fill("e1", 100, 10))
    assert money.is_settled()
    sale = money.track(a_buy(2, side=Side.SELL), SENT, ACKNOWLEDGED)
    assert money.is_settled()
    money.track(sale, sold(3))
    assert not money.is_settled()
    money.told_again(60, "10000")
    assert money.is_settled()


@pytest.mark.parametrize("end", [(cancelled(),), (fill("e1", 40, 10), cancelled()), (REJECTED,)])
def test_an_order_that_ends_with_a_part_unfilled_frees_money(end: tuple[Event, ...]) -> None:
    money = Money()
    order = money.track(a_buy(), SENT, acknowledged())
    money.told_again(2, "9000")
    money.track(order, *end)
    assert not money.is_settled()


@pytest.mark.parametrize("before", [(SENT,), (SENT, ACKNOWLEDGED)])
def test_a_rejection_of_what_the_figure_does_not_contain_frees_nothing(before: tuple[Event, ...]) -> None:
    """Else each order that the broker rejects for want of money would let the next one through to it."""
    money = Money()
    money.track(money.track(a_buy(), *before), REJECTED)
    assert money.is_settled()


def test_an_order_that_never_reached_the_broker_frees_nothing() -> None:
    money = Money()
    money.track(money.track(a_buy(), SENT), FAILED, cancelled(ev.CancelReason.REQUESTED))
    assert money.is_settled()


def test_what_was_freed_shortly_before_the_question_may_not_be_in_the_answer_yet() -> None:
    """Recorded three seconds after the start; a broker's answers can be five seconds old."""
    money = Money()
    money.lag = 5.0
    money.track(a_buy(side=Side.SELL), SENT, ACKNOWLEDGED, sold(3))
    for at, settled in ((7.9, False), (8.0, True)):
        money.told_again(at, "10000")
        assert money.is_settled() is settled


# --- what the figure may not contain yet ------------------------------------------------------------------------------------------


def bought_three_seconds_after_the_start(lag: float = 180.0) -> Money:
    """For 1,000 of 10,000."""
    money = Money()
    money.lag = lag
    money.track(a_buy(), SENT, ACKNOWLEDGED, fill("e1", 100, 10, at=3))
    assert money.left() == 9000
    return money


@pytest.mark.parametrize("told", ["10000", "9600", "9000"])
def test_an_answer_that_may_be_older_than_a_purchase_gives_nothing_of_it_back(told: str) -> None:
    """As it was, or renewed in the middle, or with all of it; asked again and again while it may be."""
    money = bought_three_seconds_after_the_start()
    for at in (20, 100, 182):
        money.told_again(at, told)
        assert money.left() == 9000
    money.told_again(183, "9600")
    assert money.left() == 9600
    assert money.book.funds("U1")._purchases == {}


def test_what_came_from_elsewhere_counts_beyond_what_a_purchase_can_explain() -> None:
    money = bought_three_seconds_after_the_start()
    money.told_again(20, "15000")
    assert money.left() == 14_000
    money.told_again(30, "500")
    assert money.left() == 500


def test_a_purchase_that_is_resting_may_not_be_in_an_old_answer_either() -> None:
    money = Money()
    money.lag = 180.0
    order = money.track(a_buy(), SENT, ACKNOWLEDGED)
    money.told_again(20, "10000")
    assert money.left() == 9000
    assert money.left(without=order) == 10_000
    money.track(a_buy(2), SENT, ACKNOWLEDGED)
    assert money.left() == 8000
    money.told_again(30, "10000")
    assert money.left() == 8000


def test_a_purchase_beside_a_figure_of_another_kind_takes_nothing_of_that() -> None:
    coin = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO)
    money = Money("10000", CRYPTO="3000")
    money.lag = 180.0
    money.track(a_buy(), SENT, ACKNOWLEDGED, fill("e1", 100, 10, at=3))
    money.report(money.asked(20), "10000", CRYPTO="5000")
    assert (money.left(), money.left(coin)) == (D(9000), D(5000))


def test_without_a_figure_before_it_the_first_one_is_believed() -> None:
    """After a restart: what was bought before it is not known here, and what rests is."""
    money = Money(None)
    money.lag = 180.0
    money.track(a_buy(), SENT, ACKNOWLEDGED)
    money.told_again(20, "9000")
    assert money.left() == 9000


def test_the_age_counts_from_the_figures_own_time() -> None:
    money = Money()
    told = money.power(now=seconds(12.5))
    assert told is not None
    assert told.age_seconds == 12.5


ASKING = BrokerCapabilities(lookup_lag_seconds=3.0, quiet_poll_seconds=5.0)


@pytest.mark.parametrize(
    ("now", "since_asked", "oldest", "expected"),
    [
        (10, 10.0, 9.0, True),
        (10, 10.0, 10.0, False),
        (10, 4.9, 0.0, False),
        (10, 5.0, 0.0, True),
    ],
    ids=["too old", "young enough", "just asked", "asked a while ago"],
)
def test_the_broker_is_asked_again_for_what_is_too_old_and_not_too_often(
    now: float, since_asked: float, oldest: float, expected: bool
) -> None:
    assert Money().book.funds("U1").is_to_be_asked(seconds(now), since_asked, oldest, ASKING) is expected


def test_what_was_never_told_is_asked_for_at_once() -> None:
    assert RiskBook().funds("U1").is_to_be_asked(seconds(0), float("inf"), 1e9, ASKING)


@pytest.mark.parametrize(
    ("now", "since_asked", "expected"), [(9.9, 4.0, False), (10, 4.0, True), (10, 0.9, False), (10, 1.0, True)]
)
def test_what_our_orders_freed_is_asked_for_as_soon_as_the_answer_can_contain_it(
    now: float, since_asked: float, expected: bool
) -> None:
    """Freed seven seconds after the start: of an answer that lags three, at ten."""
    money = Money()
    funds = money.book.funds("U1")
    funds.freed_at = seconds(7)
    assert funds.is_to_be_asked(seconds(now), since_asked, 1e9, ASKING) is expected
