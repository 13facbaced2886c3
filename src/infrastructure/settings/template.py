"""The settings file that `liveorder init` writes: all settings, their defaults, and their meaning."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from liveorder.application.reporting.docstrings import attribute_docstrings
from liveorder.infrastructure.settings.model import Settings
from liveorder.infrastructure.settings.names import SettingPath, environment_name
from liveorder.infrastructure.settings.simulation_profile import limit_in_a_simulation

_HEAD = """\
# liveorder settings. A commented line shows the default; remove the # to change it.
# A variable of the environment, or of .env in the working directory, overrides this file; its name follows each setting.
# The limits max_... of [risk] are also taken by their own names in capitals, such as MAX_DAILY_LOSS.
# "none" means: not set, or no limit. Keep secrets in .env or the environment, not here.
"""

_BROKERS = """
# One table per broker of an installed package; the package defines its settings.
# ${NAME} is replaced by a variable of the environment or of .env. Its value is shown nowhere.
#
# [brokers.mine]
# api_key = "${MINE_API_KEY}"
"""

_ACCOUNTS = """
# One table per account. Without any, there is one account for each broker whose credentials are given.
#
# [[accounts]]
# id = "acc_abc123"             # the account's name in signals
# broker = "alpaca"             # simulated, alpaca, kite, ibkr, or one of an installed package
# mode = "PAPER"                # a safeguard: must agree with trading_mode, unless that is SIMULATION
# closed = false                # true: no longer traded; its orders and positions stay known
# currency = "USD"              # of its limits and of position_size; else default_currency
# exchange = "NASDAQ"           # for signals that name none; else default_exchange
# product = "CNC"               # MIS, NRML, CNC or MTF, for signals that name none; else default_product
# [accounts.risk]               # limits that differ from [risk]
# max_daily_trades = 20
# [accounts.risk_by_currency.INR]
# position_size = 50000
# [[accounts.strategies]]       # limits of one strategy, measured by what it holds and does itself; they narrow the account's
# name = "trend"
# max_daily_trades = 5
# [[accounts.symbols]]          # limits of one symbol, measured by what the account holds and does in it; they narrow the account's
# symbol = "SPY"
# max_order_quantity = 100
# [accounts.options]            # settings of the broker's table that differ for this account
# base_url = "https://paper-api.alpaca.markets"
# [accounts.capabilities]       # corrections to what the adapter declares
# notional = true
# usual_times_in_force = { CRYPTO = { MARKET = "IOC" } }
"""

_DOORS = """
# One table per source of signals, in addition to --signals.
#
# [[sources]]
# url = "file:signals.jsonl?follow=true"   # file:PATH, - for standard input, or the scheme of an installed package;
#                               # redis://HOST:6379/0?stream=trading-signals&group=liveorder, or ?channel=signals

# One table per destination of confirmations, in addition to confirmations.
#
# [[publishers]]
# url = "file:filled.jsonl"     # JSON Lines, redis://HOST:6379/0?stream=execution-confirmations,
#                               # or the scheme of an installed package

# One table per destination of notices to people. Without any, alerts are in the log.
#
# [[notifiers]]
# url = "log:"                  # or the scheme of an installed package
# [notifiers.events]            # on, silent or off; events not named here: alerts are on, others off
# fill = "on"                   # and partial, rejected, refused, cancelled
# doubt = "on"                  # an alert, as are exit_refused, position_unconfirmed, corrected,
#                               # halt, dead_letter, unmatched, unguarded, reversal_incomplete, not_listening
"""

_SPECIAL_SESSIONS = """
# One table per day on which an exchange has other hours than its calendar says.
#
# [[special_sessions]]
# calendar = "XBOM"             # name in exchange_calendars; NSE, BSE and their derivatives are XBOM
# day = "2026-11-08"
# hours = ["18:00-19:00"]       # in the exchange's own time; []: closed
"""

_WITH_TABLES_OF_THEIR_OWN = frozenset({"accounts", "brokers", "sources", "publishers", "notifiers", "special_sessions"})


def commented_toml() -> str:
    """Valid TOML that sets nothing. With every line uncommented, it sets every default."""
    return "".join([_HEAD, *_table(Settings(), ()), _BROKERS, _ACCOUNTS, _DOORS, _SPECIAL_SESSIONS])


def _table(model: BaseModel, within: SettingPath) -> Iterator[str]:
    """The lines of a table. Plain settings come first, since TOML does not allow them after a nested table."""
    values = {name: value for name, value in model if name not in _WITH_TABLES_OF_THEIR_OWN}
    meant = attribute_docstrings(type(model))
    if within:
        yield f"\n# {(type(model).__doc__ or '').strip().splitlines()[0]}\n[{'.'.join(within)}]\n"
    for name, value in values.items():
        if not isinstance(value, BaseModel):
            yield from _setting(meant.get(name, "") + _in_a_simulation((*within, name)), (*within, name), value)
    for name, value in values.items():
        if isinstance(value, BaseModel):
            yield from _table(value, (*within, name))


def _in_a_simulation(path: SettingPath) -> str:
    limit = limit_in_a_simulation(path[-1]) if path[0] == "risk" else None
    return "" if limit is None else f"\nIn a simulation: {limit}."


def _setting(description: str, path: SettingPath, value: Any) -> Iterator[str]:
    yield from (f"\n# {line}" for line in description.splitlines())
    yield f"\n#{path[-1]} = {_toml(value)}  # {environment_name(path)}\n"


def _toml(value: Any) -> str:
    match value:
        case None:
            return '"none"'
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return str(value)
        case tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    return f'"{value}"'
