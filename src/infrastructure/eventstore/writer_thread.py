"""A thread that runs jobs one after another for an event loop. Its hand-over costs half of `run_in_executor`'s."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeAlias, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Job: TypeAlias = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class WriterThread:
    """Starts with its first job, so that an unused one costs nothing."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run `work` and return its result or raise its error. Cancelling drops the answer, not the work."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="liveorder-writer", daemon=True)
            self._thread.start()
        reply: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._jobs.put((lambda: work(*args, **kwargs), reply))
        return await reply

    def close(self) -> None:
        """Blocks until the running jobs are done."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, reply = job
            try:
                result, error = work(), None
            except BaseException as raised:  # noqa: BLE001 -- it is passed on to the caller
                result, error = None, raised
            # The loop may be closed; then nobody is waiting.
            with suppress(RuntimeError):
                reply.get_loop().call_soon_threadsafe(_settle, reply, result, error)


def _settle(reply: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if reply.done():
        return
    if error is None:
        reply.set_result(result)
    else:
        reply.set_exception(error)
