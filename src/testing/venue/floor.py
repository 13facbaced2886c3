"""The venue in a running program: its time is a clock's, and it wakes up when something is due."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from liveorder.application.ports.clock import Clock
from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.administration import PREFIX, administer
from liveorder.testing.venue.faults import Point
from liveorder.testing.venue.gateway import Answer, VenueGateway
from liveorder.testing.venue.settings import VenueSettings
from liveorder.testing.venue.venue import Venue


class VenueFeed:
    """The reports of one account, buffered without bound until they are read. Ends with the stream or by `close`."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[Message | None] = asyncio.Queue()
        self.unsubscribe: Callable[[], None] = self._nothing_to_unsubscribe

    def put(self, report: Message | None) -> None:
        self._reports.put_nowait(report)

    async def __aiter__(self) -> AsyncIterator[Message]:
        while (report := await self._reports.get()) is not None:
            yield report

    def close(self) -> None:
        self.unsubscribe()
        self.put(None)

    def _nothing_to_unsubscribe(self) -> None:
        """There is no subscription yet."""


class Floor:
    """Drives a gateway. Use it in one event loop at a time, and `close` it when done."""

    def __init__(self, venue: Venue, settings: VenueSettings, clock: Clock) -> None:
        self.gateway = VenueGateway(venue, settings)
        self._clock = clock
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: datetime | None = None

    def send(self, line: str | bytes) -> asyncio.Future[Message | None]:
        """Send one request as a line of JSON. The future holds the answer, or None if the connection broke; without an answer it is
        never done.
        """
        future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._advance()
        self._receive(line, lambda reply: None if future.done() else future.set_result(reply))
        self._set_alarm()
        return future

    def _receive(self, line: str | bytes, answer: Answer) -> None:
        try:
            request = json.loads(line)
            verb = str(request.pop("verb"))
            point = None if verb.startswith(PREFIX) else Point(verb)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            answer({"error": RefusalCode.MALFORMED.value, "message": f"{error!r}; send one JSON object with a known verb"})
            return
        if point is None:
            answer(administer(self.gateway, verb, request))
        else:
            self.gateway.receive(point, request, answer)

    def subscribe(self, account: str) -> VenueFeed:
        """Raises `Refused` while streams are down."""
        self._advance()
        feed = VenueFeed()
        feed.unsubscribe = self.gateway.reports.subscribe(account, feed.put)
        return feed

    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self.gateway.reports.drop(None)
        self.gateway.venue.close()

    # --- time ---------------------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        self.gateway.advance(self._clock.now())

    def _set_alarm(self) -> None:
        due = self.gateway.next_due()
        if due is None or self._is_alarm_set_for(due):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = asyncio.get_running_loop().create_task(self._wake(due))

    def _is_alarm_set_for(self, due: datetime) -> bool:
        is_waiting = self._alarm is not None and not self._alarm.done()
        return is_waiting and self._alarm_at is not None and self._alarm_at <= due

    async def _wake(self, due: datetime) -> None:
        while True:
            await self._clock.sleep(max((due - self._clock.now()).total_seconds(), 0.0))
            self._advance()
            following = self.gateway.next_due()
            if following is None:
                return
            self._alarm_at = due = following
