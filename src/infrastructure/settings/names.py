"""Names of settings: by table and name, and the names that traders are used to."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic import BaseModel

from liveorder.domain.risk_limits import RiskLimits

SettingPath: TypeAlias = tuple[str, ...]

ENVIRONMENT_PREFIX = "liveorder_"
ENVIRONMENT_SEPARATOR = "__"

TRADER_NAMES: dict[str, SettingPath] = {
    "kite_api_key": ("kite", "api_key"),
    "kite_api_secret": ("kite", "api_secret"),
    "kite_access_token": ("kite", "access_token"),
    "enable_auto_trading": ("enable_auto_trading",),
    "position_size": ("risk", "position_size"),
    "max_position_size": ("risk", "max_position_size"),
    "max_daily_trades": ("risk", "max_daily_trades"),
    "ibkr_host": ("ibkr", "host"),
    "ibkr_port": ("ibkr", "port"),
    "ibkr_client_id": ("ibkr", "client_id"),
    "use_mock_broker": ("use_mock_broker",),
    "alpaca_api_key": ("alpaca", "api_key"),
    "alpaca_secret_key": ("alpaca", "secret_key"),
    "alpaca_base_url": ("alpaca", "base_url"),
    "trading_mode": ("trading_mode",),
    "telegram_enabled": ("telegram", "enabled"),
    "telegram_bot_token": ("telegram", "bot_token"),
    "telegram_chat_id": ("telegram", "chat_id"),
    "order_timeout_seconds": ("timeouts", "market_order_seconds"),
    "max_retry_attempts": ("retry", "max_attempts"),
}
"""Valid at the top of the file and, in capitals, in the environment. Letter case does not matter."""

ENVIRONMENT_NAMES: dict[str, SettingPath] = {
    name: ("risk", name) for name in RiskLimits.model_fields if name.startswith("max_")
} | TRADER_NAMES
"""Valid in the environment without our prefix: beside the traders' names every limit `max_…`, so that none is set in vain."""
_NEARLY = 0.9
_OUR_PREFIX = ENVIRONMENT_PREFIX.rstrip("_")


def environment_name(path: SettingPath) -> str:
    """The name of the environment variable: `MAX_DAILY_TRADES` if traders have a name for it, else
    `LIVEORDER_RISK__MAX_OPEN_ORDERS`.
    """
    known = next((name for name, target in TRADER_NAMES.items() if target == path), None)
    return (known or ENVIRONMENT_PREFIX + ENVIRONMENT_SEPARATOR.join(path)).upper()


def setting_paths(model: type[BaseModel], within: SettingPath = ()) -> Iterator[SettingPath]:
    """The paths of all settings that are not tables."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_paths(field.annotation, (*within, name))
        else:
            yield (*within, name)


def nearest_setting(name: str, model: type[BaseModel]) -> str | None:
    """The setting that was probably meant, by its path or the traders' name for it."""
    by_name = {path[-1]: ".".join(path) for path in setting_paths(model)}
    by_name |= {trader_name: trader_name for trader_name in TRADER_NAMES}
    by_name |= {path[0]: path[0] for path in setting_paths(model)}
    close = difflib.get_close_matches(name.lower(), by_name, n=1)
    return by_name[close[0]] if close else None


def variable_meant(name: str) -> str | None:
    """The variable that was probably meant by one that is not ours; None if it is another program's, as far as can be seen."""
    small = name.lower()
    if small.replace("_", "").startswith(_OUR_PREFIX):
        return f"{ENVIRONMENT_PREFIX.upper()}…"
    close = difflib.get_close_matches(small, ENVIRONMENT_NAMES, n=1, cutoff=_NEARLY)
    return close[0].upper() if close else None


def put(values: dict[str, Any], path: SettingPath, value: Any) -> None:
    """Put a value into nested tables. Raises `KeyError` if another value is already there."""
    *tables, name = path
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise KeyError(table)
    if value == {}:
        value = values.get(name, value)
    if name in values and values[name] != value:
        raise KeyError(name)
    values[name] = value
