"""Names, numbers and evidence of people are held to what a signal's fields are held to."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest

from liveorder.domain.errors import InvalidInput
from liveorder.domain.given_by_hand import MOST_EVIDENCE, amount_given, evidence_given, price_given, strategy_given
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass

SPY = Instrument(symbol="SPY", exchange="ARCA")
OIL = Instrument(symbol="CL", exchange="NYMEX", asset_class=AssetClass.FUTURE)


@pytest.mark.parametrize("name", ["", " ", "trend ", " trend", "two\nlines", "x" * 201, "\u202eabc", "flatten", None, 7])
def test_a_strategy_that_no_signal_can_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        strategy_given(name, "to")
    assert refused.value.field == "to"


def test_a_strategy_and_evidence_stay_as_they_were_given() -> None:
    assert strategy_given("mean reversion 2", "to") == "mean reversion 2"
    assert evidence_given("statement of 2026-11-30, line 4") == "statement of 2026-11-30, line 4"


@pytest.mark.parametrize("text", ["", "  ", "line\nforged line", "x" * (MOST_EVIDENCE + 1), None])
def test_evidence_is_one_line_that_says_something(text: Any) -> None:
    with pytest.raises(InvalidInput, match="evidence"):
        evidence_given(text)


NO_AMOUNTS = [0.1, float("nan"), True, None, "NaN", "1e400", "ten", Decimal("sNaN"), Decimal("1e-300"), "0x1"]


@pytest.mark.parametrize("number", NO_AMOUNTS)
def test_an_amount_is_exact_and_finite(number: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        amount_given(number, "quantity")
    assert refused.value.field == "quantity"


@pytest.mark.parametrize(("number", "amount"), [("0.1", Decimal("0.1")), (4, Decimal(4)), (Decimal("-2.5"), Decimal("-2.5"))])
def test_an_amount_is_what_was_given(number: Any, amount: Decimal) -> None:
    assert amount_given(number, "quantity") == amount


@pytest.mark.parametrize("price", ["-5", Decimal(-1)])
def test_only_what_can_have_a_price_below_zero_is_given_one(price: Any) -> None:
    assert price_given(price, OIL) == Decimal(price)
    with pytest.raises(InvalidInput, match="no price of SPY"):
        price_given(price, SPY)


def test_what_became_worthless_goes_at_zero() -> None:
    assert price_given("0", SPY) == 0


def test_lots_and_values_do_not_depend_on_the_context_of_a_program() -> None:
    coin = SPY.but(lot_size=Decimal("0.1"))
    with localcontext() as context:
        context.prec = 6
        assert coin.round_quantity(Decimal("123456.78")) == Decimal("123456.7")
        assert coin.value_of(Decimal("123456.7"), Decimal("101.25")) == Decimal("12499990.875")
    assert str(coin.round_quantity(Decimal("0.1"))) == "0.1"  # as it is stored
    almost = Decimal("19.99999999999999999999999999998")
    assert SPY.round_quantity(almost) == 19
