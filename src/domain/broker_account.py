"""An account as its broker tells it: which it is, and its money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from liveorder.domain.values import AssetClass, TradingMode


class FigureKind(StrEnum):
    """What a broker may report of an account's money."""

    EQUITY = "equity"
    """Net liquidation value: cash and all that is held, at the market."""
    CASH = "cash"
    INITIAL_MARGIN = "initial_margin"
    """What positions and orders take up now."""
    MAINTENANCE_MARGIN = "maintenance_margin"
    """Equity below this brings a margin call."""
    AVAILABLE_FUNDS = "available_funds"
    """What is left for new margin."""
    BUYING_POWER = "buying_power"
    """The value of what can still be bought, leverage included; open orders are off it as far as the broker counts them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """An amount of an account's money, as the broker reported it at a time."""

    kind: FigureKind
    amount: Decimal
    currency: str
    at: datetime
    """UTC. Of a broker that tells no time: when it was asked, so that the amount is no older than this says."""
    part: str = ""
    """Of the account, where parts of it have amounts of their own: an exchange, an asset class or a word of the broker's."""


def figures(at: datetime, currency: str, part: str = "", **amounts: Decimal | None) -> tuple[Figure, ...]:
    """One for each amount that is known; their names are those of `FigureKind`."""
    known = ((FigureKind(name), amount) for name, amount in amounts.items() if amount is not None)
    return tuple(Figure(kind, amount, currency, at, part) for kind, amount in known)


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """Which account it is, and its money as far as the broker tells it. What it does not tell is not here, and never zero."""

    account_id: str
    mode: TradingMode
    currency: str
    """The account's own, in which the broker adds it up."""
    figures: tuple[Figure, ...] = ()

    def figure(self, kind: FigureKind, part: str = "", currency: str | None = None) -> Figure | None:
        """In the account's own currency, unless another is named."""
        wanted = (kind, part, currency or self.currency)
        return next((each for each in self.figures if (each.kind, each.part, each.currency) == wanted), None)

    @property
    def equity(self) -> Figure | None:
        return self.figure(FigureKind.EQUITY)

    @property
    def cash(self) -> Figure | None:
        return self.figure(FigureKind.CASH)

    @property
    def initial_margin(self) -> Figure | None:
        return self.figure(FigureKind.INITIAL_MARGIN)

    @property
    def maintenance_margin(self) -> Figure | None:
        return self.figure(FigureKind.MAINTENANCE_MARGIN)

    @property
    def available_funds(self) -> Figure | None:
        return self.figure(FigureKind.AVAILABLE_FUNDS)

    @property
    def buying_power(self) -> Figure | None:
        return self.figure(FigureKind.BUYING_POWER)

    def buying_power_for(self, exchange: str, asset_class: AssetClass, currency: str) -> Figure | None:
        """That of the exchange where it has one of its own, else of the asset class, else of the whole account."""
        parts = (exchange, asset_class.value, "")
        found = (self.figure(FigureKind.BUYING_POWER, part, currency) for part in parts)
        return next((each for each in found if each is not None), None)
