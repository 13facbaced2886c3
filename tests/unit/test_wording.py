"""Figures as text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from liveorder.domain.order.events import decimal_text


@pytest.mark.parametrize(
    ("value", "text"), [("-0", "0"), ("-0.00", "0.00"), ("0E+3", "0"), ("-0E-2", "0.00"), ("-0.01", "-0.01"), ("1E+3", "1000")]
)
def test_no_figure_is_less_than_nothing(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text
