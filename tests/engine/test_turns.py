"""Signals of one strategy in one symbol are decided in the order in which they came, however long the price of one takes."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.order import LiveOrder
from tests.engine.scenes import ACCOUNT, LAX, STILL, a_scene, a_signal, until

SHORTS = LAX.model_copy(update={"allow_short_selling": True})
LATE, SOON = 0.3, 0.05


def late_prices(engine: Engine, *seconds: float) -> None:
    """The first questions for a price take so long."""
    gateway, waits = engine.gateways[ACCOUNT], [*seconds]
    price = gateway.price

    async def late(*asked: Any, **how: Any) -> Any:
        if waits:
            await asyncio.sleep(waits.pop(0))
        return await price(*asked, **how)

    gateway.price = late  # type: ignore[method-assign]  # for this test


async def in_a_row(engine: Engine, *signals: Any) -> list[LiveOrder]:
    return await asyncio.gather(*(engine.execute.execute(each) for each in signals))


def holds(engine: Engine) -> Decimal:
    return sum((each.quantity for each in engine.risk.positions(ACCOUNT).values()), Decimal(0))


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long", "shorts"])
@pytest.mark.parametrize(
    "exit_fields",
    [
        {"role": "EXIT", "quantity": None},
        {"quantity": None},
        {"position_effect": "CLOSE"},
        {"side": None, "quantity": None, "target_quantity": 0},
    ],
    ids=["exit", "unsized", "close", "target"],
)
async def test_an_exit_does_not_overtake_its_entry(tmp_path: Path, exit_fields: dict[str, Any], limits: Any) -> None:
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        late_prices(engine, LATE, SOON)
        entry, exit_ = await in_a_row(engine, a_signal("in"), a_signal("out", **({"side": "SELL"} | exit_fields)))
        await until(lambda: engine.is_quiet)
        assert [(await engine.orders.get(each.order_id)).filled_quantity for each in (entry, exit_)] == [10, 10]
        assert holds(engine) == 0


async def test_the_last_of_several_targets_holds(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL) as scene, scene.living() as engine:
        late_prices(engine, LATE, SOON)
        targets = [a_signal(f"to-{each}", side=None, quantity=None, target_quantity=each) for each in (10, 4)]
        await in_a_row(engine, *targets)
        await until(lambda: engine.is_quiet)
        assert holds(engine) == 4


async def test_one_that_comes_to_nothing_lets_the_next_go_on_and_not_the_one_after(tmp_path: Path) -> None:
    """The first is late; the second, whose price cannot be had, gives up before; the third waits for the first all the same."""
    async with a_scene(tmp_path, limits=LAX) as scene, scene.living() as engine:
        late_prices(engine, LATE, SOON, SOON)
        entry, nothing, exit_ = await asyncio.gather(
            engine.execute.execute(a_signal("in")),
            engine.execute.execute(a_signal("odd", exchange="NOWHERE")),
            engine.execute.execute(a_signal("out", side="SELL", role="EXIT", quantity=None)),
            return_exceptions=True,
        )
        assert isinstance(nothing, Exception)
        assert isinstance(entry, LiveOrder)
        assert isinstance(exit_, LiveOrder)
        await until(lambda: engine.is_quiet)
        assert holds(engine) == 0
        assert (await engine.orders.get(exit_.order_id)).filled_quantity == 10


async def test_a_caller_that_goes_away_lets_the_next_go_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=LAX) as scene, scene.living() as engine:
        late_prices(engine, 3600.0)
        gone = asyncio.create_task(engine.execute.execute(a_signal("gone")))
        second = asyncio.create_task(engine.execute.execute(a_signal("in")))
        await asyncio.sleep(1)
        assert not second.done()
        gone.cancel()
        assert (await second).is_sent


async def test_other_strategies_and_symbols_and_a_person_wait_for_nobody(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=LAX) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("held"))
        await until(lambda: engine.is_quiet)
        late_prices(engine, 3600.0)
        late = asyncio.create_task(engine.execute.execute(a_signal("late")))
        await asyncio.sleep(0.1)
        other, elsewhere = (
            a_signal("other", strategy_name="other"),
            a_signal("elsewhere", symbol="AAPL"),
        )
        for signal in (other, elsewhere):
            assert (await engine.execute.execute(signal)).is_sent
        closing = await engine.execute.execute(a_signal("out", side="SELL", role="EXIT", quantity=None), operator="ann")
        assert closing.is_sent
        late.cancel()


async def test_a_price_that_fails_once_makes_no_exit_overtake(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=LAX) as scene, scene.living() as engine:
        gateway = engine.gateways[ACCOUNT]
        failures, latest = [BrokerConnectionError("away")], gateway.market_data.latest

        async def failing_once(instrument: Any) -> Any:
            if failures:
                raise failures.pop()
            return await latest(instrument)

        gateway.market_data.latest = failing_once  # type: ignore[method-assign]  # for this test
        await in_a_row(engine, a_signal("in"), a_signal("out", side="SELL", role="EXIT", quantity=None))
        await until(lambda: engine.is_quiet)
        assert holds(engine) == 0


async def test_a_signal_that_comes_again_counts_only_as_the_order_that_it_is(tmp_path: Path) -> None:
    """A file that is read anew after a restart gives what is known, and behind it a target that is new."""
    async with a_scene(tmp_path, limits=LAX) as scene:
        signals = [a_signal("in", timestamp=scene.clock.now()), a_signal("out", side="SELL", quantity=4)]
        async with scene.living() as engine:
            for signal in signals:
                await engine.execute.execute(signal)
                await until(lambda: engine.is_quiet)
            assert holds(engine) == 6
        async with scene.living() as engine:
            target = a_signal("to", side=None, quantity=None, target_quantity=12)
            *known, new = await in_a_row(engine, *signals, target)
            assert [each.intent.signal_id for each in known] == ["in", "out"]
            assert (new.terms.side.value, new.quantity) == ("BUY", Decimal(6))
            await until(lambda: engine.is_quiet)
            assert holds(engine) == 12
