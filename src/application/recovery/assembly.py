"""Puts the recovery room together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from liveorder.application.orders.assembly import OrdersRoom
from liveorder.application.recovery.rebook_positions import RebookPositions
from liveorder.application.recovery.reconcile import Reconcile
from liveorder.application.recovery.reconnect import Reconnect
from liveorder.application.recovery.recover import Recover
from liveorder.application.recovery.resolve_unknown_outcomes import ResolveUnknownOutcomes
from liveorder.application.risk.assembly import Risk
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.runtime.foundation import Foundation
from liveorder.domain.errors import BrokerError
from liveorder.domain.order import LiveOrder


@dataclass(frozen=True, slots=True)
class Recovery:
    recover: Recover
    doubts: ResolveUnknownOutcomes
    reconcile: Reconcile
    rebook: RebookPositions
    connected: Mapping[str, Reconnect]
    """Keyed by account."""


def assemble(
    on: Foundation,
    risk: Risk,
    orders: OrdersRoom,
    dispatcher: Dispatcher,
    resubmit: Callable[[LiveOrder], None],
    on_refused: Callable[[str, int, BrokerError], None],
    is_over: Callable[[], bool],
    *,
    first_wait_seconds: float,
) -> Recovery:
    """`resubmit` sends an order that certainly never left. The other parameters are as for `Reconnect`."""
    register, gateways, track, unmatched = orders.register, on.gateways, orders.track, orders.unmatched
    doubts = ResolveUnknownOutcomes(register, gateways, track, on.clock, on.log, resubmit)
    reconcile = Reconcile(
        register, gateways, track, unmatched, orders.fees, risk.book, risk.figures, risk.positions, on.clock, on.log
    )

    def connected(account_id: str) -> Reconnect:
        return Reconnect(
            gateways[account_id],
            dispatcher,
            track,
            doubts,
            reconcile,
            risk.figures,
            risk.halts,
            on.clock,
            on.sparing_log,
            on_refused,
            is_over,
            first_wait_seconds=first_wait_seconds,
        )

    recover = Recover(register, gateways, track, unmatched, doubts, on.log, resubmit)
    rebook = RebookPositions(on.store, risk.book, on.calendar, on.clock, on.log)
    return Recovery(recover, doubts, reconcile, rebook, {account_id: connected(account_id) for account_id in gateways})
