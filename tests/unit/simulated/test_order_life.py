"""Cancels, replaces, busts, corrections, and what the exchange does unasked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.testing.venue.orders import OrderState, ReplacedTerms
from liveorder.testing.venue.settings import Fills
from tests.unit.simulated.stage import AAPL, BY_HAND, later, placed, told, venue_of

D = Decimal
RESTING = {"order_type": "LIMIT", "limit_price": "150"}


def test_an_order_is_pending_before_it_works() -> None:
    venue = venue_of(accept_delay_seconds=1)
    order = venue.submit(placed())
    assert (order.state, order.filled_quantity) == (OrderState.PENDING, D(0))
    later(venue, 1)
    assert order.state is OrderState.FILLED


def test_a_cancel_ends_the_order_and_a_second_cancel_is_too_late() -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    venue.cancel("SIM", "K1", None)
    assert (order.state, order.cause) == (OrderState.CANCELLED, "REQUESTED")
    with pytest.raises(VenueRefusal) as refused:
        venue.cancel("SIM", "K1", None)
    assert refused.value.code is RefusalCode.TOO_LATE


def test_an_unknown_order_is_neither_cancelled_nor_replaced() -> None:
    venue = venue_of()
    with pytest.raises(VenueRefusal) as refused:
        venue.cancel("SIM", "K1", None)
    assert refused.value.code is RefusalCode.UNKNOWN_ORDER
    with pytest.raises(VenueRefusal) as refused:
        venue.replace("SIM", None, "V9", ReplacedTerms())
    assert refused.value.code is RefusalCode.UNKNOWN_ORDER


def test_a_pending_cancel_can_lose_the_race_against_a_fill() -> None:
    venue = venue_of(cancel_delay_seconds=2)
    order = venue.submit(placed(**RESTING))
    venue.cancel("SIM", "K1", None)
    venue.cancel("SIM", "K1", None)
    venue.post_price(AAPL.key, D(140))
    assert order.state is OrderState.FILLED
    assert [kind for (kind,) in told(venue)] == ["accepted", "cancel_pending", "fill", "cancel_rejected"]
    later(venue, 2)
    assert order.state is OrderState.FILLED


def test_a_pending_cancel_keeps_what_traded_before_it_won() -> None:
    venue = venue_of(cancel_delay_seconds=3, fills=Fills(max_quantity=D(4), delay_seconds=2))
    order = venue.submit(placed())
    venue.cancel("SIM", "K1", None)
    later(venue, 10)
    assert (order.state, order.filled_quantity) == (OrderState.CANCELLED, D(4))


def test_a_replace_changes_quantity_and_limit() -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    venue.replace("SIM", "K1", None, ReplacedTerms(quantity=D(20), limit_price=D(160)))
    assert (order.quantity, order.limit_price) == (D(20), D(160))
    assert told(venue, "quantity", "limit_price")[-1] == ("replaced", "20", "160")


def test_a_replace_that_makes_the_order_marketable_trades_it() -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    venue.replace("SIM", "K1", None, ReplacedTerms(limit_price=D(250)))
    assert order.average_price() == D(200)


def test_a_replace_below_the_filled_quantity_stops_the_order_at_what_is_filled() -> None:
    venue = venue_of(fills=BY_HAND)
    order = venue.submit(placed(**RESTING))
    venue.staff.fill("V1", D(6), D(150), venue.now)
    venue.replace("SIM", "K1", None, ReplacedTerms(quantity=D(3)))
    assert (order.quantity, order.filled_quantity, order.state) == (D(6), D(6), OrderState.FILLED)
    assert told(venue, "quantity")[-1] == ("replaced", "6")


def test_a_replace_is_done_once_however_often_it_arrives() -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    for _ in range(2):
        venue.replace("SIM", "K1", None, ReplacedTerms(replace_id="R1", quantity=D(20)))
    assert order.replace_ids == ["R1"]
    assert [kind for (kind,) in told(venue)] == ["accepted", "replaced"]


def test_a_fill_can_overtake_a_pending_replace() -> None:
    venue = venue_of(replace_delay_seconds=2)
    venue.submit(placed(**RESTING))
    venue.replace("SIM", "K1", None, ReplacedTerms(limit_price=D(100)))
    with pytest.raises(VenueRefusal):
        venue.replace("SIM", "K1", None, ReplacedTerms(limit_price=D(90)))
    venue.post_price(AAPL.key, D(140))
    assert [kind for (kind,) in told(venue)] == ["accepted", "replace_pending", "fill", "replace_rejected"]


def test_a_pending_replace_holds_from_when_it_is_done() -> None:
    venue = venue_of(replace_delay_seconds=2)
    order = venue.submit(placed(order_type="STOP", stop_price="210"))
    venue.replace("SIM", "K1", None, ReplacedTerms(stop_price=D(220)))
    assert order.stop_price == D(210)
    later(venue, 2)
    assert order.stop_price == D(220)


def test_a_bust_of_the_completing_fill_puts_the_order_back_into_the_market() -> None:
    venue = venue_of()
    order = venue.submit(placed())
    venue.staff.bust("X1", venue.now)
    assert (order.state, order.filled_quantity, order.average_price()) == (OrderState.WORKING, D(0), None)
    assert told(venue, "execution_id")[-1] == ("bust", "X1")
    venue.post_price(AAPL.key, D(201))
    assert (order.state, order.average_price()) == (OrderState.FILLED, D(201))


def test_an_execution_is_busted_once() -> None:
    venue = venue_of()
    venue.submit(placed())
    venue.staff.bust("X1", venue.now)
    for execution_id in ("X1", "X9"):
        with pytest.raises(VenueRefusal):
            venue.staff.bust(execution_id, venue.now)


def test_a_correction_stands_in_place_of_the_fill() -> None:
    venue = venue_of()
    order = venue.submit(placed())
    corrected_id = venue.staff.correct("X1", D(10), D(199), venue.now)
    assert told(venue, "execution_id", "corrects", "price")[-1] == ("correction", corrected_id, "X1", "199")
    assert (order.average_price(), order.filled_quantity, order.state) == (D(199), D(10), OrderState.FILLED)
    assert [trade.execution_id for trade in order.effective_trades()] == [corrected_id]


def test_a_correction_to_less_reopens_the_order_and_to_more_fills_it() -> None:
    venue = venue_of(fills=BY_HAND)
    order = venue.submit(placed())
    execution_id = venue.staff.fill("V1", D(10), D(200), venue.now)
    execution_id = venue.staff.correct(execution_id, D(7), D(200), venue.now)
    assert (order.state, order.remaining) == (OrderState.WORKING, D(3))
    venue.staff.correct(execution_id, D(12), D(200), venue.now)
    assert (order.state, order.remaining) == (OrderState.FILLED, D(0))


def test_a_cancelled_order_can_be_filled_late() -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    venue.cancel("SIM", "K1", None)
    venue.staff.fill("V1", D(4), D(150), venue.now)
    assert (order.state, order.filled_quantity) == (OrderState.CANCELLED, D(4))
    venue.staff.bust("X1", venue.now)
    assert order.state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("cause", "state"),
    [("BY_BROKER", OrderState.CANCELLED), ("DONE_FOR_DAY", OrderState.CANCELLED), ("EXPIRED", OrderState.EXPIRED)],
)
def test_the_exchange_ends_an_order_unasked(cause: str, state: OrderState) -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    venue.staff.close("V1", cause, "margin call", venue.now)
    assert (order.state, order.reason) == (state, "margin call")
    assert told(venue, "cause", "reason")[-1] == ("closed", cause, "margin call")
    with pytest.raises(VenueRefusal):
        venue.staff.close("V1", cause, "", venue.now)


def test_there_is_nothing_to_do_to_an_order_that_is_not_there() -> None:
    venue = venue_of()
    with pytest.raises(VenueRefusal) as refused:
        venue.staff.fill("V9", D(1), D(1), venue.now)
    assert refused.value.code is RefusalCode.UNKNOWN_ORDER


def test_the_exchange_restates_an_order() -> None:
    venue = venue_of()
    order = venue.submit(placed(**RESTING))
    venue.staff.restate("V1", ReplacedTerms(quantity=D(8)), "lot change", venue.now)
    assert order.quantity == D(8)
    assert told(venue, "quantity", "limit_price", "reason")[-1] == ("restated", "8", None, "lot change")


def test_a_split_restates_order_trades_and_position_in_new_units() -> None:
    venue = venue_of(fills=BY_HAND)
    order = venue.submit(placed(**RESTING))
    venue.staff.fill("V1", D(4), D(150), venue.now)
    venue.staff.split("V1", D(2), venue.now)
    assert (order.quantity, order.filled_quantity, order.limit_price) == (D(20), D(8), D(75))
    assert told(venue, "split_ratio")[-1] == ("restated", "2")
    (position,) = venue.questions.positions("SIM")["positions"]
    assert (D(position["quantity"]), D(position["average_price"])) == (D(8), D(75))


def test_commission_can_come_apart_from_the_fill() -> None:
    venue = venue_of(reports_commission_apart=True, commission={"per_unit": "0.01"})
    venue.submit(placed())
    assert told(venue, "execution_id", "commission")[1:] == [("fill", "X1", None), ("commission", "X1", "0.10")]
