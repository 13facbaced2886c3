"""Puts the emergency room together."""

from __future__ import annotations

from dataclasses import dataclass

from liveorder.application.emergency.flatten import Flatten
from liveorder.application.emergency.kill import Kill
from liveorder.application.emergency.replay_journal import ReplayEmergencyJournal
from liveorder.application.emergency.stop_orders import StopOrders
from liveorder.application.orders.assembly import OrdersRoom
from liveorder.application.recovery.assembly import Recovery
from liveorder.application.risk.assembly import Risk
from liveorder.application.runtime.foundation import Foundation
from liveorder.application.trading.assembly import Trading


@dataclass(frozen=True, slots=True)
class Emergency:
    kill_all: Kill
    replay_journal: ReplayEmergencyJournal


def assemble(on: Foundation, risk: Risk, orders: OrdersRoom, trading: Trading, recovery: Recovery) -> Emergency:
    register, gateways, halts = orders.register, on.gateways, risk.halts
    stop = StopOrders(gateways, trading.cancel, on.clock)
    flatten = Flatten(register, gateways, trading.execute, stop, orders.positions, risk.book, risk.positions, on.clock)
    kill = Kill(register, gateways, halts, stop, flatten, recovery.reconcile, orders.fees, risk.book, on.journal, on.clock)
    return Emergency(kill, ReplayEmergencyJournal(on.journal, halts, trading.cancel, trading.waiting, on.sparing_log))
