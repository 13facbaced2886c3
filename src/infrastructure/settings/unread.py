"""Settings that nothing would read, alone or beside others: refused, or said at the start, so that nobody relies on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.sections import Account, Simulation

_OF_THE_VENUES_PROCESS = ("quotes", "seed", "venue_data")


def check_unread(settings: SettingsFields) -> None:
    """Raises `SettingsError`."""
    if settings.telegram.enabled:
        raise SettingsError(
            "telegram.enabled is true, and nothing sends to Telegram yet: alerts are in the log; set TELEGRAM_ENABLED to false"
        )


def check_unread_options(account: Account, options: Mapping[str, Any]) -> None:
    """Of an account at a real broker. Raises `SettingsError`."""
    if account.broker == "kite" and options.get("access_token") and options.get("access_token_file"):
        raise SettingsError(
            f"account {account.id!r}: kite.access_token is not read while kite.access_token_file is set; unset one of them"
        )


def unread_beside_venue(simulation: Simulation) -> tuple[str, ...]:
    """What only the process of an external venue reads; no error, since both processes may share one file."""
    is_default = {name: getattr(simulation, name) == Simulation.model_fields[name].default for name in _OF_THE_VENUES_PROCESS}
    return () if simulation.venue is None else tuple(f"simulation.{name}" for name in is_default if not is_default[name])
