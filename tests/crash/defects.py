"""Defects of a service under the kill matrix, which must report each of them. See `tests/harness/defects.py`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from msgspec import structs

from liveorder.application.ports.broker import Absence, Prepared
from liveorder.application.ports.order_store import Commit, Committed
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.events import Event
from liveorder.domain.execution_report import Execution, ExecutionReport, OrderSnapshot
from liveorder.domain.order.events import SubmissionStarted, WaitEnded
from liveorder.infrastructure.eventstore.lease_row import LeaseRow
from tests.harness.defects import (
    SOUND,
    Altered,
    Defect,
    begins_each_closing_anew,
    forgets_what_was_transferred,
    prepares_each_attempt,
    sends_after_the_deadline,
)


class _StoredLate(Altered):
    """Says that the intent is durable, and stores it with what comes next: after the call."""

    kind: type[Event] = SubmissionStarted

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._late: list[Commit] = []

    async def append(self, commit: Commit) -> Committed:
        if any(isinstance(recorded.event, self.kind) for recorded in commit.events):
            self._late.append(commit)
            return Committed(tuple(0 for _ in commit.events))
        while self._late:
            await self._port.append(self._late.pop(0))
        stored: Committed = await self._port.append(commit)
        return stored


class _WaitEndedLate(_StoredLate):
    """The same, of an order that has waited only."""

    kind = WaitEnded


class _NeverInconclusive(Altered):
    """What is not found never arrived."""

    async def find(self, *asked: Any) -> OrderSnapshot | Absence:
        found: OrderSnapshot | Absence = await self._port.find(*asked)
        return Absence.ABSENT if found is Absence.INCONCLUSIVE else found


class _Retries(Altered):
    """Notices which payloads are sent again."""

    def __init__(self, port: Any, retried: set[str]) -> None:
        super().__init__(port)
        self._retried = retried

    async def append(self, commit: Commit) -> Committed:
        started = [recorded.event for recorded in commit.events if isinstance(recorded.event, SubmissionStarted)]
        self._retried.update(event.payload for event in started if event.attempt > 1)
        stored: Committed = await self._port.append(commit)
        return stored


class _Rekeyed(Altered):
    """Another attempt leaves under a key that is drawn anew."""

    def __init__(self, port: Any, retried: set[str]) -> None:
        super().__init__(port)
        self._retried = retried

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        if prepared.payload in self._retried:
            fields = json.loads(prepared.payload) | {"client_order_id": uuid4().hex[:20]}
            prepared = structs.replace(prepared, payload=json.dumps(fields))
        answer: Sequence[ExecutionReport] = await self._port.submit(prepared)
        return answer


class _Unrecognisable(Altered):
    """A fill that is reported twice is two fills: nothing in it says that it is the same."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._tellings = count()

    async def executions_since(self, *asked: Any) -> list[ExecutionReport]:
        return [self._disguised(report) for report in await self._port.executions_since(*asked)]

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        async for report in self._port.reports():
            yield self._disguised(report)

    def _disguised(self, report: ExecutionReport) -> ExecutionReport:
        if not isinstance(report, Execution):
            return report
        return structs.replace(report, execution_id=f"{report.execution_id} told {uuid4().hex[:6]}-{next(self._tellings)}")


class _Anybodys(LeaseRow):
    """Whoever comes owns the store, beside its owner."""

    def __init__(self, lease: LeaseRow) -> None:
        super().__init__(lease._database, lease._clock, lease._writing)

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        state = await self.state()
        if state is None:
            return await super().acquire(owner, duration_seconds)
        self._epoch = state.epoch
        await self._writing().own(state.epoch)
        return state.epoch


def _resends_what_is_not_found() -> Defect:
    """Whatever the broker's keys are good for, and however lately the request was sent."""
    return Defect(broker=_NeverInconclusive, capabilities=_trusts_every_absence)


def _trusts_every_absence(declared: BrokerCapabilities) -> BrokerCapabilities:
    return replace(
        declared,
        key_support=KeySupport.SEARCHABLE,
        trusts_absence=True,
        delivery_bound_seconds=0.0,
        lookup_lag_seconds=0.0,
        clock_skew_seconds=0.0,
    )


def _asks_too_early() -> Defect:
    """Believes *not found* while the request may still be on its way."""
    return Defect(capabilities=lambda declared: replace(declared, delivery_bound_seconds=0.0))


def _new_key_on_retry() -> Defect:
    retried = set[str]()
    return Defect(store=lambda store: _Retries(store, retried), broker=lambda broker: _Rekeyed(broker, retried))


DEFECTS: Mapping[str, Callable[[], Defect]] = {
    "intent not stored first": lambda: Defect(store=_StoredLate),
    "resend on not found": _resends_what_is_not_found,
    "new key on retry": _new_key_on_retry,
    "fills not deduplicated": lambda: Defect(broker=_Unrecognisable),
    "no lease": lambda: Defect(lease=_Anybodys),
    "query before the held request is delivered": _asks_too_early,
    "call after its deadline": lambda: Defect(engine=sends_after_the_deadline),
    "bytes made anew on retry": lambda: Defect(engine=prepares_each_attempt),
    "end of a wait not stored first": lambda: Defect(store=_WaitEndedLate),
    "closing begun anew while one is out": lambda: Defect(engine=begins_each_closing_anew),
    "transfer not known again": lambda: Defect(engine=forgets_what_was_transferred),
}


def defect_named(name: str | None) -> Defect:
    return SOUND if name is None else DEFECTS[name]()
