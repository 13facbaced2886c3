"""Redis as a source and as a destination. Its client is an extra, imported once the settings name it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import SignalSource
from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.redis_url import StreamSource, destination_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from liveorder.application.outbox.publisher import Publisher


def redis_source(door: Door) -> Callable[[DatabaseOrderStore, Clock, ActivityLog], SignalSource]:
    """Raises `SettingsError`, also if the client is not installed."""
    source = source_of(door)
    made: Any
    if isinstance(source, StreamSource):
        made = _module("signals.redis_stream", door).RedisStream
    else:
        made = _module("signals.redis_channel", door).RedisChannel
    return lambda store, clock, log: made(source, store, clock, log)


def redis_publisher(door: Door) -> Callable[[DatabaseOrderStore, Clock, ActivityLog], Publisher]:
    """Raises `SettingsError`, also if the client is not installed."""
    destination = destination_of(door)
    made = _module("publishers.redis_stream", door).RedisStreamPublisher
    return lambda store, clock, log: made(destination)


def _module(name: str, door: Door) -> Any:
    try:
        return import_module(f"liveorder.infrastructure.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "redis":
            raise
        raise SettingsError(f"{door.field}: Redis needs redis, which is not installed; pip install 'liveorder[redis]'") from None
