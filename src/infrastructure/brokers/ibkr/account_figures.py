"""An account's money, read from TWS's account summary rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from liveorder.domain.broker_account import Figure, FigureKind
from liveorder.infrastructure.brokers.ibkr.rows import number

Values = Mapping[tuple[str, str], str]
"""Keyed by (tag, currency)."""

TAGS: Mapping[str, FigureKind] = {
    "NetLiquidation": FigureKind.EQUITY,
    "TotalCashValue": FigureKind.CASH,
    "InitMarginReq": FigureKind.INITIAL_MARGIN,
    "MaintMarginReq": FigureKind.MAINTENANCE_MARGIN,
    "AvailableFunds": FigureKind.AVAILABLE_FUNDS,
    "BuyingPower": FigureKind.BUYING_POWER,
}
"""Tags that report the whole account, in its base currency."""
_LEDGER_CASH = "TotalCashBalance"
"""The ledger tag of the cash in one held currency."""
_BASE = "BASE"
"""TWS's placeholder for the account's base currency. TWS also reports the same rows under the currency's own name."""


def own_currency(values: Values, usual: str) -> str:
    """The account's base currency. `usual`, from the settings, is kept if TWS reports NetLiquidation in it or in no currency at
    all. Otherwise it is the currency that TWS reports NetLiquidation in, or else the one with exchange rate 1.
    """
    rates = ((currency, number(rate)) for (tag, currency), rate in values.items() if tag == "ExchangeRate" and currency != _BASE)
    named = _worth_in(values) or [currency for currency, rate in rates if rate == 1]
    return usual if usual in named or not named else named[0]


def _worth_in(values: Values) -> list[str]:
    return [currency for tag, currency in values if tag == "NetLiquidation" and currency not in ("", _BASE)]


def figures_in(values: Values, currency: str, at: datetime) -> Iterator[Figure]:
    """Skips values that cannot be read. Uses a BASE sum only if the account's worth is reported in no other currency than
    `currency`.
    """
    is_own = {*_worth_in(values)} <= {currency}
    for tag, kind in TAGS.items():
        whole = number(values.get((tag, currency)))
        if whole is None and is_own:
            whole = number(values.get((tag, _BASE)))
        if whole is not None:
            yield Figure(kind, whole, currency, at)
    for tag, held_in in values:
        if tag == _LEDGER_CASH and held_in not in (currency, _BASE) and (held := number(values[tag, held_in])) is not None:
            yield Figure(FigureKind.CASH, held, held_in, at)
