"""The services of one trial: one life after another, and beside each other where several wait for the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from tests.crash.processes import Process, Refused
from tests.crash.stored import emitted

T = TypeVar("T")


class Lives:
    """`problems`: ends that no crash point explains."""

    def __init__(self) -> None:
        self.processes, self.problems = list[Process](), list[str]()

    @property
    def next_name(self) -> str:
        return f"life {len(self.processes) + 1}"

    async def begin(self, stack: AsyncExitStack, service: AbstractAsyncContextManager[Process]) -> Process:
        process = await stack.enter_async_context(service)
        self.processes.append(process)
        return process

    def emitted(self, event: str) -> list[dict[str, Any]]:
        return emitted(self.processes, event)

    def note_end_of(self, process: Process) -> None:
        """It ends at its crash point, or as a service that lost its store. Anything else is its own fault."""
        lost = process.emitted("lost the store") or process.emitted("failed", error="LeaseLost")
        if process.emitted("struck") is None and lost is None:
            self.problems.append(f"a service ended by itself: {process.events[-1:]}")


async def first_settled(services: Sequence[Process], settle: Callable[[Process], Awaitable[T | None]]) -> T | None:
    """What the one found that got the store and lived; None when all of them crashed."""
    waiting = {asyncio.ensure_future(settle(each)) for each in services}
    found = None
    while waiting and found is None:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        found = next((result for task in done if (result := task.result()) is not None), None)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return found


def is_without_store(service: Process, refused: Refused) -> bool:
    """Whether it refused because the store is another's now."""
    return refused.name == "LeaseLost" or service.emitted("log", category="LEASE", sentence="Lost the store") is not None
