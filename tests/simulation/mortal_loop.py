"""A virtual loop on which lives can end between any two steps, as by SIGKILL: nothing of a dead life ever runs again.

A life is a context: whatever is begun within it belongs to it. Its end cancels nothing and closes nothing; what the venue was
told goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any

from tests.virtual_time import VirtualLoop

_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Died(BaseException):
    """Ends the step in which a life dies, where it dies within one. Not an `Exception`: nothing that handles failures may."""


class Life:
    """Counts its steps; `fatal` is the number of the one that is not taken any more, or not now."""

    def __init__(self, name: str, loop: MortalLoop) -> None:
        self.name, self._loop = name, loop
        self.steps = 0
        self.fatal: int | None = None
        self.fate: Callable[[], None] = self.die
        """What happens instead of the fatal step."""
        self.is_dead = self.is_paused = False
        self._missed: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.ended: asyncio.Future[None] = loop.create_future()
        self.on_death: Callable[[], None] = lambda: None
        self._context = copy_context()
        self._context.run(_LIFE.set, self)

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=self.name, context=self._context)
        task.add_done_callback(lambda _: self._end())
        return task

    def take(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        if self.is_dead:
            return
        if self.is_paused:
            self._missed.append((callback, args))
            return
        self.steps += 1
        if self.steps != self.fatal:
            callback(*args)
            return
        self.fate()
        if not self.is_dead:
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

    def die(self) -> None:
        if not self.is_dead:
            self.is_dead = True
            self.on_death()
            self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def current_life() -> Life | None:
    """Whose step is taken now."""
    return _LIFE.get()


class MortalLoop(VirtualLoop):
    """Its `nobody` is the context outside every life: venue and scenario go on in it."""

    def __init__(self) -> None:
        super().__init__()
        self.nobody = copy_context()
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_over = False
        self.complaints: list[str] = []
        """What asyncio would have told the log: exceptions that nobody retrieved."""
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
        life = _LIFE.get() if context is None else context.get(_LIFE)
        if life is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(life.take, callback, args, context=context)

    def bury(self) -> None:
        """Let go of what the dead left hanging, once their history is over: what they then still say is of no consequence."""
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
