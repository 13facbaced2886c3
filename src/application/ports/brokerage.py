"""What an account needs of its broker, and what an adapter needs to know of the account."""

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
    """A broker with its market data and instruments."""

    broker: Broker
    market_data: MarketData
    instruments: Instruments


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """What an adapter receives about its account, in addition to its own settings."""

    account_id: str
    """The account's name in signals and orders. The broker's own number may differ."""
    mode: TradingMode
    currency: str
    call_timeout_seconds: float
    """The engine stops waiting for a call after this. The adapter's own time-outs must not be longer."""
    adjusted: Callable[[BrokerCapabilities], BrokerCapabilities]
    """Applies the operator's corrections to the capabilities that the adapter declares."""
    clock: Clock
    log: ActivityLog
    """For messages that are not errors. Never write a secret."""
