"""Planned acts on orders. They are on the agenda, and also in the order, so that they survive a restart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from liveorder.testing.venue.agenda import Agenda, Appointment
from liveorder.testing.venue.orders import Due, VenueOrder


class Plans:
    """`attend` is called with an order when an act on it is due."""

    def __init__(self, agenda: Agenda, attend: Callable[[VenueOrder, datetime], None]) -> None:
        self._agenda, self._attend = agenda, attend
        self._appointments: defaultdict[str, list[Appointment]] = defaultdict(list)

    def put(self, order: VenueOrder, due: Due, now: datetime, delay_seconds: float) -> None:
        self.put_at(order, due, now + timedelta(seconds=delay_seconds))

    def put_at(self, order: VenueOrder, due: Due, at: datetime) -> None:
        order.due[due] = at
        self._meet(order, at)

    def resume(self, order: VenueOrder, now: datetime) -> None:
        """Schedule the order's acts after a restart. Acts that were due meanwhile are due now."""
        for at in order.due.values():
            self._meet(order, max(at, now))

    def call_off(self, order: VenueOrder) -> None:
        order.due.clear()
        for appointment in self._appointments.pop(order.order_id, ()):
            appointment.is_off = True

    def _meet(self, order: VenueOrder, at: datetime) -> None:
        self._appointments[order.order_id].append(self._agenda.put(at, partial(self._attend, order)))
