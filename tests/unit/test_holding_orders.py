"""One at a time decides about an order, in turn, whoever of those that wait goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.orders.order_register import OrderRegister
from liveorder.domain.errors import OrderNotFound
from liveorder.domain.order import LiveOrder
from tests.builders import ACKNOWLEDGED, SENT, intent, order_of

ORDER, OTHER = order_of(SENT, ACKNOWLEDGED), order_of(intent(order_id=UUID(int=2), client_order_id="OTHER"), SENT)


class NoStore:
    async def stream(self, stream_id: UUID) -> Sequence[Any]:
        await asyncio.sleep(0)
        return []


def a_register(*orders: LiveOrder) -> OrderRegister:
    """That knows these orders and nothing else."""
    nothing: Any = None
    store: Any = NoStore()
    register = OrderRegister(store, nothing, nothing, nothing, nothing)
    for order in orders:
        register._remember(order)
    return register


class Holders:
    """Tasks that hold an order, for as long as each is let."""

    def __init__(self, register: OrderRegister) -> None:
        self._register = register
        self.now: list[str] = []
        self.had: list[str] = []
        self.most_at_once = 0
        self.may_end: dict[str, asyncio.Event] = {}

    def begin(self, name: str, order_id: UUID = ORDER.order_id) -> asyncio.Task[None]:
        self.may_end[name] = asyncio.Event()
        return asyncio.create_task(self._hold(name, order_id), name=name)

    async def _hold(self, name: str, order_id: UUID) -> None:
        async with self._register.hold(order_id):
            self.now.append(name)
            self.had.append(name)
            self.most_at_once = max(self.most_at_once, len(self.now))
            try:
                await self.may_end[name].wait()
            finally:
                self.now.remove(name)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_who_wait_get_the_order_one_by_one_in_turn() -> None:
    holders = Holders(a_register(ORDER))
    tasks = [holders.begin(name) for name in "abc"]
    for expected in "abc":
        await settle()
        assert holders.now == [expected]
        holders.may_end[expected].set()
    await asyncio.gather(*tasks)
    assert (holders.had, holders.most_at_once) == (["a", "b", "c"], 1)


async def test_nobody_who_comes_later_slips_past_one_who_is_about_to_get_it() -> None:
    holders = Holders(a_register(ORDER))
    tasks = [holders.begin(name) for name in "ab"]
    await settle()
    holders.may_end["a"].set()
    await asyncio.wait([tasks[0]])
    tasks.append(holders.begin("late"))
    for name in ("b", "late"):
        await settle()
        assert holders.now == [name]
        holders.may_end[name].set()
    await asyncio.gather(*tasks)


async def test_different_orders_do_not_wait_for_each_other() -> None:
    holders = Holders(a_register(ORDER, OTHER))
    tasks = [holders.begin("a"), holders.begin("b", OTHER.order_id)]
    await settle()
    assert holders.now == ["a", "b"]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_one_who_goes_away_while_waiting_is_left_out() -> None:
    holders = Holders(a_register(ORDER))
    tasks = [holders.begin(name) for name in "abc"]
    await settle()
    tasks[1].cancel()
    await settle()
    assert tasks[1].cancelled()
    holders.may_end["a"].set()
    await settle()
    assert holders.now == ["c"]
    holders.may_end["c"].set()
    await asyncio.wait(tasks)


async def test_one_whose_coroutine_is_closed_while_it_waits_is_left_out() -> None:
    register = a_register(ORDER)
    holders = Holders(register)
    first = holders.begin("first")
    await asyncio.sleep(0)
    closed = register.hold(ORDER.order_id).__aenter__()
    closed.send(None)
    closed.close()
    holders.may_end["first"].set()
    await first
    async with asyncio.timeout(1), register.hold(ORDER.order_id):
        pass


async def test_one_who_goes_away_at_the_moment_of_getting_it_passes_it_on() -> None:
    register = a_register(ORDER)
    holders = Holders(register)
    async with register.hold(ORDER.order_id):
        tasks = [holders.begin(name) for name in "ab"]
        await settle()
    tasks[0].cancel()  # it is its turn by now, and it has not run yet
    await settle()
    assert (tasks[0].cancelled(), holders.now) == (True, ["b"])
    holders.may_end["b"].set()
    await asyncio.wait(tasks)


async def test_one_who_fails_or_finds_no_order_passes_it_on() -> None:
    register = a_register(ORDER)
    with pytest.raises(ZeroDivisionError):
        async with register.hold(ORDER.order_id):
            raise ZeroDivisionError
    async with register.hold(ORDER.order_id) as order:
        assert order is ORDER
    for _ in range(2):
        with pytest.raises(OrderNotFound):
            async with register.hold(UUID(int=9)):
                pass


async def test_nothing_is_kept_of_orders_that_nobody_holds() -> None:
    register = a_register(ORDER)
    holders = Holders(register)
    tasks = [holders.begin(name) for name in "abcd"]
    await settle()
    tasks[2].cancel()
    for name in "abd":
        holders.may_end[name].set()
    await asyncio.wait(tasks)
    assert not register._held


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["begin", "end", "cancel", "run"]), st.integers(0, 5)), max_size=40)


@given(STEPS)
def test_whatever_they_do_one_holds_it_at_a_time_and_nobody_waits_for_ever(steps: list[Step]) -> None:
    asyncio.run(_one_at_a_time(steps))


async def _one_at_a_time(steps: list[Step]) -> None:
    register = a_register(ORDER)
    holders, tasks = Holders(register), dict[str, asyncio.Task[None]]()
    for what, number in steps:
        name = str(number)
        if what == "begin" and name not in tasks:
            tasks[name] = holders.begin(name)
        elif what == "end" and name in tasks:
            holders.may_end[name].set()
        elif what == "cancel" and name in tasks:
            tasks[name].cancel()
        elif what == "run":
            await asyncio.sleep(0)
    for name in tasks:
        holders.may_end[name].set()
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert holders.most_at_once <= 1
    assert not holders.now
    assert [name for name, task in tasks.items() if not task.cancelled() and name not in holders.had] == []
    async with register.hold(ORDER.order_id) as order:
        assert order is ORDER
