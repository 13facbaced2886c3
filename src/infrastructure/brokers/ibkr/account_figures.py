"""An account's money, out of the rows of TWS's account summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from liveorder.domain.broker_account import Figure, FigureKind
from liveorder.infrastructure.brokers.ibkr.rows import number

Values = Mapping[tuple[str, str], str]
"""By tag and currency."""

TAGS: Mapping[str, FigureKind] = {
    "NetLiquidation": FigureKind.EQUITY,
    "TotalCashValue": FigureKind.CASH,
    "InitMarginReq": FigureKind.INITIAL_MARGIN,
    "MaintMarginReq": FigureKind.MAINTENANCE_MARGIN,
    "AvailableFunds": FigureKind.AVAILABLE_FUNDS,
    "BuyingPower": FigureKind.BUYING_POWER,
}
"""Of the whole account, in its own currency."""
_LEDGER_CASH = "TotalCashBalance"
"""Of each currency that is held."""
_BASE = "BASE"
"""What TWS puts for the account's own currency, which has a name too."""


def own_currency(values: Values, usual: str) -> str:
    """The settings' one where TWS reports the account's worth in it, or in no other; else the one that it does, or that all others
    are exchanged into at 1.
    """
    rates = ((currency, number(rate)) for (tag, currency), rate in values.items() if tag == "ExchangeRate" and currency != _BASE)
    named = _worth_in(values) or [currency for currency, rate in rates if rate == 1]
    return usual if usual in named or not named else named[0]


def _worth_in(values: Values) -> list[str]:
    return [currency for tag, currency in values if tag == "NetLiquidation" and currency not in ("", _BASE)]


def figures_in(values: Values, currency: str, at: datetime) -> Iterator[Figure]:
    """What cannot be read is left out, and so is a sum in BASE where the account's worth is told in another currency too."""
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
