"""All that an account needs of its broker, and all that an adapter needs to know of the account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import Broker
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.values import TradingMode


@dataclass(frozen=True, slots=True)
class Brokerage:
    """The broker, with where its prices and instruments come from."""

    broker: Broker
    market_data: MarketData
    instruments: Instruments


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """What an adapter is told of its account, beside the settings of its own."""

    account_id: str
    """As signals and orders name it; the broker's own number may be another."""
    mode: TradingMode
    currency: str
    call_timeout_seconds: float
    """The engine gives a call up after this; the adapter's own time-outs are to be no longer."""
    adjusted: Callable[[BrokerCapabilities], BrokerCapabilities]
    """What the adapter declares, with what the operator knows better."""
    clock: Clock
    log: ActivityLog
    """For what is worth a line and no error. Never a secret."""
