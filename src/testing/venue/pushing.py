"""Pushing reports to the streams, with all faults that can strike them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.agenda import Act
from liveorder.testing.venue.faults import Fault, FaultKind, FaultScript, Point
from liveorder.testing.venue.venue import Venue

Stream: TypeAlias = Callable[[Message | None], None]
"""Receives each report; None: the stream ended."""
After: TypeAlias = Callable[[float, Act], None]
"""Runs an act after this many seconds; at once if zero."""


class Pushing:
    def __init__(self, venue: Venue, faults: FaultScript, latency_seconds: float, after: After) -> None:
        self._venue, self._faults, self._latency, self._after = venue, faults, latency_seconds, after
        self._streams: list[tuple[str, Stream]] = []
        self._open_from = venue.now
        self._overtaken: defaultdict[str, list[Message]] = defaultdict(list)

    def subscribe(self, account: str, stream: Stream) -> Callable[[], None]:
        """Push the account's reports from now on. Returns the function that ends it. Raises `VenueRefusal` while streams are
        down.
        """
        if self._venue.now < self._open_from:
            raise VenueRefusal(RefusalCode.STREAMS_DOWN, "report streams are down; try again later")
        entry = account, stream
        self._streams.append(entry)
        return lambda: self._streams.remove(entry) if entry in self._streams else None

    def drop(self, account: str | None, seconds: float = 0.0) -> None:
        """End the streams of an account, or all. None can be opened for `seconds`; reports meanwhile are lost to them."""
        self._open_from = self._venue.now + timedelta(seconds=seconds)
        dropped = [entry for entry in self._streams if account in (None, entry[0])]
        for entry in dropped:
            self._streams.remove(entry)
            entry[1](None)

    def push(self) -> None:
        """Push all reports of the venue."""
        while reports := self._venue.take_reports():
            for report in reports:
                self._start(report)
                if report["report"] == "fill":
                    self._strike_fill(report)

    def _strike_fill(self, report: Message) -> None:
        fault = self._faults.strike(Point.FILL, report.get("client_order_id"))
        if fault is not None:
            self._after(fault.seconds_or(0.0), lambda now: self._undo(fault, report, now))

    def _undo(self, fault: Fault, report: Message, now: datetime) -> None:
        """Bust or correct the fill, unless that was done meanwhile."""
        quantity = fault.quantity or Decimal(report["quantity"])
        price = Decimal(report["price"]) if fault.price is None else fault.price
        with suppress(VenueRefusal):
            if fault.kind is FaultKind.BUST:
                self._venue.staff.bust(report["execution_id"], now)
            else:
                self._venue.staff.correct(report["execution_id"], quantity, price, now)

    def _start(self, report: Message) -> None:
        fault = self._fault_of(report)
        match fault.kind if fault else None:
            case FaultKind.REPORT_LOST:
                return
            case FaultKind.REPORT_OUT_OF_ORDER:
                self._overtaken[report["account"]].append(report)
                return
            case FaultKind.REPORT_LATE:
                self._send(report, fault.seconds_or(1.0) if fault else 0.0)
            case FaultKind.REPORT_DUPLICATED:
                self._send(report)
                self._send(report)
            case _:
                self._send(report)
        for overtaken in self._overtaken.pop(report["account"], ()):
            self._send(overtaken)

    def _fault_of(self, report: Message) -> Fault | None:
        key = report.get("client_order_id")
        of_fill = self._faults.strike(Point.FILL_REPORT, key) if report["report"] == "fill" else None
        return self._faults.strike(Point.REPORT, key) or of_fill

    def _send(self, report: Message, delay_seconds: float = 0.0) -> None:
        self._after(self._latency + delay_seconds, lambda _: self._hand_out(report))

    def _hand_out(self, report: Message) -> None:
        for account, stream in list(self._streams):
            if account == report["account"]:
                stream(report)
