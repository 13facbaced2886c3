"""Whose positions are: the store's creation says so, a setting changes it, and the change is in the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.default_account import STORE_STREAM
from liveorder.domain.position_owner import PositionOwner
from liveorder.infrastructure.eventstore.schema import POSITIONS
from tests.engine.scenes import ACCOUNT, LAX, SPY, Scene, a_limit, a_scene, a_signal, until


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


@pytest.mark.parametrize(
    "fields",
    [
        {"side": "BUY", "quantity": None},
        {"side": None, "quantity": None, "position_effect": "CLOSE"},
        {"side": "BUY", "quantity": 4, "role": "EXIT"},
        {"side": None, "quantity": None, "target_quantity": 0},
    ],
    ids=["unsized", "close", "exit", "target"],
)
async def test_a_strategys_short_is_bought_back_where_shorts_are_forbidden_and_another_holds_more(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    """A is long of 10, B was allowed to go short of 4: the account is long of 6, and B's purchase takes nothing below zero."""
    async with a_scene(tmp_path, limits=LAX.model_copy(update={"allow_short_selling": True})) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_signal("long", strategy_name="A"))
            await engine.execute.execute(a_signal("short", side="SELL", quantity=4, strategy_name="B"))
            await until(lambda: engine.is_quiet)
        scene.limits = LAX
        async with scene.living() as engine:
            covered = await engine.execute.execute(a_signal("cover", strategy_name="B", **fields))
            await until(lambda: engine.is_quiet)
            held = {key.strategy_name: own.quantity for key, own in engine.risk.holdings(ACCOUNT, SPY).items()}
            assert covered.error_message is None
            assert held == {"A": Decimal(10), "B": Decimal(0)}
