"""Puts the room of recovery together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from liveorder.application.orders.assembly import OrdersRoom
from liveorder.application.recovery.rebook_positions import RebookPositions
from liveorder.application.recovery.reconcile import Reconcile
from liveorder.application.recovery.reconnect import StayConnected
from liveorder.application.recovery.recover import Recover
from liveorder.application.recovery.resolve_unknown_outcomes import Doubts
from liveorder.application.risk.assembly import Risk
from liveorder.application.runtime.dispatcher import Desk
from liveorder.application.runtime.foundation import Foundation
from liveorder.domain.errors import BrokerError
from liveorder.domain.order import LiveOrder


@dataclass(frozen=True, slots=True)
class Recovery:
    recover: Recover
    doubts: Doubts
    reconcile: Reconcile
    rebook: RebookPositions
    connected: Mapping[str, StayConnected]
    """By account."""


def assemble(
    on: Foundation,
    risk: Risk,
    orders: OrdersRoom,
    desk: Desk,
    take_up: Callable[[LiveOrder], None],
    on_refused: Callable[[str, int, BrokerError], None],
    is_over: Callable[[], bool],
    *,
    first_wait_seconds: float,
) -> Recovery:
    """`take_up` sends an order again that surely never left; the rest as `StayConnected` says."""
    register, gateways, track, unmatched = orders.register, on.gateways, orders.track, orders.unmatched
    doubts = Doubts(register, gateways, track, on.clock, on.log, take_up)
    reconcile = Reconcile(register, gateways, track, unmatched, orders.fees, risk.book, risk.figures, on.clock, on.log)

    def connected(account_id: str) -> StayConnected:
        return StayConnected(
            gateways[account_id],
            desk,
            track,
            doubts,
            reconcile,
            risk.figures,
            risk.kill_switch,
            on.clock,
            on.sparing_log,
            on_refused,
            is_over,
            first_wait_seconds=first_wait_seconds,
        )

    recover = Recover(register, gateways, track, unmatched, doubts, on.log, take_up)
    rebook = RebookPositions(on.store, risk.book, on.sessions, on.clock, on.log)
    return Recovery(recover, doubts, reconcile, rebook, {account_id: connected(account_id) for account_id in gateways})
