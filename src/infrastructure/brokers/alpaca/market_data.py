"""The best bid, the best ask and the latest trade, from Alpaca's market data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import CryptoSnapshotRequest, OptionSnapshotRequest, StockSnapshotRequest

from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.blocking_calls import BlockingCalls
from liveorder.infrastructure.brokers.alpaca.rest import sorted_call
from liveorder.infrastructure.brokers.alpaca.symbols import symbol_of
from liveorder.infrastructure.brokers.alpaca.translation import Message, moment, number, readable, row_of


@dataclass(frozen=True)
class DataClients:
    """The SDK's data clients, with raw answers: the SDK's models hold prices as floats."""

    stocks: StockHistoricalDataClient
    coins: CryptoHistoricalDataClient
    options: OptionHistoricalDataClient


class AlpacaMarketData:
    """A `MarketData`. One question returns trade and quote. With the free feed, the latest trade alone can be hours old."""

    def __init__(self, clients: DataClients, calls: BlockingCalls) -> None:
        self._calls = calls
        self._ask: dict[AssetClass, tuple[Callable[..., Any], type[Any]]] = {
            AssetClass.EQUITY: (clients.stocks.get_stock_snapshot, StockSnapshotRequest),
            AssetClass.CRYPTO: (clients.coins.get_crypto_snapshot, CryptoSnapshotRequest),
            AssetClass.OPTION: (clients.options.get_option_snapshot, OptionSnapshotRequest),
        }

    async def latest(self, instrument: Instrument) -> Quote | None:
        if instrument.asset_class not in self._ask:
            return None
        snapshot = await readable(self._snapshot(symbol_of(instrument), *self._ask[instrument.asset_class]))
        return snapshot if snapshot != Quote() else None

    async def _snapshot(self, symbol: str, call: Callable[..., Any], wanted: type[Any]) -> Quote:
        rows = row_of(await sorted_call(self._calls, call, wanted(symbol_or_symbols=symbol)))
        return _quote_of(row_of(rows.get(symbol) or {}))


def _quote_of(snapshot: Message) -> Quote:
    offers, trade = row_of(snapshot.get("latestQuote") or {}), row_of(snapshot.get("latestTrade") or {})
    return Quote(bid=_price(offers, "bp"), ask=_price(offers, "ap"), last=_price(trade, "p"))


def _price(row: Message, name: str) -> Price | None:
    """None for a zero, which Alpaca reports for an empty side, and for a price without a time."""
    amount, at = number(row.get(name) or "0"), moment(row.get("t"))
    return Price(amount, at) if amount > 0 and at is not None else None
