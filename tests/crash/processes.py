"""The test's side of a process that can be killed and paused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any, TypeVar

from tests.crash.nursery import Nursery
from tests.crash.plans import ServicePlan, VenuePlan

T = TypeVar("T")

PATIENCE_SECONDS = 90.0
"""Longer than anything takes on a slow machine: who waits for so long waits for ever."""
POLL_SECONDS = 0.05
CHUNK = 1 << 16


class Died(Exception):
    """The process is gone. Says what it told last."""


class Refused(Exception):
    """The service said no: `name` is its error's."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Process:
    """What it tells, and ways to ask it, kill it and pause it."""

    def __init__(self, line: socket.socket) -> None:
        self.events: list[dict[str, Any]] = []
        self.pid = 0
        self.has_ended = False
        self._line = line
        self._changed = asyncio.Condition()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._numbers = count()
        self._handle: int | None = None
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        """To the last word: what was said before a reset is kept, which an `asyncio.StreamReader` would drop."""
        loop, heard = asyncio.get_running_loop(), b""
        with suppress(OSError):
            while said := await loop.sock_recv(self._line, CHUNK):
                *lines, heard = (heard + said).split(b"\n")
                for line in lines:
                    await self._take(json.loads(line))
        self.has_ended = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Died())
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, message: dict[str, Any]) -> None:
        if (number := message.get("number")) is not None:
            answer = self._answers.pop(number)
            if answer.done():
                return
            if "error" in message:
                answer.set_exception(Refused(message["error"], message["message"]))
            else:
                answer.set_result(message["answer"])
            return
        if self.pid == 0 and "pid" in message:
            self.pid = message["pid"]
            with suppress(ProcessLookupError):
                self._handle = os.pidfd_open(message["pid"])
        async with self._changed:
            self.events.append(message)
            self._changed.notify_all()

    # --- hearing ---------------------------------------------------------------------------------------------------------------

    async def heard(self, event: str, **fields: str) -> dict[str, Any]:
        """The first such event, waited for. A `sentence` need only be contained. Raises `Died`."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            while (found := self.told(event, **fields)) is None:
                if self.has_ended:
                    raise Died(self.events[-1:])
                await self._changed.wait()
            return found

    def told(self, event: str, **fields: str) -> dict[str, Any] | None:
        return next((each for each in self.events if each["event"] == event and _fits(each, fields)), None)

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.has_ended)

    # --- asking ----------------------------------------------------------------------------------------------------------------

    def begin(self, act: str, **fields: Any) -> asyncio.Future[Any]:
        """What `ask` waits for. Raises `Died`."""
        if self.has_ended:
            raise Died
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        with suppress(OSError):
            self._line.send(json.dumps({"number": number, "act": act} | fields).encode() + b"\n")
        return answer

    async def ask(self, act: str, **fields: Any) -> Any:
        """Raises `Died` and `Refused`."""
        answer = self.begin(act, **fields)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer

    async def stop(self) -> None:
        """In good order."""
        with suppress(Died):
            await self.ask("stop")
        await self.ended()

    # --- striking --------------------------------------------------------------------------------------------------------------

    def strike(self, blow: signal.Signals) -> None:
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, blow)

    async def kill(self) -> None:
        """Nothing of it is left afterwards."""
        self.strike(signal.SIGKILL)
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        await self.ended()
        self._line.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _fits(event: dict[str, Any], fields: dict[str, str]) -> bool:
    return all(text in event.get(name, "") for name, text in fields.items())


@asynccontextmanager
async def process(nursery: Nursery, plan: ServicePlan | VenuePlan) -> AsyncIterator[Process]:
    """Just born; killed at the end, whatever it then does."""
    born = Process(nursery.bear(plan))
    try:
        yield born
    finally:
        await born.kill()


async def eventually(condition: Callable[[], Awaitable[T]], what: str) -> T:
    """What is asked of other processes, as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"never came about: {what}"
        await asyncio.sleep(POLL_SECONDS)
    return found
