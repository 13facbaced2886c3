"""Latest trades from Alpaca's market data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import CryptoLatestTradeRequest, OptionLatestTradeRequest, StockLatestTradeRequest

from liveorder.application.ports.market_data import Price, Quote
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.blocking_calls import BlockingCalls
from liveorder.infrastructure.brokers.alpaca.rest import sorted_call
from liveorder.infrastructure.brokers.alpaca.symbols import symbol_of
from liveorder.infrastructure.brokers.alpaca.translation import UNREADABLE, moment, number, row_of


@dataclass(frozen=True)
class DataClients:
    """Each with raw answers: the SDK's models hold prices as floats."""

    stocks: StockHistoricalDataClient
    coins: CryptoHistoricalDataClient
    options: OptionHistoricalDataClient


class AlpacaMarketData:
    """A `MarketData`. Where Alpaca cannot be asked, or its subscription does not tell, there is no price."""

    def __init__(self, clients: DataClients, calls: BlockingCalls) -> None:
        self._calls = calls
        self._ask: dict[AssetClass, tuple[Callable[..., Any], type[Any]]] = {
            AssetClass.EQUITY: (clients.stocks.get_stock_latest_trade, StockLatestTradeRequest),
            AssetClass.CRYPTO: (clients.coins.get_crypto_latest_trade, CryptoLatestTradeRequest),
            AssetClass.OPTION: (clients.options.get_option_latest_trade, OptionLatestTradeRequest),
        }

    async def latest(self, instrument: Instrument) -> Quote | None:
        if instrument.asset_class not in self._ask:
            return None
        call, wanted = self._ask[instrument.asset_class]
        try:
            symbol = symbol_of(instrument)
            trade = row_of(row_of(await sorted_call(self._calls, call, wanted(symbol_or_symbols=symbol)))[symbol])
            at = moment(trade["t"])
            return Quote(last=Price(number(trade["p"]), at)) if at is not None else None
        except (BrokerError, *UNREADABLE):
            return None
