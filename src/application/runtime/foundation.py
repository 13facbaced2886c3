"""What every room stands on: the store and its recorder, the ways to the brokers, the clocks, the logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import EmergencyJournal
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.recording import Recorder
from liveorder.application.runtime.sparing_log import SparingLog


@dataclass(frozen=True, slots=True)
class Foundation:
    """Handed to each room's `assemble`."""

    store: OrderStore
    recorder: Recorder
    gateways: Mapping[str, Gateway]
    """By account."""
    calendar: TradingCalendar
    journal: EmergencyJournal
    clock: Clock
    log: ActivityLog
    sparing_log: SparingLog
    """Of what lasts: a line when it begins, and now and then while it goes on."""
