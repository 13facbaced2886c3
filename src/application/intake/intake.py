"""Intake of signals: each message becomes an order, or a dead letter with its reason, and is then acknowledged to its source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from liveorder.application.intake.dead_letters import DeadLetters
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import SignalSource, SourceMessage
from liveorder.application.runtime.dispatcher import Dispatcher
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.dead_letter import dead_letter_id
from liveorder.domain.errors import DeadLetterStands, InvalidInput, LeaseLost, StoppedBefore, StoreError
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal, UnusableSignal

STORE_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message in progress, and whether it was stored."""

    message: SourceMessage
    is_durable: asyncio.Future[bool]


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A message that is no order, stored as a dead letter with its reason."""

    dead_letter: UUID
    reason: str
    is_passing: bool = False
    """The same message may be an order at another time."""


class Intake:
    """Reads sources and passes their messages to the dispatcher.

    A message is acknowledged when it and all before it are stored, as orders or dead letters. A message with a standing dead letter
    stays refused. While the store is unavailable, a message waits: it is not dropped, and nothing is sent for it.
    """

    def __init__(
        self, dispatcher: Dispatcher, execute: ExecuteOrder, dead_letters: DeadLetters, clock: Clock, log: ActivityLog
    ) -> None:
        self._dispatcher, self._execute, self._dead_letters = dispatcher, execute, dead_letters
        self._clock, self._log = clock, log

    async def read(self, source: SignalSource) -> None:
        """Take messages until the source ends or intake stops. Returns when all messages taken are stored.

        If cancelled, returns at once. Messages already taken are processed further; unacknowledged ones are delivered again.
        """
        done: asyncio.Queue[_Taken] = asyncio.Queue()
        acknowledging = asyncio.create_task(self._acknowledge_in_order(source, done))
        messages = source.messages()
        try:
            async for message in messages:
                if not self._dispatcher.is_taking_signals:
                    break  # it is not acknowledged, and comes again
                taken = _Taken(message, asyncio.get_running_loop().create_future())
                done.put_nowait(taken)
                await self._dispatcher.post_signal(partial(self._take, taken))
            await done.join()
        finally:
            acknowledging.cancel()
            if isinstance(messages, AsyncGenerator):
                await messages.aclose()

    async def receive(self, message: SourceMessage) -> LiveOrder | DeadLettered:
        """The order or the dead letter of one message, as soon as that is stored; its order's attempts go on meanwhile.

        For doors that answer each sender. A caller that goes away leaves running what was begun. Raises `StoreError` and
        `StoppedBefore`: nothing is stored as far as is known, and the sender must send it again.
        """
        if not self._dispatcher.is_taking_signals:
            raise StoppedBefore
        received: asyncio.Future[LiveOrder | DeadLettered] = asyncio.get_running_loop().create_future()
        await self._dispatcher.post_signal(partial(self._receive, message, received))
        return await received

    async def _receive(self, message: SourceMessage, received: asyncio.Future[LiveOrder | DeadLettered]) -> None:
        def stored(result: LiveOrder | DeadLettered) -> None:
            if not received.done():
                received.set_result(result)

        try:
            stored(await self._take_once(message, stored))
        except BaseException as error:
            if received.done():
                raise  # the sender has its answer, or went away
            received.set_exception(error if isinstance(error, Exception) else StoppedBefore())
            received.exception()  # the sender may be gone: nobody else is to report it
            if not isinstance(error, Exception):
                raise

    async def _acknowledge_in_order(self, source: SignalSource, done: asyncio.Queue[_Taken]) -> None:
        all_so_far = True
        while True:
            taken = await done.get()
            all_so_far = await asyncio.shield(taken.is_durable) and all_so_far
            try:
                if all_so_far:
                    await source.acknowledge(taken.message)
            except Exception as error:  # noqa: BLE001 - the source may be the user's; unacknowledged messages come again
                self._log.write("WARNING", f"Progress of {source.name} not saved: {type(error).__name__}: {error}")
            finally:
                done.task_done()

    async def _take(self, taken: _Taken) -> None:
        """Process a message until it is stored, and then until its order's first attempts are over."""
        try:
            await self._until_stored(taken.message)
            taken.is_durable.set_result(True)
        finally:
            if not taken.is_durable.done():
                taken.is_durable.set_result(False)

    async def _until_stored(self, message: SourceMessage) -> None:
        while True:
            try:
                await self._take_once(message)
                return
            except LeaseLost:
                raise
            except StoreError as error:
                self._log.write("ERROR", f"A signal waits for the store: {error}", source=message.source)
                await self._clock.sleep(STORE_RETRY_SECONDS)

    async def _take_once(
        self, message: SourceMessage, on_stored: Callable[[LiveOrder], None] | None = None
    ) -> LiveOrder | DeadLettered:
        signal: Signal | None = None
        dead_letter = dead_letter_id(message.source, message.offset, message.raw)
        try:
            signal = message.content if isinstance(message.content, Signal) else Signal.parse(message.content)
            return await self._execute.execute(
                signal, published_at=message.published_at, dead_letter=dead_letter, on_stored=on_stored
            )
        except DeadLetterStands as error:
            self._log.write("DEAD LETTER", f"{message.source} at {message.place or message.offset}: {error}")
            return DeadLettered(error.dead_letter, await self._dead_letters.reason(error.dead_letter))
        except UnusableSignal as error:
            unusable = error
        except InvalidInput as error:
            unusable = UnusableSignal(str(error), signal.signal_id if signal is not None else None)
        kept = await self._dead_letters.keep(message, unusable, signal.fingerprint if signal is not None else None)
        return DeadLettered(kept, unusable.reason, unusable.is_passing)
