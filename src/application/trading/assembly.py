"""Puts the room of trading together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from liveorder.application.orders.assembly import OrdersRoom
from liveorder.application.risk.assembly import Risk
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.runtime.foundation import Foundation
from liveorder.application.trading.adopt import Adopt
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.application.trading.close_positions import ClosePositions
from liveorder.application.trading.execute_order import ExecuteOrder, ExecutionConfig
from liveorder.application.trading.order_timeouts import OrderTimeouts
from liveorder.application.trading.replace_order import ReplaceOrder
from liveorder.application.trading.submit_order import SubmitOrder
from liveorder.application.trading.transfer import Transfer
from liveorder.application.trading.waiting_orders import WaitingOrders
from liveorder.application.trading.waits import Waits
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.order import LiveOrder


@dataclass(frozen=True, slots=True)
class Trading:
    execute: ExecuteOrder
    submit: SubmitOrder
    cancel: CancelOrder
    replace: ReplaceOrder
    timeouts: OrderTimeouts
    waiting: WaitingOrders
    close: ClosePositions
    adopt: Adopt
    transfer: Transfer


def assemble(
    on: Foundation,
    risk: Risk,
    orders: OrdersRoom,
    dispatcher: Dispatcher,
    terms: ExecutionConfig,
    on_error: Callable[[LiveOrder, LiveOrderError], None],
) -> Trading:
    """`on_error` as `SubmitOrder` says."""
    register, gateways, track, halts = orders.register, on.gateways, orders.track, risk.halts
    submit = SubmitOrder(register, gateways, risk.gate, halts, on.calendar, track, on.clock, on_error)
    cancel = CancelOrder(register, gateways, track, on.journal, on.clock, on.sparing_log)
    waits = Waits(register, gateways, risk.book, halts, submit, on.calendar, on.clock, is_shadow=terms.is_shadow)
    execute = ExecuteOrder(
        terms,
        register,
        gateways,
        risk.book,
        risk.figures,
        risk.positions,
        orders.fees,
        orders.last_fills,
        risk.gate,
        halts,
        submit,
        waits,
        on.clock,
        on.log,
    )
    return Trading(
        execute,
        submit,
        cancel,
        ReplaceOrder(register, gateways, risk.gate, halts, track),
        OrderTimeouts(register, gateways, on.calendar, track, cancel, on.clock, on.sparing_log),
        WaitingOrders(register, gateways, execute, submit, waits, cancel, dispatcher, on.clock, on.sparing_log),
        ClosePositions(register, orders.positions, gateways, risk.book, execute, on.clock),
        Adopt(terms, register, gateways, track, risk.book),
        Transfer(orders.positions, register, gateways, risk.book, on.clock),
    )
