"""What is typed on the command line becomes exact values, or an error that names the option and the remedy."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from liveorder.bootstrap import load_settings
from liveorder.domain.errors import InvalidInput
from liveorder.domain.signal import UnusableSignal
from liveorder.domain.values import OrderType
from liveorder.interfaces.cli.options import a_day, a_moment, a_number
from liveorder.interfaces.cli.running import sources_for
from liveorder.interfaces.cli.signal_options import a_signal


def test_days_times_and_numbers_are_read_exactly() -> None:
    assert a_day("2025-03-10") == date(2025, 3, 10)
    assert a_moment("2025-03-10T09:20:00+05:30") == datetime(2025, 3, 10, 3, 50, tzinfo=UTC)
    assert a_number("quantity", "0.10") == Decimal("0.10")
    assert (a_day(None), a_moment(None), a_number("quantity", None)) == (None, None, None)


def test_a_time_without_a_zone_is_utc() -> None:
    assert a_moment("2025-03-10T03:50") == datetime(2025, 3, 10, 3, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "option"),
    [(lambda: a_day("10.3.2025"), "--day"), (lambda: a_moment("noon"), "--at"), (lambda: a_number("quantity", "NaN"), "quantity")],
)
def test_what_cannot_be_read_is_named_by_its_option(read: object, option: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read()  # type: ignore[operator]  # one of the functions above
    assert caught.value.field == option
    assert caught.value.remedy


def test_a_signal_of_options_gets_a_new_id_each_time_unless_it_has_one() -> None:
    wanted = {"symbol": "SPY", "side": "BUY", "quantity": "1", "order_type": OrderType.LIMIT, "limit_price": "230.05"}
    first, second, named = a_signal(None, wanted), a_signal(None, wanted), a_signal(None, wanted | {"signal_id": "mine"})
    assert first.signal_id != second.signal_id
    assert (named.signal_id, named.limit_price) == ("mine", Decimal("230.05"))


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        ({}, OrderType.MARKET),
        ({"limit_price": "1"}, OrderType.LIMIT),
        ({"stop_price": "1"}, OrderType.STOP),
        ({"limit_price": "1", "stop_price": "1"}, OrderType.STOP_LIMIT),
    ],
)
def test_the_prices_say_what_type_an_order_is(prices: dict[str, str], kind: OrderType) -> None:
    assert a_signal(None, {"symbol": "SPY", "side": "BUY", "quantity": "1", **prices}).order_type is kind


def test_a_signal_is_given_in_json_or_in_options_but_not_in_both() -> None:
    assert a_signal('{"signal_id":"a","symbol":"SPY","side":"BUY","quantity":1}', {}).signal_id == "a"
    with pytest.raises(InvalidInput):
        a_signal('{"signal_id":"a"}', {"symbol": "SPY"})
    with pytest.raises(UnusableSignal):
        a_signal("{", {})


@pytest.mark.parametrize(
    ("signals", "until_idle"), [(None, False), ("-", False), ("file:signals.jsonl", False), ("signals.jsonl", True)]
)
def test_only_a_file_can_be_followed_and_never_to_its_end(signals: str | None, until_idle: bool) -> None:
    with pytest.raises(InvalidInput):
        sources_for(load_settings(), signals, follow=True, from_beginning=False, until_idle=until_idle)
