"""Positions that are read from the log: after a change of a fill that is not kept any more, and after a migration."""

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine import engine as engines
from liveorder.application.engine.engine import Engine
from liveorder.application.risk.book import AccountLedger, Keeping
from liveorder.application.risk.book.rows import TO_REBOOK
from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.position import Position
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, SPY, STILL, Scene, a_limit, a_scene, until
from tests.harness.virtual_time import run_virtually

UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})
BAD_PRINT = [("BUY", 10, 500), ("BUY", 10, 5000), ("SELL", 9, 500)]
ONE_IS_KEPT = Keeping(fills_a_page=1, most_pages=1)


async def trades(scene: Scene, engine: Engine) -> list[str]:
    """Has a bad print among its executions, whose ids are returned."""
    ids: list[str] = []
    for number, (side, quantity, price) in enumerate(BAD_PRINT):
        terms: dict[str, Any] = {"side": side, "quantity": Decimal(quantity), "limit_price": Decimal(500), "time_in_force": "GTC"}
        order = await engine.execute.execute(a_limit(f"signal-{number}", **terms))
        await scene.control.fill(order.broker_order_id or "", Decimal(quantity), Decimal(price))
        await until(lambda known=order: engine.orders.unfinished_with(known.order_id) is None)
        ids += (await engine.orders.get(order.order_id)).executions.reported
    return ids


def held(engine: Engine) -> tuple[Any, ...]:
    position = engine.risk.position(ACCOUNT, SPY)
    assert position is not None
    return position.quantity, position.average_price, position.realized_net


@pytest.mark.parametrize("keeping", [Keeping(), ONE_IS_KEPT])
def test_the_bust_of_a_bad_print_leaves_what_the_other_fills_make(
    keeping: Keeping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "AccountLedger", partial(AccountLedger, keeping))

    async def history() -> None:
        async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
            ids = await trades(scene, engine)
            await scene.control.bust(ids[1])
            await until(lambda: held(engine) == (1, 500, 0))
            assert engine.risk.late == {}

    run_virtually(history())


def test_a_position_that_could_not_be_read_before_the_end_is_read_by_the_next_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "AccountLedger", partial(AccountLedger, ONE_IS_KEPT))

    async def history() -> None:
        async with a_scene(tmp_path, UNFILLED) as scene:
            async with scene.living() as engine:
                ids = await trades(scene, engine)
                monkeypatch.setattr(engine.store, "restate", fails)
                await scene.control.bust(ids[1])
                await until(lambda: bool(engine.risk.late))
                assert held(engine)[0] == 1
            async with scene.living() as engine:
                await until(lambda: held(engine) == (1, 500, 0))

    run_virtually(history())


async def fails(*_: object) -> Any:
    raise StoreUnavailable("trouble")


def test_a_migrated_store_is_booked_from_the_log_before_anything_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first owner dies while it does so."""

    async def history() -> None:
        async with a_scene(tmp_path, UNFILLED) as scene:
            async with scene.living() as engine:
                await trades(scene, engine)
                right = held(engine)
            await scene.reading(migrated)
            first = scene.engine()
            restate, calls = first.store.restate, []

            async def restates_once(entries: Any) -> Any:
                calls.append(entries)
                return await (restate if len(calls) == 1 else fails)(entries)

            monkeypatch.setattr(first.store, "restate", restates_once)
            with pytest.raises(StoreUnavailable):
                await first.start()
            await scene.dies(first)
            async with scene.living() as engine:
                assert held(engine) == right
                rows = {row.key: row.state for row in await engine.store.ledger()}
                assert rows[TO_REBOOK] == ""
                assert [key for key in rows if key.startswith("position:")] == ['position:["default", "ARCA:SPY", "USD", "1"]']

    run_virtually(history())


async def migrated(store: Any) -> None:
    """As a migration leaves it."""
    wrong = Position.flat("USD", Decimal(1)).fill(Decimal(99), Decimal(1), Decimal(0), None)
    await store._database.write("DELETE FROM risk WHERE substr(key, 1, 9)='position:'", {})
    await store._database.write("INSERT INTO risk VALUES ('', 'to_rebook', :state)", {"state": wrong.to_json()})
