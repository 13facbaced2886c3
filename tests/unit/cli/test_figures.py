"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from liveorder.application.reporting.figures import moment, money, number, part, plural, price, result


@pytest.mark.parametrize(
    ("value", "text"),
    [("100", "100"), ("100.00", "100"), ("6E+4", "60,000"), ("0.7206", "0.7206"), ("-1234567.5", "-1,234,567.5"), ("0", "0")],
)
def test_a_number_shows_the_digits_that_count(value: str, text: str) -> None:
    assert number(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("224", "224.00"), ("1238.5", "1,238.50"), ("0.123456789", "0.123457"), ("6E+4", "60,000.00"), ("1.2345", "1.2345")],
)
def test_a_price_has_two_to_six_decimals(value: str, text: str) -> None:
    assert price(Decimal(value)) == text


def test_money_is_rounded_half_to_even() -> None:
    assert (money(Decimal("0.125")), money(Decimal("0.135"))) == ("0.12", "0.14")


def test_what_is_not_known_is_a_dash() -> None:
    assert (number(None), price(None), moment(None)) == ("–", "–", "–")


def test_a_result_is_coloured_by_its_sign() -> None:
    shown = [result(Decimal(value)) for value in ("1", "-1", "0")]
    assert [(text.plain, text.style) for text in shown] == [("+1.00", "green"), ("-1.00", "red"), ("0.00", "")]


def test_times_are_shown_in_utc_whatever_their_zone() -> None:
    in_mumbai = datetime(2025, 3, 10, 9, 20, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert moment(in_mumbai) == moment(datetime(2025, 3, 10, 3, 50, tzinfo=UTC)) == "2025-03-10 03:50:00"


def test_a_part_is_told_of_its_whole_until_it_is_the_whole() -> None:
    assert part(Decimal(60), Decimal(100)) == "60/100"
    assert part(Decimal(100), Decimal(100)) == "100"
    assert part(Decimal(0), None) == "0/–"


def test_one_is_singular() -> None:
    assert (plural(1, "order"), plural(2000, "order"), plural(0, "reply", "replies")) == ("1 order", "2,000 orders", "0 replies")
