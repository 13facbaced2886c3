"""Whom the service speaks to, watched: its broker, its source of signals, its receiver of confirmations, its journal."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextvars import Context
from typing import Any

from liveorder.application.outbox.publisher import Confirmation
from liveorder.application.ports.broker import Broker, Prepared
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import JournalEntry
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.domain.errors import BrokerRefusal, StoreUnavailable
from liveorder.domain.execution_report import ExecutionReport
from liveorder.testing.venue.floor import Floor, VenueFeed
from tests.harness.recording_broker import RecordingBroker
from tests.simulation.questions import Questions
from tests.simulation.trace import Trace


class DetachedFloor:
    """The venue's floor, outside every simulated process."""

    def __init__(self, floor: Floor, outside: Context) -> None:
        self._floor, self._outside = floor, outside

    def send(self, line: str) -> asyncio.Future[Any]:
        return self._outside.run(self._floor.send, line)

    def subscribe(self, account: str) -> VenueFeed:
        return self._outside.run(self._floor.subscribe, account)


AS_BEFORE = "as before"
Sending = Callable[[str, str | None, str], None]
"""Hears of a request as it leaves: verb, key, payload."""


class Failures:
    """How often in a row the broker failed each account, at most: with an error, or with silence for a whole time-out."""

    def __init__(self, call_timeout_seconds: float) -> None:
        self._call_timeout_seconds = call_timeout_seconds
        self.most: Counter[str] = Counter()

    def is_silence(self, seconds: float) -> bool:
        """Whether a call that was cut off after so long was cut off for want of an answer."""
        return seconds >= self._call_timeout_seconds - 1e-6


class TracedBroker(RecordingBroker):
    """A `Broker` whose every call is in the trace."""

    def __init__(
        self,
        broker: Broker,
        account_id: str,
        trace: Trace,
        on_sending: Sending,
        questions: Questions,
        failures: Failures,
        numbers: Iterator[int],
    ) -> None:
        super().__init__(broker, map(str, numbers))
        self._trace, self._on_sending = trace, on_sending
        self._who, self._questions, self._failures = account_id, questions, failures
        self._failed = 0
        """In a row."""
        self._answers: dict[str, str] = {}

    async def before_sending(self, verb: str, prepared: Prepared) -> None:
        self._trace.note(self._who, f"{verb} {prepared.payload}")
        self._on_sending(verb, json.loads(prepared.payload).get("client_order_id"), prepared.payload)

    async def send(self, verb: str, prepared: Prepared) -> Sequence[ExecutionReport]:
        return await self._counted(self._answered(verb, super().send(verb, prepared)))

    async def _counted(self, call: Awaitable[Sequence[ExecutionReport]]) -> Sequence[ExecutionReport]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await call
        except asyncio.CancelledError:
            if self._failures.is_silence(loop.time() - began):
                self._fail()
            raise
        except BrokerRefusal:
            self._failed = 0
            raise
        except Exception:
            self._fail()
            raise
        self._failed = 0
        return answer

    def _fail(self) -> None:
        self._failed += 1
        self._failures.most[self._who] = max(self._failures.most[self._who], self._failed)

    async def find(self, *asked: Any) -> Any:
        self._questions.asked(asked[0])
        return await self._answered(f"find {asked[:2]}", self._broker.find(*asked))

    async def connect(self) -> Any:
        return await self._answered("connect", self._broker.connect())

    async def open_orders(self) -> Any:
        listed = await self._answered("open orders", self._broker.open_orders())
        self._questions.listed(listed)
        return listed

    async def executions_since(self, since: Any) -> Any:
        return await self._answered("executions", self._broker.executions_since(since))

    async def positions(self) -> Any:
        return await self._answered("positions", self._broker.positions())

    async def _answered(self, what: str, call: Awaitable[Any]) -> Any:
        try:
            answer = await call
        except Exception as error:
            self._trace.note(self._who, f"{what} -> {type(error).__name__}: {error}")
            raise
        text, before = shown(answer), self._answers.get(what)
        self._answers[what] = text
        self._trace.note(self._who, f"{what} -> {AS_BEFORE if text == before else text}")
        return answer

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        async for report in self._broker.reports():
            self._trace.note(self._who, f"told {shown(report)}")
            yield report
        self._trace.note(self._who, "the stream ended")


def shown(answer: Any) -> str:
    """What was said, without what was left out."""
    if isinstance(answer, list | tuple):
        return "[" + ", ".join(shown(item) for item in answer) + "]"
    if isinstance(answer, ExecutionReport):
        fields = ((name, getattr(answer, name)) for name in answer.__struct_fields__)
        said = [f"{name}={shown(value)}" for name, value in fields if value not in (None, "", (), False) and name not in _DULL]
        return f"{type(answer).__name__}({', '.join(said)})"
    return str(answer)


_DULL = ("client_order_id", "occurred_at", "symbol", "exchange", "side", "order_type", "native_status")


class SignalFeed:
    """A `SignalSource` that outlives services: from the first message that was not acknowledged, again and again."""

    name = "feed"
    finite = False

    def __init__(self, clock: Clock, trace: Trace) -> None:
        self._clock, self._trace = clock, trace
        self._messages: list[SourceMessage] = []
        self.acknowledged = 0
        self._done = 0
        """What the service was done with, whether or not the source could remember it."""
        self.failures = 0
        """So many acknowledgements are lost from now on."""

    def deliver(self, text: str) -> None:
        self._messages.append(SourceMessage(self.name, str(len(self._messages)), text.encode(), self._clock.now()))

    @property
    def delivered(self) -> Sequence[SourceMessage]:
        return self._messages

    @property
    def is_read(self) -> bool:
        return self._done == len(self._messages)

    async def messages(self) -> AsyncIterator[SourceMessage]:
        place = self.acknowledged
        while True:
            while place < len(self._messages):
                place += 1
                self._trace.note("source", f"message {place - 1}: {self._messages[place - 1].raw.decode()}")
                yield self._messages[place - 1]
            await self._clock.sleep(0.2)

    async def acknowledge(self, message: SourceMessage) -> None:
        self._done = max(self._done, int(message.offset) + 1)
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the bookmark is not saved")
        self.acknowledged = max(self.acknowledged, int(message.offset) + 1)
        self._trace.note("source", f"acknowledged {message.offset}")


class Receiver:
    """A `Publisher`'s other end: keeps everything that arrived, as often as it did."""

    name = "receiver"

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.received: list[Confirmation] = []
        self.failures: list[bool] = []
        """How the next calls fail: with the messages taken or not."""

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        is_taken = self.failures.pop(0) if self.failures else None
        if is_taken is not False:
            self.received += confirmations
            self._trace.note("receiver", f"got {', '.join(each.message_id for each in confirmations)}")
        if is_taken is not None:
            raise ConnectionError("the receiver hung up")


class TracedJournal:
    """An `EmergencyJournal` that outlives services."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.entries: list[JournalEntry] = []
        self.ever: list[JournalEntry] = []

    def write(self, entry: JournalEntry) -> bool:
        self._trace.note("journal", f"{entry}")
        self.entries.append(entry)
        self.ever.append(entry)
        return True

    def read(self) -> Sequence[JournalEntry]:
        return list(self.entries)

    def trouble(self) -> None:
        return None

    def clear(self, booked: Sequence[JournalEntry]) -> None:
        self.entries = [entry for entry in self.entries if entry not in booked]
