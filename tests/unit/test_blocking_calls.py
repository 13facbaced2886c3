"""Blocking calls off the loop: what is under way ends by itself, and what was not begun is not made."""

from __future__ import annotations

import asyncio
import threading

import pytest

from liveorder.domain.errors import BrokerConnectionError
from liveorder.infrastructure.blocking_calls import BlockingCalls


async def test_a_call_whose_caller_gave_up_before_it_was_begun_is_not_made() -> None:
    calls, made, released = BlockingCalls("test", at_once=1), list[str](), threading.Event()
    first = asyncio.create_task(calls.run(released.wait))
    second = asyncio.create_task(calls.run(made.append, "second"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    released.set()
    assert await first
    await calls.run(made.append, "third")
    assert made == ["third"]
    calls.close()


async def test_after_closing_nothing_is_sent_and_that_is_said_for_certain() -> None:
    calls, made = BlockingCalls("test"), list[str]()
    calls.close()
    with pytest.raises(BrokerConnectionError, match="nothing was sent"):
        await calls.run(made.append, "late")
    assert made == []
