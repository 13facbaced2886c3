"""Assembling the brokerage of an account at Alpaca from its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from urllib.parse import urlsplit, urlunsplit

from alpaca.common.enums import BaseURL
from alpaca.data.historical.crypto import CryptoHistoricalDataClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from requests import Session

from liveorder.application.gateway.admission import RateLimit
from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import SettingsError
from liveorder.domain.values import AssetClass, OrderType, TimeInForce, TradingHours, TradingMode
from liveorder.infrastructure.blocking_calls import BlockingCalls
from liveorder.infrastructure.brokers.alpaca.account_book import AlpacaQuestions
from liveorder.infrastructure.brokers.alpaca.broker import AlpacaBroker
from liveorder.infrastructure.brokers.alpaca.instruments import AlpacaInstruments
from liveorder.infrastructure.brokers.alpaca.market_data import AlpacaMarketData, DataClients
from liveorder.infrastructure.brokers.alpaca.rest import Rest, once_only
from liveorder.infrastructure.brokers.alpaca.stream import TradeUpdateStream
from liveorder.infrastructure.settings.sections import Alpaca

QUESTIONS_SHARE = 0.6
ALPACA_CAPABILITIES = BrokerCapabilities(
    key_support=KeySupport.UNIQUE,
    key_memory_seconds=86400.0,
    lookup_lag_seconds=5.0,
    position_lag_seconds=1.0,
    max_position_age_seconds=5.0,
    delivery_bound_seconds=60.0,
    trusts_absence=True,
    atomic_replace=False,
    order_types=frozenset(
        {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP},
    ),
    times_in_force=frozenset(each for each in TimeInForce if each is not TimeInForce.GTD),
    usual_times_in_force={AssetClass.CRYPTO: dict.fromkeys(OrderType, TimeInForce.GTC)},
    hours=frozenset(TradingHours),
    notional=True,
    fractional=True,
    reduce_only_for=frozenset({AssetClass.EQUITY, AssetClass.OPTION}),
    fees_in_kind={AssetClass.CRYPTO: Decimal("0.0025")},
    requests_per_second=10.0,
    requests_per_minute=200.0,
)
"""How long Alpaca remembers a key is not documented. One day is certain, since a day order can be looked up that long. It was
reported that a new order is missing from a search at first; the bound of that lag is a guess. A replacement and the order it
replaces can both trade.

Alpaca has no short positions in coins, so no field marks an order that reduces one. The largest fee for coins is 0.25 %
(https://docs.alpaca.markets/docs/crypto-fees); high volume and maker orders pay less.
"""

CANNOT: Mapping[str, str] = {
    "a_replace_changes_the_terms_under_the_same_key": (
        "a part-filled order is not replaced: the replacement may trade the whole quantity again (Alpaca-API issue 165)"
    ),
}
"""Cases of the port's contract that are not fulfilled unless the operator declares that replacements count earlier fills."""


def brokerage(access: AccountAccess, section: Alpaca) -> Brokerage:
    """Does not connect yet. Raises `SettingsError` without credentials."""
    if section.api_key is None or section.secret_key is None:
        raise SettingsError(f"account {access.account_id!r} needs alpaca.api_key and alpaca.secret_key")
    keys = section.api_key.get_secret_value(), section.secret_key.get_secret_value()
    timeout, address = access.call_timeout_seconds, _address(access.mode, section)
    asking, sending = (BlockingCalls(f"alpaca-{what}-{access.account_id}") for what in ("ask", "send"))
    trading, data = TradingClient(*keys, raw_data=True, url_override=address), _data_clients(keys, section.data_url)
    sessions = [once_only(client, timeout) for client in (trading, data.stocks, data.coins, data.options)]
    capabilities = access.adjusted(ALPACA_CAPABILITIES)
    rest = Rest(trading, asking, sending, pace_of_questions(access.clock, capabilities))
    instruments = AlpacaInstruments(rest)
    broker = AlpacaBroker(
        access,
        rest,
        AlpacaQuestions(access, rest, instruments),
        partial(TradeUpdateStream, *keys, section.stream_url or stream_address(address), timeout),
        capabilities,
        partial(_close_all, [asking, sending, *sessions]),
        counts_fills=section.replacement_counts_fills,
    )
    return Brokerage(broker, AlpacaMarketData(data, asking), instruments)


def pace_of_questions(clock: Clock, capabilities: BrokerCapabilities) -> RateLimit:
    """The rate limit of questions: a share of the account's limit, so that questions wait rather than orders."""
    a_minute = capabilities.requests_per_minute * QUESTIONS_SHARE
    return RateLimit(clock, capabilities.requests_per_second, a_minute, reserved_share=0.0)


def _address(mode: TradingMode, section: Alpaca) -> str:
    usual = BaseURL.TRADING_LIVE if mode is TradingMode.LIVE else BaseURL.TRADING_PAPER
    return (section.base_url or usual.value).rstrip("/")


def stream_address(address: str) -> str:
    """
    >>> stream_address("https://paper-api.alpaca.markets")
    'wss://paper-api.alpaca.markets/stream'
    """
    parts = urlsplit(address)
    return urlunsplit((parts.scheme.replace("http", "ws"), parts.netloc, f"{parts.path}/stream", "", ""))


def _data_clients(keys: tuple[str, str], address: str | None) -> DataClients:
    return DataClients(
        StockHistoricalDataClient(*keys, raw_data=True, url_override=address),
        CryptoHistoricalDataClient(*keys, raw_data=True, url_override=address),
        OptionHistoricalDataClient(*keys, raw_data=True, url_override=address),
    )


def _close_all(held: Sequence[BlockingCalls | Session]) -> None:
    for each in held:
        each.close()
