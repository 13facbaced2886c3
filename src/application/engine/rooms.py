"""The rooms of one engine, and the configuration of its run."""

from __future__ import annotations

from dataclasses import dataclass

from liveorder.application.emergency.assembly import Emergency
from liveorder.application.intake.assembly import IntakeRoom
from liveorder.application.orders.assembly import OrdersRoom
from liveorder.application.recovery.assembly import Recovery
from liveorder.application.risk.assembly import Risk
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.runtime.foundation import Foundation
from liveorder.application.trading.assembly import Trading
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.position_owner import PositionOwner


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The engine's configuration for a run. Times in seconds."""

    execution: ExecutionConfig
    owner: str
    auto_trading_default: bool = False
    poll_seconds: float = 0.5
    reconcile_seconds: float = 300.0
    lease_seconds: float = 15.0
    drain_seconds: float = 10.0
    reconnect_seconds: float = 1.0
    signals_at_once: int = 256
    positions: PositionOwner | None = None
    """None: whosever the store says that they are."""
    cancels_strays: bool = True
    """Whether to cancel an order that is closed here but live at its broker. Otherwise it is left to a person."""


@dataclass(frozen=True, slots=True)
class Rooms:
    terms: EngineConfig
    dispatcher: Dispatcher
    on: Foundation
    risk: Risk
    orders: OrdersRoom
    trading: Trading
    recovery: Recovery
    emergency: Emergency
    intake: IntakeRoom
