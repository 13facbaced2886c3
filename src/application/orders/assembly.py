"""Puts the room of orders together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from liveorder.application.orders.apply_reports import ApplyReports, UnmatchedReports
from liveorder.application.orders.fees_in_kind import FeesInKind
from liveorder.application.orders.last_fills import LastFills
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.orders.position_register import PositionRegister
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures
from liveorder.application.runtime.foundation import Foundation
from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.order import LiveOrder


@dataclass(frozen=True, slots=True)
class OrdersRoom:
    register: OrderRegister
    track: ApplyReports
    unmatched: UnmatchedReports
    positions: PositionRegister
    fees: FeesInKind
    last_fills: LastFills


def assemble(
    on: Foundation,
    book: RiskBook,
    figures: PositionFigures,
    on_forgotten: Callable[[str, ExecutionReport], Awaitable[None]],
    on_orphan: Callable[[LiveOrder], None],
    *,
    poll_seconds: float,
) -> OrdersRoom:
    """`on_forgotten` and `on_orphan` as `UnmatchedReports` and `ApplyReports` say."""
    fees_in_kind = {account_id: gateway.broker.capabilities.fees_in_kind for account_id, gateway in on.gateways.items()}
    register = OrderRegister(on.store, on.recorder, on.clock, book, on.calendar, fees_in_kind)
    unmatched = UnmatchedReports(on.store, register, on.log, on_forgotten)
    track = ApplyReports(register, on.gateways, unmatched, on.clock, on.sparing_log, on_orphan, poll_seconds=poll_seconds)
    positions = PositionRegister(on.store, register, book, on.calendar, on.clock, on.log)
    fees = FeesInKind(positions, figures, register, track, book, on.calendar, on.clock, on.log)
    return OrdersRoom(register, track, unmatched, positions, fees, LastFills(track, on.clock))
