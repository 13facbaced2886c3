"""What a broker tells of orders that are closed here, a day long at every reconciliation: known without reading each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liveorder.application.engine.engine import Engine
from liveorder.application.orders import order_register
from liveorder.domain.execution_report import Commission, ExecutionReport
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import Side
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, SPY, STILL, Scene, a_scene, a_signal, until

IN_PARTS = STILL.model_copy(update={"fills": Fills(max_quantity=Decimal(4))})
"""An order for 10 has three executions."""


def reads_of(engine: Engine) -> Counter[str]:
    """What the engine asks its database for from now on."""
    assert isinstance(engine.store, DatabaseOrderStore)
    database: Any = engine.store._database
    asked = Counter[str]()

    def counted(name: str) -> Any:
        ask = getattr(database, name)

        async def count(*arguments: Any) -> Any:
            asked[name] += 1
            return await ask(*arguments)

        return count

    for name in ("fetch", "stream", "streams"):
        setattr(database, name, counted(name))
    return asked


async def closed_orders(engine: Engine, count: int) -> list[LiveOrder]:
    orders = [await engine.execute.execute(a_signal(f"s{n}")) for n in range(count)]
    await until(lambda: engine.is_quiet)
    return [await engine.orders.get(order.order_id) for order in orders]


def without_keys(scene: Scene) -> None:
    """As from a broker whose executions name its own ids alone."""
    ask = scene.witness.executions_since

    async def anonymous(since: datetime) -> Sequence[ExecutionReport]:
        return [replace(report, client_order_id=None) for report in await ask(since)]

    scene.witness.answers["executions_since"] = anonymous


@pytest.mark.parametrize("names_keys", [True, False])
async def test_executions_of_closed_orders_are_known_without_asking_the_store(tmp_path: Path, names_keys: bool) -> None:
    async with a_scene(tmp_path, IN_PARTS) as scene, scene.living() as engine:
        if not names_keys:
            without_keys(scene)
        await closed_orders(engine, 20)
        reads = reads_of(engine)
        for _ in range(5):
            assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        assert reads == {}


@pytest.mark.parametrize("names_keys", [True, False])
async def test_a_restart_reads_the_closed_orders_of_a_day_many_at_once(tmp_path: Path, names_keys: bool) -> None:
    reads_by_orders = {}
    for count in (2, 40):
        folder = tmp_path / str(count)
        folder.mkdir()
        async with a_scene(folder, IN_PARTS) as scene:
            async with scene.living() as engine:
                orders = await closed_orders(engine, count)
            if not names_keys:
                without_keys(scene)
            again = scene.engine()
            reads = reads_of(again)
            await again.start(wait_for_lease=True)
            reads_by_orders[count] = sum(reads.values())
            before = Counter(reads)
            assert (await again.reconcile.reconcile(ACCOUNT)).is_clean
            assert reads == before
            assert [await scene.event_names(order) for order in orders] == [await scene.event_names(orders[0])] * count
            await again.stop()
    assert reads_by_orders[40] == reads_by_orders[2]


async def test_strangers_executions_cost_one_question_however_many_they_are(tmp_path: Path) -> None:
    async with a_scene(tmp_path, IN_PARTS) as scene, scene.living() as engine:
        costs = []
        for count in (3, 30):
            for _ in range(count):
                await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(10))
            await engine.reconcile.reconcile(ACCOUNT)
            reads = reads_of(engine)
            await engine.reconcile.reconcile(ACCOUNT)
            costs.append(sum(reads.values()))
        assert costs[0] == costs[1] <= 2


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("names_keys", [True, False])
async def test_what_is_new_about_a_closed_order_is_booked_all_the_same(tmp_path: Path, restarts: bool, names_keys: bool) -> None:
    async with a_scene(tmp_path, IN_PARTS) as scene:
        engine = scene.engine()
        await engine.start()
        orders = await closed_orders(engine, 4)
        await engine.reconcile.reconcile(ACCOUNT)
        if restarts:
            await engine.stop()
            engine = scene.engine()
        for point in (Point.REPORT, Point.FILL_REPORT):
            await scene.lay(FaultKind.REPORT_LOST, point, None)
        first, second, third, fourth = (next(iter(order.executions.reported)) for order in orders)
        await scene.control.bust(first)
        await scene.control.correct(second, Decimal(3), Decimal(499))
        await scene.control.fill(orders[2].broker_order_id or "", Decimal(2), Decimal(501))
        if not names_keys:
            without_keys(scene)
        told = [Commission(broker_order_id=orders[3].broker_order_id, execution_id=fourth, commission=Decimal("7.5"))]
        tells_too(scene, told)
        if restarts:
            await engine.start()
        await engine.reconcile.reconcile(ACCOUNT)
        busted, corrected, filled, charged = [await engine.orders.get(order.order_id) for order in orders]
        assert (busted.filled_quantity, corrected.filled_quantity, filled.filled_quantity) == (Decimal(6), Decimal(9), Decimal(12))
        assert third in filled.executions.reported
        assert charged.commission == Decimal("7.5")
        for commission in (Decimal("2.5"), Decimal("7.5")):
            told[:] = [replace(told[0], commission=commission)]
            await engine.reconcile.reconcile(ACCOUNT)
            charged = await engine.orders.get(orders[3].order_id)
            assert charged.commission == commission
        await engine.stop()


def tells_too(scene: Scene, told: Sequence[ExecutionReport]) -> None:
    ask = scene.witness.executions_since

    async def more(since: datetime) -> Sequence[ExecutionReport]:
        return [*await ask(since), *told]

    scene.witness.answers["executions_since"] = more


async def test_more_closed_orders_than_stay_in_memory_are_read_and_nothing_is_booked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_register, "FINISHED_IN_MEMORY", 3)
    async with a_scene(tmp_path, IN_PARTS) as scene, scene.living() as engine:
        orders = await closed_orders(engine, 10)
        events = [await scene.event_names(order) for order in orders]
        for _ in range(2):
            await engine.reconcile.reconcile(ACCOUNT)
        assert [await scene.event_names(order) for order in orders] == events
        assert {(await engine.orders.get(order.order_id)).status for order in orders} == {OrderStatus.FILLED}
