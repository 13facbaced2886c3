"""Processes on one virtual loop, each of which can be killed between any two callbacks: nothing of it ever runs again.

A process is a context: whatever is begun within it belongs to it. Its end cancels nothing and closes nothing; what the venue
has received goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any

from tests.harness.virtual_time import VirtualLoop

_PROCESS: ContextVar[SimulatedProcess | None] = ContextVar("process", default=None)


class SimulatedProcess:
    """Counts its callbacks; number `interrupt_at` is not run any more, or not now."""

    def __init__(self, name: str, loop: ProcessLoop) -> None:
        self.name, self._loop = name, loop
        self.callbacks = 0
        self.interrupt_at: int | None = None
        self.interrupt: Callable[[], None] = self.kill
        """Called instead: kills, or pauses."""
        self.is_killed = self.is_paused = False
        self._missed: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.ended: asyncio.Future[None] = loop.create_future()
        self.on_kill: Callable[[], None] = lambda: None
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=self.name, context=self._context)
        task.add_done_callback(lambda _: self._end())
        return task

    def take(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        if self.is_killed:
            return
        if self.is_paused:
            self._missed.append((callback, args))
            return
        self.callbacks += 1
        if self.callbacks != self.interrupt_at:
            callback(*args)
            return
        self.interrupt()
        if not self.is_killed:
            self.take(callback, args)

    def pause(self, seconds: float) -> None:
        """As by SIGSTOP and, later, SIGCONT: what comes meanwhile waits."""
        self.is_paused = True
        self._loop.call_later(seconds, self._wake)

    def _wake(self) -> None:
        self.is_paused = False
        missed, self._missed = self._missed, []
        for callback, args in missed:
            self._loop.call_soon(callback, *args, context=self._context)

    def kill(self) -> None:
        if not self.is_killed:
            self.is_killed = True
            self.on_kill()
            self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def current_process() -> SimulatedProcess | None:
    """Whose callback runs now."""
    return _PROCESS.get()


class ProcessLoop(VirtualLoop):
    """`outside` is the context of no process: venue and scenario go on in it."""

    def __init__(self) -> None:
        super().__init__()
        self.outside = copy_context()
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_over = False
        self.complaints: list[str] = []
        """What asyncio would have logged: exceptions that nobody retrieved."""
        self.set_exception_handler(
            lambda _, context: self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")
        )
        self.set_task_factory(self._remembered)

    def _remembered(self, loop: Any, work: Any, **settled: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **settled)
        self._tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]  # what the callback takes is nothing to the loop
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(process.take, callback, args, context=context)

    def abandon(self) -> None:
        """Let go of what killed processes left pending, once the history is over."""
        self._is_over = True
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own way to be quiet about it
                with suppress(BaseException):
                    coroutine: Any = task.get_coro()
                    coroutine.close()
        self._tasks.clear()

    def _asyncgen_finalizer_hook(self, generator: Any) -> None:
        if not self._is_over:
            super()._asyncgen_finalizer_hook(generator)  # type: ignore[misc]  # asyncio's own
