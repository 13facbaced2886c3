"""The venue's listings: instruments with their grids and calendars."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.domain.errors import SettingsError
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal

US_STOCK_VENUES = frozenset({"NYSE", "NASDAQ", "ARCA", "SMART", "XNYS", "XNAS", "ARCX"})


@dataclass(frozen=True)
class VenueListing:
    """An instrument, and other exchange names under which it can be queried."""

    instrument: Instrument
    also_on: frozenset[str] = frozenset()

    @cached_property
    def key(self) -> str:
        return self.instrument.key


class VenueCatalogue:
    """Listings by instrument key."""

    def __init__(self, listings: Iterable[VenueListing]) -> None:
        self._by_key = {listing.key: listing for listing in listings}

    def __iter__(self) -> Iterator[VenueListing]:
        return iter(self._by_key.values())

    def listed(self, key: str) -> VenueListing:
        """The listing. Raises `VenueRefusal` if the instrument is not listed."""
        listing = self._by_key.get(key)
        if listing is None:
            raise VenueRefusal(RefusalCode.UNKNOWN_SYMBOL, f"{key} is not listed here; add it to the catalogue file")
        return listing

    def always_open(self) -> VenueCatalogue:
        """The same listings in a market that never closes."""
        return VenueCatalogue(replace(listing, instrument=listing.instrument.but(calendar=ALWAYS_OPEN)) for listing in self)

    def with_file(self, path: Path) -> VenueCatalogue:
        """Add the listings of a JSON or TOML file. A listing with the key of a built-in one replaces it."""
        return VenueCatalogue([*self._by_key.values(), *_listings_in(path)])


def _listings_in(path: Path) -> list[VenueListing]:
    """JSON: a list of tables. TOML: an array of tables called `instrument`. Raises `SettingsError`."""
    try:
        if path.suffix == ".toml":
            rows = tomllib.loads(path.read_text(), parse_float=Decimal)["instrument"]
        else:
            rows = json.loads(path.read_text(), parse_float=Decimal)
        return [_listing(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"catalogue file {path}: {_text(error)}; see the fields of Instrument, and also_on") from error


def _listing(row: dict[str, Any]) -> VenueListing:
    row = dict(row)
    also_on = frozenset(row.pop("also_on", ()))
    return VenueListing(Instrument.from_dict(row), also_on)


def _text(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def _us_stock(symbol: str, exchange: str) -> VenueListing:
    from_a_dollar = TickRule(from_price=Decimal(1), tick_size=Decimal("0.01"))
    instrument = Instrument(
        symbol=symbol, exchange=exchange, tick_size=Decimal("0.0001"), tick_rules=(from_a_dollar,), calendar="XNYS"
    )
    return VenueListing(instrument, US_STOCK_VENUES)


def _nse_stock(symbol: str) -> VenueListing:
    instrument = Instrument(symbol=symbol, exchange="NSE", currency="INR", tick_size=Decimal("0.05"), calendar="XBOM")
    return VenueListing(instrument, frozenset({"XNSE"}))


def _coin(symbol: str, tick_size: str) -> VenueListing:
    instrument = Instrument(
        symbol=symbol,
        exchange="CRYPTO",
        asset_class=AssetClass.CRYPTO,
        tick_size=Decimal(tick_size),
        lot_size=Decimal("0.0001"),
    )
    return VenueListing(instrument)


BUILT_IN = VenueCatalogue(
    [
        _us_stock("SPY", "ARCA"),
        _us_stock("AAPL", "NASDAQ"),
        _us_stock("MSFT", "NASDAQ"),
        _us_stock("TSLA", "NASDAQ"),
        _nse_stock("RELIANCE"),
        _nse_stock("INFY"),
        _nse_stock("TCS"),
        _coin("BTC/USD", "0.01"),
        _coin("ETH/USD", "0.01"),
        *(_us_stock(symbol, "ARCA") for symbol in ("DIA", "GLD", "IWM", "VOO", "VTI", "XLF")),
        *(_us_stock(symbol, "NASDAQ") for symbol in ("AMD", "AMZN", "GOOG", "GOOGL", "INTC", "META", "NFLX", "NVDA", "QQQ", "TLT")),
        *(_us_stock(symbol, "NYSE") for symbol in ("BAC", "DIS", "F", "GE", "IBM", "JPM", "KO", "T", "V", "WMT", "XOM")),
        *(_nse_stock(symbol) for symbol in ("AXISBANK", "HDFCBANK", "ICICIBANK", "ITC", "LT", "NIFTYBEES", "SBIN")),
        *(_nse_stock(symbol) for symbol in ("TATAMOTORS", "TATASTEEL", "WIPRO")),
        _coin("LTC/USD", "0.01"),
        _coin("SOL/USD", "0.01"),
    ]
)
"""NSE stocks trade by XBOM: exchange_calendars has no XNSE and the cash hours are the same."""
