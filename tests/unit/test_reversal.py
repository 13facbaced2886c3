"""What the second leg of a reversal is sized by once the first is wholly filled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain.order import LiveOrder
from liveorder.domain.reversal import after_first_leg, second_leg_of
from liveorder.domain.signal import Signal
from liveorder.domain.values import PositionEffect, Side
from tests.builders import acknowledged, fill, intent, order_of, submission

D = Decimal
PLAIN: list[dict[str, Any]] = [{"quantity": 25}, {"notional": 12_500}, {"risk_percent": 1, "stop_loss": 600}]


def a_signal(**fields: Any) -> Signal:
    return Signal(**{"signal_id": "turn", "symbol": "SPY", "side": "SELL"} | fields)


def closed(asked: str | None, units: str = "20") -> LiveOrder:
    """The first leg, of which its broker made fills of all that it was for."""
    both_legs = None if asked is None else D(asked)
    terms = {"side": Side.SELL, "quantity": D(units), "position_effect": PositionEffect.CLOSE, "asked_quantity": both_legs}
    first = intent(signal_id="turn", **terms)
    return order_of(first, submission(), acknowledged(), fill("X1", units))


@pytest.mark.parametrize("fields", PLAIN)
def test_it_opens_what_the_first_left_of_what_both_came_to(fields: dict[str, Any]) -> None:
    signal = after_first_leg(second_leg_of(a_signal(**fields)), closed("25")).signal
    assert signal is not None
    assert (signal.quantity, signal.position_effect, signal.sizes) == (D(5), PositionEffect.OPEN, ("quantity",))
    again = Signal.restored(signal.to_json())
    assert (again.quantity, again.sizes) == (D(5), ("quantity",)), "it may have to wait once more"


@pytest.mark.parametrize("fields", PLAIN)
def test_where_the_first_did_all_of_it_nothing_follows(fields: dict[str, Any]) -> None:
    follows = after_first_leg(second_leg_of(a_signal(**fields)), closed("20"))
    assert (follows.signal, follows.refused) == (None, None)


@pytest.mark.parametrize(
    "fields", [{"position_effect": "OPEN", "notional": 2500}, {"side": None, "target_quantity": -5}], ids=["open", "target"]
)
def test_what_says_how_much_is_opened_is_sized_anew(fields: dict[str, Any]) -> None:
    second = second_leg_of(a_signal(**fields))
    assert after_first_leg(second, closed("25")).signal == second.model_copy(update={"product": None})


@pytest.mark.parametrize("fields", PLAIN[1:])
def test_where_an_earlier_version_did_not_store_what_both_came_to_nothing_is_opened(fields: dict[str, Any]) -> None:
    refused = after_first_leg(second_leg_of(a_signal(**fields)), closed(None)).refused
    assert refused is not None
    assert refused.code == "reversal_incomplete"
