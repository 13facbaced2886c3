"""Merges concurrent questions into one. An answer is never older than the question it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from liveorder.domain.errors import BrokerError

T = TypeVar("T")


class SharedQuestion(Generic[T]):
    """Callers that ask while a question is pending share the next answer, or its error.

    `put(names)` answers up to `most` names, each with its value or with the error to raise. `due()` waits until the next question
    may be put; callers that ask meanwhile are included.
    """

    def __init__(
        self,
        put: Callable[[Sequence[str]], Awaitable[Mapping[str, T | BrokerError]]],
        due: Callable[[], Awaitable[None]],
        most: int | None = None,
    ) -> None:
        self._put, self._due, self._most = put, due, most
        self._waiting: dict[str, list[asyncio.Future[T | BrokerError]]] = {}
        self._asking = asyncio.Lock()

    async def ask(self, name: str) -> T:
        """Raises `BrokerError`."""
        answer: asyncio.Future[T | BrokerError] = asyncio.get_running_loop().create_future()
        self._wait_for(name, answer)
        try:
            while not answer.done():
                async with self._asking:
                    if not answer.done():
                        await self._ask_next()
        finally:
            answer.cancel()
        result = answer.result()
        if isinstance(result, BrokerError):
            raise result
        return result

    def _wait_for(self, name: str, *answers: asyncio.Future[T | BrokerError]) -> None:
        """Register answers to wait for. Cancelled ones are left out."""
        if waiting := [answer for answer in answers if not answer.done()]:
            self._waiting.setdefault(name, []).extend(waiting)

    async def _ask_next(self) -> None:
        await self._due()
        asked = {name: self._waiting.pop(name) for name in [*self._waiting][: self._most]}
        results: Mapping[str, T | BrokerError] = {}
        try:
            results = await self._put([*asked])
        except BrokerError as error:
            results = dict.fromkeys(asked, error)
        except BaseException:
            for name, answers in asked.items():
                self._wait_for(name, *answers)
            raise
        for name, answers in asked.items():
            for answer in answers:
                if not answer.done():
                    answer.set_result(results[name])
