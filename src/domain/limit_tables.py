"""Limits of one strategy, or of one symbol, of an account.

They hold beside the account's own, so they can only narrow them, and are measured by what that strategy or symbol has (ADR 59).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, model_validator

from liveorder.domain.risk_limits import Count, RiskLimits, Seconds
from liveorder.domain.values import Amount, Quantity


class NarrowLimits(BaseModel):
    """Those of an account's limits that can be measured for one strategy or one symbol. None: only the account's holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    position_size: Quantity | None = None
    """Amount spent on a signal that names no size and closes nothing, in place of the account's. Where strategy and symbol both
    name one, the smaller."""
    max_position_size: Quantity | None = None
    """Amount: largest value of all its positions together, open orders included."""
    max_order_value: Quantity | None = None
    """Amount: largest quantity times price of one order."""
    max_order_quantity: Quantity | None = None
    """Units: largest quantity of one order."""
    max_daily_trades: Count | None = None
    """Its orders in one exchange session date, counted at the first attempt."""
    max_open_orders: Count | None = None
    """Its orders that are not closed at one time, in-doubt ones included."""
    max_daily_loss: Quantity | None = None
    """Amount, positive: once it has lost this much in a session date, net of fees, nothing of it that adds risk is sent."""
    max_positions: Count | None = None
    """Instruments that it holds or is opening at one time."""
    allow_short_selling: bool | None = None
    """False: a SELL may not take its position below zero."""
    repeat_window_seconds: Seconds | None = None
    """Seconds in which an order like the one before is refused as `repeated`."""
    max_signal_age_seconds: Seconds | None = None
    """Seconds since the signal's timestamp, else since its source published it."""
    min_buy_score: Amount | None = None
    """A BUY's score must be above this."""
    max_sell_score: Amount | None = None
    """A SELL's score must be below this."""

    @model_validator(mode="before")
    @classmethod
    def _can_be_measured(cls, fields: Any) -> Any:
        for name in fields if isinstance(fields, dict) else ():
            if name in RiskLimits.model_fields and name not in LIMITS:
                raise ValueError(f"{name} cannot be measured for one strategy or symbol; set it in [accounts.risk]")
        return fields

    @property
    def said(self) -> Mapping[str, Any]:
        """Those that are set."""
        return {name: value for name in LIMITS if (value := getattr(self, name)) is not None}


LIMITS = tuple(NarrowLimits.model_fields)
AMOUNTS = ("position_size", "max_position_size", "max_order_value", "max_daily_loss")
"""In the account's currency."""
_NARROW_IF_HIGHER = ("min_buy_score", "repeat_window_seconds")
_NO_LIMITS: Mapping[str, Any] = {
    **dict.fromkeys(("max_position_size", "max_daily_trades", "min_buy_score", "max_sell_score")),
    **dict.fromkeys(("price_collar_percent", "max_signal_age_seconds")),
    "allow_short_selling": True,
}


class LimitTable(NamedTuple):
    """One table of the settings: of a strategy, or of a symbol."""

    strategy_name: str | None
    symbol: str | None
    limits: RiskLimits
    """No others than the table's."""
    position_size: Decimal | None = None

    @classmethod
    def of(
        cls, own: NarrowLimits, account: RiskLimits, *, strategy_name: str | None = None, symbol: str | None = None
    ) -> LimitTable:
        """`account`: what of the account's limits says how the others are judged holds here too."""
        limits = RiskLimits.model_validate({**_NO_LIMITS, "score_exits": account.score_exits, **own.said})
        return cls(strategy_name, symbol, limits, own.position_size)

    @property
    def title(self) -> str:
        table, name = ("symbols", self.symbol) if self.strategy_name is None else ("strategies", self.strategy_name)
        return f"[[accounts.{table}]] {name}"

    def covers(self, strategy_name: str, instrument_key: str) -> bool:
        """Whether what a strategy has in an instrument counts to it; all contracts of a symbol do."""
        if self.symbol is None:
            return self.strategy_name == strategy_name
        _, _, contract = instrument_key.partition(":")
        return contract == self.symbol or contract.startswith(f"{self.symbol}:")


def wider(own: NarrowLimits, account: RiskLimits) -> Iterator[tuple[str, Any, Any]]:
    """Those of a table's limits that the account's own make void: name, the table's and the account's."""
    for name, value in own.said.items():
        theirs = getattr(account, name)
        if name == "position_size" or theirs is None:
            continue
        if value < theirs if name in _NARROW_IF_HIGHER else value > theirs:
            yield name, value, theirs
