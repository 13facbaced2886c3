"""The library's subscription to a log, woken by our store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeAlias

from eventsourcing.persistence import ApplicationRecorder, ListenNotifySubscription, PersistenceError

Watch: TypeAlias = Callable[[Callable[[], None]], Future[None]]
"""Calls its argument at once and after new events, until it is cancelled."""


class EventSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """A subscription. `among`: the live subscriptions of its recorder, from which it removes itself when it stops."""

    def __init__(
        self, recorder: ApplicationRecorder, gt: int | None, topics: Sequence[str], watch: Watch, among: set[EventSubscription]
    ) -> None:
        self._among = among
        self._watching: Future[None] | None = None
        super().__init__(recorder, gt, topics)  # its thread starts here, and may stop it at once
        self._among.add(self)
        self._watching = watch(self._has_been_notified.set)
        if self._has_been_stopped:
            self.stop()

    def stop(self) -> None:
        """May be called from any thread, also while another waits for the next event."""
        super().stop()
        self._among.discard(self)
        if self._watching is not None:
            self._watching.cancel()

    def fail(self, error: PersistenceError) -> None:
        """End the subscription with this error, for the thread that waits for the next event."""
        self._thread_error = self._thread_error or error
        self.stop()
