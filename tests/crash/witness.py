"""Stands between a service and its broker, and says what goes out: whether the venue had the order already when it was sent."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from liveorder.application.ports.broker import Broker, Prepared
from liveorder.domain.execution_report import ExecutionReport
from liveorder.infrastructure.brokers.simulated.control import VenueControl
from tests.crash.fate import Tell


class Witness:
    """A `Broker` that tells of each request before it leaves. The venue is asked beside the broker, without fault or lag."""

    def __init__(self, broker: Broker, control: VenueControl, tell: Tell, key_field: str = "client_order_id") -> None:
        """`key_field`: what a payload calls our key."""
        self._broker, self._control, self._tell, self._key_field = broker, control, tell, key_field

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        had = await self._control.orders_by_key(self._key(prepared))
        self._say("submit", prepared, len(had))
        return await self._broker.submit(prepared)

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self._say("cancel", prepared)
        return await self._broker.cancel(prepared)

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self._say("replace", prepared)
        return await self._broker.replace(prepared)

    def _say(self, kind: str, prepared: Prepared, had: int = 0) -> None:
        at = datetime.now(UTC).isoformat()
        self._tell(event="sent", kind=kind, key=self._key(prepared), had=had, at=at, monotonic=time.monotonic())

    def _key(self, prepared: Prepared) -> str:
        payload = json.loads(prepared.payload)
        return str(payload.get(self._key_field) or payload.get("order", {}).get(self._key_field))
