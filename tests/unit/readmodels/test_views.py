import json
from datetime import timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from liveorder.application.reporting.views import (
    ConfirmationView,
    OrderView,
    as_of,
    confirmation_view,
    history_view,
    is_confirmable,
    order_view,
    signal_view,
)
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import events as ev
from tests.builders import (
    ACKNOWLEDGED,
    KEY,
    ORDER_ID,
    REFUSED,
    SENT,
    bust,
    cancelled,
    fill,
    intent,
    order_of,
    recorded,
    seconds,
    unknown,
)

PROMISED = """
    order_id client_order_id broker_order_id signal_id session_id account_id strategy_name broker symbol side order_type
    limit_price stop_price time_in_force product exchange stop_loss take_profit tags quantity filled_quantity
    remaining_quantity average_price commission status reason flags attempts requested_at submitted_at closed_at
    last_update_at error_message fills
"""


def test_an_order_in_json_has_every_promised_field() -> None:
    assert set(PROMISED.split()) <= set(order_view(order_of()).to_dict())


def test_decimals_are_strings_as_they_were_told_and_times_are_utc_with_a_z() -> None:
    order = order_of(SENT, ACKNOWLEDGED, fill("e1", "40.0", "235.10", "0.50"))
    shown = json.loads(order_view(order).to_json())
    assert (shown["quantity"], shown["filled_quantity"], shown["remaining_quantity"]) == ("100", "40.0", "60.0")
    assert shown["fills"] == [
        {
            "execution_id": "e1",
            "quantity": "40.0",
            "price": "235.10",
            "commission": "0.50",
            "commission_currency": None,
            "filled_at": "2026-11-20T14:30:03Z",
            "is_inferred": False,
        }
    ]


def test_tiny_and_huge_numbers_are_written_in_plain_digits() -> None:
    order = order_of(intent(quantity=Decimal("1E+3")), fill("e1", "0.00000001", "1E+2"))
    shown = order_view(order).to_dict()
    assert (shown["quantity"], shown["filled_quantity"], shown["average_price"]) == ("1000", "0.00000001", "100")


def test_an_average_is_rounded_for_showing_only() -> None:
    order = order_of(SENT, fill("e1", 1, 100), fill("e2", 2, 101))
    assert order_view(order).average_price == Decimal("100.66666667")
    assert order.average_price != order_view(order).average_price


def test_a_time_with_another_offset_is_shown_in_utc() -> None:
    told = ev.Filled(
        execution_id="e1", quantity=Decimal(1), price=Decimal(1), filled_at=seconds(5).astimezone(timezone(timedelta(hours=5.5)))
    )
    assert order_view(order_of(SENT, told)).to_dict()["fills"][0]["filled_at"] == "2026-11-20T14:30:05Z"


def test_a_view_reads_back_as_it_was() -> None:
    view = order_view(order_of(SENT, ACKNOWLEDGED, fill("e1", 40, "235.10", "0.5")))
    assert OrderView.model_validate_json(view.to_json()) == view


def test_an_order_as_of_a_time_knows_nothing_of_what_was_recorded_later() -> None:
    stream = recorded([intent(), SENT, ACKNOWLEDGED, fill("e1", 100)])
    before, between = as_of(stream, seconds(-1)), as_of(stream, seconds(2.5))
    assert before is None
    assert between is not None
    assert (order_view(between).status, order_view(between).version) == ("SUBMITTED", 3)


def test_an_order_as_of_a_time_is_a_beginning_of_its_stream_though_the_clock_was_set_back() -> None:
    first, second, third = recorded([intent(), SENT, ACKNOWLEDGED])
    late = RecordedEvent(second.stream_id, 2, second.envelope.but(recorded_at=seconds(9)), second.event)
    found = as_of([first, late, third], seconds(5))
    assert found is not None
    assert found.version == 1


def test_a_confirmation_is_an_order_with_what_its_execution_came_to() -> None:
    order = order_of(SENT, ACKNOWLEDGED, fill("e1", 40, "10.5", at=7), fill("e2", 20, 11, at=6), cancelled(message="by hand"))
    view = confirmation_view(order)
    assert (view.total_value, view.filled_at) == (Decimal(640), seconds(7))
    assert view.notes == "filled in part: 60 of 100; by hand"
    assert ConfirmationView.model_validate_json(view.to_json()) == view
    assert view.to_dict().items() >= order_view(order).to_dict().items()


def test_the_value_of_a_contract_counts_its_multiplier() -> None:
    option = intent().instrument.but(multiplier=Decimal(100))
    assert confirmation_view(order_of(intent(instrument=option), SENT, fill("e1", 2, "1.25"))).total_value == Decimal(250)


@pytest.mark.parametrize(
    ("events", "note"),
    [
        ((intent(is_shadow=True), SENT, fill("e1", 100)), "shadow: decided and never sent"),
        ((SENT, fill("e1", 10), bust("e1")), "taken back by the broker: e1"),
        ((SENT, ev.AnomalyNoted(code="overfill", message="")), "overfill"),
        (
            (SENT, ev.FillInferred(execution_id="i", quantity=Decimal(5), price=Decimal(2), evidence="a total")),
            "inferred from the broker's total; the fills are still to come",
        ),
        ((SENT, fill("e1", 100)), ""),
    ],
)
def test_notes_say_what_is_out_of_the_ordinary(events: tuple[ev.OrderEvent, ...], note: str) -> None:
    assert confirmation_view(order_of(*events)).notes == note


def test_there_is_nothing_to_confirm_before_a_fill_or_the_end() -> None:
    assert not is_confirmable(order_of(SENT, ACKNOWLEDGED))
    assert is_confirmable(order_of(REFUSED))
    assert is_confirmable(order_of(SENT, fill("e1", 1)))
    assert is_confirmable(order_of(SENT, fill("e1", 1), bust("e1")))


def test_a_doubt_shows_as_a_flag_and_keeps_the_status() -> None:
    view = order_view(order_of(SENT, unknown(f"{KEY}-s1")))
    assert (view.status, view.flags, view.error_message) == ("SUBMITTED", ("in_doubt",), "no answer")


def test_a_signal_shows_the_status_of_its_order() -> None:
    view = signal_view(order_of(REFUSED))
    assert (view.signal_id, view.execution_status, view.reason, view.order_id) == ("signal-1", "REJECTED", "RISK", ORDER_ID)


def test_an_event_in_a_history_keeps_its_envelope_and_tells_itself() -> None:
    view = history_view(recorded([fill("e1", 100, "235.15")])[0])
    assert (view.fact, view.sentence, view.event_id) == ("Filled", "Order filled: 100 @ 235.15", UUID(int=1))
    assert view.data["price"] == "235.15"
