"""Between the engine and its broker: each request is seen before it leaves, and no two that are prepared have the same bytes.

So it is with a broker whose client numbers its requests: an attempt that is prepared anew is another request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from liveorder.application.ports.broker import Broker, BrokerRequest, Prepared
from liveorder.domain.execution_report import ExecutionReport

_MARK = "made"


class RecordingBroker:
    """A `Broker`. Subclasses say what is done `before_sending`. `marks` go into the payloads; None: they are as the broker's."""

    def __init__(self, broker: Broker, marks: Iterator[str] | None) -> None:
        self._broker, self._marks = broker, marks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def prepare(self, request: BrokerRequest) -> Prepared:
        prepared = self._broker.prepare(request)
        return prepared if self._marks is None else _marked(prepared, next(self._marks))

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return await self._record_and_send("submit", prepared)

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return await self._record_and_send("cancel", prepared)

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return await self._record_and_send("replace", prepared)

    async def _record_and_send(self, verb: str, prepared: Prepared) -> Sequence[ExecutionReport]:
        await self.before_sending(verb, prepared)
        return await self.send(verb, prepared if self._marks is None else _unmarked(prepared))

    async def before_sending(self, verb: str, prepared: Prepared) -> None:
        """The request as it is stored leaves next."""

    async def send(self, verb: str, prepared: Prepared) -> Sequence[ExecutionReport]:
        answer: Sequence[ExecutionReport] = await getattr(self._broker, verb)(prepared)
        return answer


def _marked(prepared: Prepared, mark: str) -> Prepared:
    return replace(prepared, payload=json.dumps(json.loads(prepared.payload) | {_MARK: mark}))


def _unmarked(prepared: Prepared) -> Prepared:
    """As the venue takes it."""
    fields = json.loads(prepared.payload)
    fields.pop(_MARK)
    return replace(prepared, payload=json.dumps(fields))
