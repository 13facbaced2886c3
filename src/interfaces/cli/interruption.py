"""Ctrl-C and SIGTERM: the first asks for a clean shutdown, the second does not wait for it."""

from __future__ import annotations

import asyncio
import signal
from types import TracebackType


class Interruption:
    """Once `is_orderly` is set, both signals set `stop`. Before that, and the second time, they cancel the task."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.is_orderly = False
        self._task = asyncio.current_task()

    def __enter__(self) -> Interruption:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._interrupted)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _interrupted(self) -> None:
        if self._task is not None and (self.stop.is_set() or not self.is_orderly):
            self._task.cancel()
        self.stop.set()
