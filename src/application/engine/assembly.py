"""Puts the rooms of an engine together."""

from __future__ import annotations

from collections.abc import Callable

from liveorder.application.emergency.assembly import assemble as assemble_emergency
from liveorder.application.engine.control_flow import Reactions
from liveorder.application.engine.rooms import EngineConfig, Rooms
from liveorder.application.intake.assembly import assemble as assemble_intake
from liveorder.application.orders.assembly import assemble as assemble_orders
from liveorder.application.recovery.assembly import assemble as assemble_recovery
from liveorder.application.risk.assembly import assemble as assemble_risk
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.runtime.foundation import Foundation
from liveorder.application.trading.assembly import assemble as assemble_trading
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.order import LiveOrder


def assemble(
    terms: EngineConfig,
    on: Foundation,
    dispatcher: Dispatcher,
    then: Reactions,
    is_over: Callable[[], bool],
    on_error: Callable[[LiveOrder, LiveOrderError], None],
) -> Rooms:
    """Assemble the rooms from the lowest level up. `is_over`: whether the store is lost. `on_error`: as for `SubmitOrder`."""
    risk = assemble_risk(on, auto_trading_default=terms.auto_trading_default)
    orders = assemble_orders(
        on, risk.book, risk.positions, then.order_is_unknown_here, then.closed_order_is_live, poll_seconds=terms.poll_seconds
    )
    orders.register.listen(then.order_changed)
    trading = assemble_trading(on, risk, orders, dispatcher, terms.execution, on_error)
    recovery = assemble_recovery(
        on,
        risk,
        orders,
        dispatcher,
        then.order_surely_never_left,
        then.broker_fails,
        is_over,
        first_wait_seconds=terms.reconnect_seconds,
    )
    emergency = assemble_emergency(on, risk, orders, trading, recovery)
    then.rooms = Rooms(terms, dispatcher, on, risk, orders, trading, recovery, emergency, assemble_intake(on, dispatcher, trading))
    return then.rooms
