"""The connection to the venue and back, with all faults that can strike a request or an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.agenda import Act, Agenda
from liveorder.testing.venue.chance import Chance
from liveorder.testing.venue.faults import Fault, FaultKind, FaultScript, Point
from liveorder.testing.venue.pushing import Pushing
from liveorder.testing.venue.settings import VenueSettings
from liveorder.testing.venue.venue import Venue
from liveorder.testing.venue.verbs import perform

Answer: TypeAlias = Callable[[Message | None], None]
"""Receives the answer; None: the connection broke. Never called for a caller that is left waiting."""


class Trouble(StrEnum):
    """Error codes that are not the venue's own."""

    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    SERVER_ERROR = "server_error"


class VenueGateway:
    """Synchronous, like the venue. Messages in transit wait on an agenda until `advance` reaches their time."""

    def __init__(self, venue: Venue, settings: VenueSettings) -> None:
        self.venue = venue
        self.faults = FaultScript(settings.faults.faults, Chance(settings.seed))
        self.reports = Pushing(venue, self.faults, settings.latency_seconds, self._after)
        self._latency = settings.latency_seconds
        self._agenda = Agenda()
        self._held: list[Act] = []
        self._restarts = 0

    def next_due(self) -> datetime | None:
        moments = [at for at in (self._agenda.next_at(), self.venue.next_due()) if at is not None]
        return min(moments, default=None)

    def advance(self, now: datetime) -> None:
        """Deliver and run everything that is due by `now`, in order."""
        while (at := self._agenda.next_at()) is not None and at <= now:
            self.venue.advance(at)
            self.reports.push()
            self._agenda.run_one()
        self.venue.advance(now)
        self.reports.push()

    def _after(self, seconds: float, act: Act) -> None:
        if seconds:
            self._agenda.put(self.venue.now + timedelta(seconds=seconds), act)
        else:
            act(self.venue.now)

    def receive(self, point: Point, request: Message, answer: Answer) -> None:
        """A request leaves its caller now. `answer` may be called before this returns, later, or never."""
        fault = self.faults.strike(point, request.get("client_order_id"))
        if fault is None:
            self._deliver(point, request, answer)
        elif not self._keep_away(fault, point, request, answer):
            self._deliver(point, request, self._spoiled(fault, request.get("account"), answer))

    def _deliver(self, point: Point, request: Message, answer: Answer, delay_seconds: float = 0.0) -> None:
        self._after(self._latency + delay_seconds, lambda _: self._process(point, request, answer))

    def _process(self, point: Point, request: Message, answer: Answer) -> None:
        reply = perform(self.venue, point, request)
        self.reports.push()
        self._reply(answer, reply)

    def _reply(self, answer: Answer, reply: Message) -> None:
        restarts = self._restarts
        self._after(self._latency, lambda _: answer(reply if restarts == self._restarts else None))

    def _keep_away(self, fault: Fault, point: Point, request: Message, answer: Answer) -> bool:
        """Whether the fault prevents the request from being processed now. If so, it also handles the answer."""
        match fault.kind:
            case FaultKind.REQUEST_LOST:
                _leave_unanswered(fault, answer)
            case FaultKind.REQUEST_HELD:
                self._hold(fault, point, request)
                _leave_unanswered(fault, answer)
            case FaultKind.UNAVAILABLE:
                self._reply(answer, _error(Trouble.UNAVAILABLE))
            case FaultKind.RATE_LIMITED:
                self._reply(answer, _error(Trouble.RATE_LIMITED) | {"retry_after_seconds": fault.seconds_or(1.0)})
            case FaultKind.UNAUTHORIZED:
                self._reply(answer, _error(Trouble.UNAUTHORIZED))
            case FaultKind.QUERY_FAILED:
                self._reply(answer, _error(Trouble.SERVER_ERROR))
            case _:
                return False
        return True

    def _hold(self, fault: Fault, point: Point, request: Message) -> None:
        if fault.seconds is None:
            self._held.append(lambda _: self._process(point, request, _unheard))
        else:
            self._deliver(point, request, _unheard, fault.seconds)

    def release(self) -> int:
        """Deliver the held requests, oldest first. Returns how many there were."""
        held, self._held = self._held, []
        for act in held:
            act(self.venue.now)
        return len(held)

    def _spoiled(self, fault: Fault, account: str | None, answer: Answer) -> Answer:
        """The answer as changed by the fault; called when the request has been processed."""
        match fault.kind:
            case FaultKind.ACKNOWLEDGEMENT_LOST:
                return lambda _: _leave_unanswered(fault, answer)
            case FaultKind.ACKNOWLEDGEMENT_LATE:
                return lambda reply: self._after(fault.seconds_or(1.0), lambda _: answer(reply))
            case FaultKind.ACKNOWLEDGEMENT_GARBLED:
                return lambda _: answer({"answer": "\N{REPLACEMENT CHARACTER}"})
            case FaultKind.SERVER_ERROR:
                return lambda _: answer(_error(Trouble.SERVER_ERROR))
            case FaultKind.STREAM_DROPPED:
                self.reports.drop(account, fault.seconds_or(0.0))
                return answer
            case _:
                return lambda _: self._restart(answer)

    def _restart(self, answer: Answer) -> None:
        self._restarts += 1
        self.reports.drop(None)
        answer(None)


def _error(trouble: Trouble) -> Message:
    return {"error": trouble.value, "message": f"fault injected: {trouble}"}


def _leave_unanswered(fault: Fault, answer: Answer) -> None:
    if not fault.silent:
        answer(None)


def _unheard(_: Message | None) -> None:
    """The caller no longer waits."""
