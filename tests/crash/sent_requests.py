"""What a service sends, reported to the test before it leaves: which request, and whether the venue had the order already."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from itertools import repeat
from uuid import uuid4

from liveorder.application.ports.broker import Broker, Prepared
from liveorder.testing.venue.control import VenueControl
from tests.crash.process_crash_point import Emit
from tests.harness.recording_broker import RecordingBroker


class SentRequests(RecordingBroker):
    """The venue is asked beside the broker, without fault or lag."""

    def __init__(self, broker: Broker, control: VenueControl, emit: Emit, key_field: str | None = None) -> None:
        """`key_field`: what a broker's payload calls our key; None at the venue itself, where each payload is given a mark."""
        super().__init__(broker, (uuid4().hex[:8] for _ in repeat(None)) if key_field is None else None)
        self._control, self._emit, self._key_field = control, emit, key_field or "client_order_id"

    async def before_sending(self, verb: str, prepared: Prepared) -> None:
        called_at, key = datetime.now(UTC), self._key(prepared)
        had = len(await self._control.orders_by_key(key)) if verb == "submit" else 0
        self._emit(
            event="sent",
            kind=verb,
            key=key,
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
