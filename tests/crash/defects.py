"""Defects that a service like this one could have, put into the test's own composition: the harness must report each of them.

Each stands between the engine and a port, and makes of a sound service one that breaks a rule of the protocol.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import Absence, Prepared
from liveorder.application.ports.order_store import Commit, Committed
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.execution_report import Execution, ExecutionReport, OrderSnapshot
from liveorder.domain.order.events import SubmissionStarted
from liveorder.infrastructure.eventstore.lease_row import LeaseRow
from tests.engine_defects import prepares_each_attempt, sends_after_the_deadline


class Defect:
    """What it is given, it gives back: no defect at all."""

    def capabilities(self, declared: BrokerCapabilities) -> BrokerCapabilities:
        return declared

    def store(self, store: Any) -> Any:
        return store

    def lease(self, lease: LeaseRow) -> LeaseRow:
        return lease

    def broker(self, broker: Any) -> Any:
        return broker

    def engine(self, engine: Engine) -> None:
        pass


class _Around:
    """A port that works as the one within, but for what is overridden."""

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


# --- the intent is not stored first ---


class IntentStoredLate(Defect):
    """Says that the intent is durable, and stores it with what comes next: after the call."""

    def store(self, store: Any) -> Any:
        return _StoredLate(store)


class _StoredLate(_Around):
    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._late: list[Commit] = []

    async def append(self, commit: Commit) -> Committed:
        if any(isinstance(recorded.event, SubmissionStarted) for recorded in commit.events):
            self._late.append(commit)
            return Committed(tuple(0 for _ in commit.events))
        while self._late:
            await self._port.append(self._late.pop(0))
        stored: Committed = await self._port.append(commit)
        return stored


# --- what is not found is sent again ---


class ResendsWhatIsNotFound(Defect):
    """Whatever the broker's keys are good for, and however lately the request was sent: not found is never arrived."""

    def capabilities(self, declared: BrokerCapabilities) -> BrokerCapabilities:
        return replace(
            declared,
            key_support=KeySupport.SEARCHABLE,
            trusts_absence=True,
            delivery_bound_seconds=0.0,
            lookup_lag_seconds=0.0,
            clock_skew_seconds=0.0,
        )

    def broker(self, broker: Any) -> Any:
        return _NeverInconclusive(broker)


class _NeverInconclusive(_Around):
    async def find(self, *asked: Any) -> OrderSnapshot | Absence:
        found: OrderSnapshot | Absence = await self._port.find(*asked)
        return Absence.ABSENT if found is Absence.INCONCLUSIVE else found


class AsksTooEarly(Defect):
    """Believes *not found* while the request may still be on its way."""

    def capabilities(self, declared: BrokerCapabilities) -> BrokerCapabilities:
        return replace(declared, delivery_bound_seconds=0.0)


# --- another attempt has another key ---


class NewKeyOnRetry(Defect):
    """From the second attempt on, the order goes out under a key drawn anew."""

    def __init__(self) -> None:
        self._retried: set[str] = set()

    def store(self, store: Any) -> Any:
        return _Retries(store, self._retried)

    def broker(self, broker: Any) -> Any:
        return _Rekeyed(broker, self._retried)


class _Retries(_Around):
    """Notices which payloads are sent again."""

    def __init__(self, port: Any, retried: set[str]) -> None:
        super().__init__(port)
        self._retried = retried

    async def append(self, commit: Commit) -> Committed:
        started = [recorded.event for recorded in commit.events if isinstance(recorded.event, SubmissionStarted)]
        self._retried.update(event.payload for event in started if event.attempt > 1)
        stored: Committed = await self._port.append(commit)
        return stored


class _Rekeyed(_Around):
    def __init__(self, port: Any, retried: set[str]) -> None:
        super().__init__(port)
        self._retried = retried

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        if prepared.payload in self._retried:
            fields = json.loads(prepared.payload) | {"client_order_id": uuid4().hex[:20]}
            prepared = replace(prepared, payload=json.dumps(fields))
        answer: Sequence[ExecutionReport] = await self._port.submit(prepared)
        return answer


# --- fills are not deduplicated ---


class FillsCountAgain(Defect):
    """A fill that is told again is another fill: nothing in it says that it is the same."""

    def broker(self, broker: Any) -> Any:
        return _Unrecognisable(broker)


class _Unrecognisable(_Around):
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
        return replace(report, execution_id=f"{report.execution_id} told {uuid4().hex[:6]}-{next(self._tellings)}")


# --- no lease ---


class NoLease(Defect):
    """Whoever comes owns the store, beside whoever owns it already."""

    def lease(self, lease: LeaseRow) -> LeaseRow:
        return _Anybodys(lease)


class _Anybodys(LeaseRow):
    def __init__(self, lease: LeaseRow) -> None:
        super().__init__(lease._database, lease._clock, lease._writing)

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        state = await self.state()
        if state is None:
            return await super().acquire(owner, duration_seconds)
        self._epoch = state.epoch
        await self._writing().own(state.epoch)
        return state.epoch


# --- the engine's own ---


class SendsAfterTheDeadline(Defect):
    """A call leaves whenever its commit has returned, also where the process slept in between."""

    def engine(self, engine: Engine) -> None:
        sends_after_the_deadline(engine)


class PreparesEachAttempt(Defect):
    """Another attempt is made of other bytes than the first."""

    def engine(self, engine: Engine) -> None:
        prepares_each_attempt(engine)


DEFECTS: Mapping[str, type[Defect]] = {
    "intent not stored first": IntentStoredLate,
    "resend on not found": ResendsWhatIsNotFound,
    "new key on retry": NewKeyOnRetry,
    "fills not deduplicated": FillsCountAgain,
    "no lease": NoLease,
    "query before the held request is delivered": AsksTooEarly,
    "call after its deadline": SendsAfterTheDeadline,
    "bytes made anew on retry": PreparesEachAttempt,
}


def defect_named(name: str | None) -> Defect:
    return Defect() if name is None else DEFECTS[name]()
