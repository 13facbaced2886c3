"""Stands between a service and its broker, and says what goes out: whether the venue had the order already when it was sent."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from liveorder.application.ports.broker import Broker, BrokerRequest, Prepared
from liveorder.domain.execution_report import ExecutionReport
from liveorder.testing.venue.control import VenueControl
from tests.crash.fate import Tell
from tests.marked_payloads import marked, unmarked


class Witness:
    """A `Broker` that tells of each request before it leaves. The venue is asked beside the broker, without fault or lag."""

    def __init__(self, broker: Broker, control: VenueControl, tell: Tell, key_field: str | None = None) -> None:
        """`key_field`: what a broker's payload calls our key; None at the venue itself, where each payload is given a mark."""
        self._broker, self._control, self._tell = broker, control, tell
        self._key_field, self._marks = key_field or "client_order_id", key_field is None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def prepare(self, request: BrokerRequest) -> Prepared:
        prepared = self._broker.prepare(request)
        return marked(prepared, uuid4().hex[:8]) if self._marks else prepared

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        called_at = datetime.now(UTC)
        had = await self._control.orders_by_key(self._key(prepared))
        self._say("submit", prepared, called_at, len(had))
        return await self._broker.submit(self._bare(prepared))

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self._say("cancel", prepared, datetime.now(UTC))
        return await self._broker.cancel(self._bare(prepared))

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self._say("replace", prepared, datetime.now(UTC))
        return await self._broker.replace(self._bare(prepared))

    def _bare(self, prepared: Prepared) -> Prepared:
        return unmarked(prepared) if self._marks else prepared

    def _say(self, kind: str, prepared: Prepared, called_at: datetime, had: int = 0) -> None:
        self._tell(
            event="sent",
            kind=kind,
            key=self._key(prepared),
            payload=digest_of(prepared.payload),
            had=had,
            at=called_at.isoformat(),
            monotonic=time.monotonic(),
        )

    def _key(self, prepared: Prepared) -> str:
        payload = json.loads(prepared.payload)
        return str(payload.get(self._key_field) or payload.get("order", {}).get(self._key_field))


def digest_of(payload: str) -> str:
    return hashlib.sha256(payload.encode()).hexdigest()[:16]
