"""Whose positions are: the store's creation says so, a setting changes it, and the change is in the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from liveorder.application.engine.engine import Engine
from liveorder.domain.default_account import STORE_STREAM
from liveorder.domain.position_owner import PositionOwner
from liveorder.infrastructure.eventstore.schema import POSITIONS
from tests.engine.scenes import Scene, a_limit, a_scene, a_signal, until


def as_an_earlier_release_made_it(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.path)) as connection, connection:
        connection.execute("DELETE FROM checkpoints WHERE name=?", (POSITIONS,))


async def sale_of_what_another_strategy_holds(engine: Engine, name: str) -> str:
    """One that rests, so that nothing is sold."""
    order = await engine.execute.execute(a_limit(name, 600, side="SELL", strategy_name="B"))
    return order.status.value


async def test_a_new_store_is_the_strategies(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        assert engine.identity is not None
        assert engine.identity.positions is PositionOwner.STRATEGY
        order = await engine.execute.execute(a_signal("in", strategy_name="A"))
        await until(lambda: engine.orders.unfinished_with(order.order_id) is None)
        assert await sale_of_what_another_strategy_holds(engine, "out") == "REJECTED"


async def test_a_store_of_an_earlier_release_is_the_accounts_until_the_setting_says_otherwise(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        as_an_earlier_release_made_it(scene)
        async with scene.living() as engine:
            await engine.execute.execute(a_signal("in", strategy_name="A"))
            await until(lambda: not engine.orders.unfinished())
            assert await sale_of_what_another_strategy_holds(engine, "as before") == "SUBMITTED"
        async with scene.living(positions=PositionOwner.STRATEGY) as engine:
            assert await sale_of_what_another_strategy_holds(engine, "now") == "REJECTED"
        async with scene.living() as engine:
            assert await sale_of_what_another_strategy_holds(engine, "still") == "REJECTED"
        assert [event.to_dict() for event in await scene.events(STORE_STREAM)] == [{"positions": "by_strategy"}]
        async with scene.living(positions=PositionOwner.ACCOUNT) as engine:
            await engine.cancel.cancel(engine.orders.unfinished()[0].order_id)
            await until(lambda: not engine.orders.unfinished())
            assert await sale_of_what_another_strategy_holds(engine, "and back") == "SUBMITTED"
        assert len(await scene.events(STORE_STREAM)) == 2
    assert "From here on an order may close what its strategy holds (positions = by_strategy)" in scene.log.of("STORE")
