"""An event loop whose time jumps to the next thing that is due: days in milliseconds, the same every time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


MOST_TURNS, LEAST_SECONDS = 200_000, 1e-6
"""So many turns of the loop in which less time passed: somebody waits for next to nothing, again and again."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: what would be waited for is taken as passed."""

    now = moved_at = 0.0
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is due and nothing can happen: the test waits for ever")
        if not ready and timeout:
            self.now += timeout
        self._notice_if_it_stands_still()
        return ready

    def _notice_if_it_stands_still(self) -> None:
        self.turns += 1
        if self.now >= self.moved_at + LEAST_SECONDS:
            self.moved_at, self.turns = self.now, 0
        if self.turns > MOST_TURNS:
            raise RuntimeError(f"time stands still at {self.now}: something goes round without waiting")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use it for code that waits by the loop alone: no sockets, and what is given to a thread is done at once."""

    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # one type for what is returned
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread hands on whatever was raised
            done.set_exception(error)
        return done

    def pass_time(self, seconds: float) -> None:
        """As while the process is stopped: nothing runs meanwhile."""
        self._virtual.now += seconds


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
