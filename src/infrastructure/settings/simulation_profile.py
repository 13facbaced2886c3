"""The limits of a simulation: wide enough that a first signal trades. PAPER and LIVE have those of `RiskLimits`.

They hold only where the orders go to the simulated venue, for accounts that are simulated by their own settings. An account of a
real broker that is traded there, as in a rehearsal, keeps its limits, and so does one whose broker a program supplies.
"""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal
from typing import Any

_OF_ANY_CURRENCY: dict[str, Any] = {"max_daily_trades": 1000, "max_signal_age_seconds": None}
_AMOUNTS: dict[str, dict[str, Decimal]] = {
    "USD": {"position_size": Decimal(10_000), "max_position_size": Decimal(1_000_000)},
    "INR": {"position_size": Decimal(500_000), "max_position_size": Decimal(50_000_000)},
}
"""By the currencies of what the simulated venue lists. Another currency has the figures of USD."""

CURRENCIES = tuple(_AMOUNTS)


def simulated_limits(currency: str, chosen: Container[str]) -> dict[str, Any]:
    """The limits of an account in that currency, without those that the settings choose by name."""
    limits = _OF_ANY_CURRENCY | _AMOUNTS.get(currency, _AMOUNTS["USD"])
    return {name: limit for name, limit in limits.items() if name not in chosen}


def limits_in_a_simulation(chosen: Container[str]) -> dict[str, str]:
    """For people: those of `[risk]` that are others there than everywhere, without those that the settings choose."""
    names = (*_OF_ANY_CURRENCY, *_AMOUNTS["USD"])
    return {name: f"{limit_in_a_simulation(name)} (of a simulated account)" for name in names if name not in chosen}


def limit_in_a_simulation(name: str) -> str | None:
    """For people: what a setting of `[risk]` is there by default. None where that is as everywhere."""
    if name in _OF_ANY_CURRENCY:
        limit = _OF_ANY_CURRENCY[name]
        return "none" if limit is None else str(limit)
    if name in _AMOUNTS["USD"]:
        return ", ".join(f"{amounts[name]} {currency}" for currency, amounts in _AMOUNTS.items())
    return None
