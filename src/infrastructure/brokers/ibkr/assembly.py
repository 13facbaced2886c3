"""The adapters of one account, put together."""

from __future__ import annotations

from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.infrastructure.brokers.ibkr.broker import IbkrBroker
from liveorder.infrastructure.brokers.ibkr.connection import TwsConnection
from liveorder.infrastructure.brokers.ibkr.contracts import Contracts
from liveorder.infrastructure.brokers.ibkr.instruments import IbkrInstruments
from liveorder.infrastructure.brokers.ibkr.market_data import KINDS, IbkrMarketData
from liveorder.infrastructure.brokers.ibkr.session import TwsAddress
from liveorder.infrastructure.brokers.ibkr.times import Times
from liveorder.infrastructure.settings.sections import Ibkr


def brokerage(access: AccountAccess, section: Ibkr) -> Brokerage:
    """One connection, under one client id, for orders, prices and contracts."""
    address = TwsAddress(section.host or "127.0.0.1", section.port, section.client_id, section.time_zone)
    times = Times(section.time_zone, access.log)
    connection = TwsConnection(address, section.account, times, access.call_timeout_seconds, KINDS[section.market_data])
    contracts = Contracts()
    instruments = IbkrInstruments(connection, contracts, access.currency, access.log)
    broker = IbkrBroker(access, connection, contracts, instruments, trades_outside_hours=section.outside_hours)
    return Brokerage(broker, IbkrMarketData(connection, contracts, access.clock), instruments)
