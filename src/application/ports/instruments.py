"""The port of tradable instruments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol, runtime_checkable

from msgspec import Struct

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight


class InstrumentQuery(Struct, frozen=True):
    """What a signal says about its instrument. None means unspecified."""

    symbol: str
    exchange: str | None = None
    asset_class: AssetClass | None = None
    currency: str | None = None
    expiry: date | None = None
    strike: Decimal | None = None
    right: OptionRight | None = None
    trading_class: str | None = None
    multiplier: Decimal | None = None
    con_id: int | None = None


class Instruments(Protocol):
    """Instruments with their ticks, lots, multipliers and calendars."""

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        """The matching instrument. None if it is unknown.

        Raises `InvalidSymbolError` with their names if several match, and `BrokerError` if the source cannot be asked.
        """
        ...


@runtime_checkable
class ListsSymbols(Protocol):
    """Instruments that are few enough to be named to a person who asked for another."""

    def symbols(self) -> Sequence[str]: ...
