"""Confirmations to a Redis stream, one entry each: its field `data` is the confirmation as JSON."""

from __future__ import annotations

from asyncio import timeout
from collections.abc import Sequence

from liveorder.application.outbox.publisher import Confirmation
from liveorder.infrastructure.publishers.execution_confirmation import in_json
from liveorder.infrastructure.redis_client import FAILURES, REPLY_SECONDS, client_of, failure
from liveorder.infrastructure.settings.redis_url import StreamDestination

FIELD = "data"
AT_ONCE = 500
"""Entries that are sent before their replies are waited for."""


class NotPublished(Exception):
    """Some of them may have arrived; all are sent again."""


class RedisStreamPublisher:
    """At least once: where a reply is lost, they are sent again, with the same `event_id`."""

    def __init__(self, destination: StreamDestination) -> None:
        self._destination = destination

    @property
    def name(self) -> str:
        return self._destination.name

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        """Connects for this call only. Raises `NotPublished`."""
        destination = self._destination
        client = client_of(destination.url)
        try:
            for start in range(0, len(confirmations), AT_ONCE):
                async with client.pipeline(transaction=False) as sending:
                    for each in confirmations[start : start + AT_ONCE]:
                        sending.xadd(destination.stream, {FIELD: in_json(each)}, maxlen=destination.maxlen, approximate=True)
                    async with timeout(REPLY_SECONDS):
                        await sending.execute()
        except FAILURES as error:
            raise NotPublished(failure(error, destination.url)) from None
        finally:
            await client.aclose()
