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

from tests.crash.fork_server import ForkServer
from tests.crash.plans import ServicePlan, VenuePlan

T = TypeVar("T")

PATIENCE_SECONDS = 90.0
"""Longer than anything takes on a slow machine: who waits for so long waits for ever."""
POLL_SECONDS = 0.05
CHUNK = 1 << 16


class ProcessEnded(Exception):
    """The process is gone. Shows what it emitted last."""


class Refused(Exception):
    """The service said no: `name` is its error's."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class Process:
    """What it emits, and ways to ask it, kill it and pause it."""

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
                answer.set_exception(ProcessEnded())
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

    # --- waiting ---------------------------------------------------------------------------------------------------------------

    async def wait_for(self, event: str, **fields: str) -> dict[str, Any]:
        """The first such event, waited for. A `sentence` need only be contained. Raises `ProcessEnded`."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            while (found := self.emitted(event, **fields)) is None:
                if self.has_ended:
                    raise ProcessEnded(self.events[-1:])
                await self._changed.wait()
            return found

    def emitted(self, event: str, **fields: str) -> dict[str, Any] | None:
        return next((each for each in self.events if each["event"] == event and _fits(each, fields)), None)

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.has_ended)

    # --- asking ----------------------------------------------------------------------------------------------------------------

    def begin(self, act: str, **fields: Any) -> asyncio.Future[Any]:
        """What `ask` waits for. Raises `ProcessEnded`."""
        if self.has_ended:
            raise ProcessEnded
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        with suppress(OSError):
            self._line.send(json.dumps({"number": number, "act": act} | fields).encode() + b"\n")
        return answer

    async def ask(self, act: str, **fields: Any) -> Any:
        """Raises `ProcessEnded` and `Refused`."""
        answer = self.begin(act, **fields)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer

    async def stop(self) -> None:
        """Asks it to shut down."""
        with suppress(ProcessEnded):
            await self.ask("stop")
        await self.ended()

    # --- striking --------------------------------------------------------------------------------------------------------------

    def strike(self, sent: signal.Signals) -> None:
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, sent)

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
async def process(fork_server: ForkServer, plan: ServicePlan | VenuePlan) -> AsyncIterator[Process]:
    """Just spawned; killed at the end, whatever it then does."""
    spawned = Process(fork_server.spawn(plan))
    try:
        yield spawned
    finally:
        await spawned.kill()


async def eventually(condition: Callable[[], Awaitable[T]], what: str) -> T:
    """What is asked of other processes, as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"never came about: {what}"
        await asyncio.sleep(POLL_SECONDS)
    return found
