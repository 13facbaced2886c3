"""Settings that would be ignored, alone or because of others. They are refused or reported at start, so that nobody relies on
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from liveorder.domain.errors import SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.sections import AccountSettings, Simulation

_OF_THE_VENUES_PROCESS = ("quotes", "seed", "venue_data")


def check_unread(settings: SettingsFields) -> None:
    """Raises `SettingsError` for a setting that nothing uses yet."""
    if settings.telegram.enabled:
        raise SettingsError(
            "telegram.enabled is true, but nothing sends to Telegram yet: alerts are in the log; set TELEGRAM_ENABLED to false"
        )


def check_unread_options(account: AccountSettings, options: Mapping[str, Any]) -> None:
    """Check the options of an account at a real broker. Raises `SettingsError`."""
    if account.broker == "kite" and options.get("access_token") and options.get("access_token_file"):
        raise SettingsError(
            f"account {account.id!r}: kite.access_token is ignored while kite.access_token_file is set; unset one of them"
        )


def unread_of(simulation: Simulation, mode: TradingMode) -> tuple[str, ...]:
    """The simulation settings that a process in this mode ignores. No error, since several processes may share one file."""
    if mode is not TradingMode.SIMULATION:
        names: Iterable[str] = Simulation.model_fields
    else:
        names = () if simulation.venue is None else _OF_THE_VENUES_PROCESS
    return tuple(f"simulation.{name}" for name in names if getattr(simulation, name) != Simulation.model_fields[name].default)


def why_unread(simulation: Simulation, mode: TradingMode) -> str:
    return f"the venue at {simulation.venue} has its own" if mode is TradingMode.SIMULATION else f"the mode is {mode}"
