"""Every field of a signal can be given on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from liveorder.domain.errors import InvalidInput
from liveorder.domain.signal import Signal
from liveorder.interfaces.cli.signal_options import OPTIONS, a_signal, option_of

SAMPLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "signal_id": ("s-1", {}),
    "account_id": ("SIM", {}),
    "strategy_name": ("trend", {}),
    "symbol": ("SPY", {}),
    "side": ("SELL", {}),
    "order_type": ("MARKET", {}),
    "position_effect": ("OPEN", {}),
    "quantity": ("10", {}),
    "notional": ("1000.50", {}),
    "percent": ("50", {"position_effect": "CLOSE"}),
    "risk_percent": ("1", {"stop_loss": "90"}),
    "target_quantity": ("-3", {}),
    "target_percent": ("-10", {}),
    "limit_price": ("100.5", {}),
    "stop_price": ("101", {}),
    "price": ("100", {}),
    "trail_amount": ("2", {"order_type": "TRAILING_STOP"}),
    "trail_percent": ("2", {"order_type": "TRAILING_STOP"}),
    "limit_offset": ("0.5", {"order_type": "TRAILING_STOP_LIMIT", "trail_amount": "2"}),
    "time_in_force": ("IOC", {}),
    "hours": ("extended", {}),
    "expires_at": ("2026-12-01T20:00:00Z", {"time_in_force": "GTD"}),
    "exchange": ("ARCA", {}),
    "product": ("CNC", {}),
    "asset_class": ("EQUITY", {}),
    "symbol_name": ("SPDR S&P 500 ETF", {}),
    "expiry": ("2026-12-18", {}),
    "strike": ("450", {}),
    "right": ("CALL", {}),
    "trading_class": ("SPXW", {}),
    "multiplier": ("100", {}),
    "con_id": ("756733", {}),
    "currency": ("USD", {}),
    "tags": (["one", "two"], {}),
    "stop_loss": ("90", {}),
    "take_profit": ("120", {}),
    "protection": ("external", {}),
    "score": ("75.0", {}),
    "timestamp": ("2026-11-30T09:20:00+05:30", {}),
    "valid_until": ("2026-11-30T20:00:00Z", {}),
    "timeout_seconds": ("60", {}),
    "role": ("EXIT", {}),
    "parent_order_id": ("01a22d16-e108-71ee-a9f8-f4d7a53b90b8", {}),
    "oco_group": ("pair-1", {}),
}


IN_JSON: dict[str, Any] = {"timeout_seconds": float, "con_id": int}
"""What JSON has as a number, where text is not taken for one."""


def test_there_is_an_option_for_each_field_and_a_sample_of_it() -> None:
    assert set(OPTIONS) == set(Signal.model_fields) == set(SAMPLES)
    assert len({option_of(name) for name in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_field_is_taken_as_the_same_in_json_is(name: str) -> None:
    text, others = SAMPLES[name]
    given = {"symbol": "SPY", "side": "BUY"} | others | {name: text}
    made = a_signal(None, given)
    assert name in made.model_fields_set
    known = {"signal_id": made.signal_id, "order_type": made.order_type}
    plain = {key: IN_JSON.get(key, lambda same: same)(value) for key, value in given.items()}
    assert made == Signal(**(known | plain))


def test_a_number_that_is_none_names_its_option() -> None:
    with pytest.raises(InvalidInput, match="--timeout-seconds"):
        a_signal(None, {"symbol": "SPY", "side": "BUY", "timeout_seconds": "soon"})
