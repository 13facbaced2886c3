"""Stores of other versions, with open orders: a newer one goes on with them, an older one keeps its hands off."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.recording import domain_events
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import StoreRefused
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.trading_halt import account_scope
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.migrations import migrate
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from liveorder.testing.venue.settings import Keys
from tests.engine.scenes import STILL, Scene, a_limit, a_scene, a_signal
from tests.storage.golden import FIXTURES, LEFT_OPEN, put

VERSIONS = sorted(int(re.sub(r"\D", "", path.stem)) for path in FIXTURES.glob("store_v*.sql"))
SILENT = STILL.model_copy(update={"keys": Keys(support=KeySupport.NONE)})
"""A venue that knows none of these orders, and whose not knowing proves nothing."""


@contextmanager
def later_version(scene: Scene) -> Iterator[None]:
    """In which the event that begins every order has a newer topic, and each that it takes over is marked."""
    old, mapper = OrderRequested.topic, scene.mapper
    OrderRequested.topic = "liveorder.Requested@2"
    try:
        scene.mapper = DomainEventMapper(
            domain_events(), upcasts={old: (OrderRequested.topic, lambda event: event | {"tags": ["upcast"]})}
        )
        yield
    finally:
        OrderRequested.topic, scene.mapper = old, mapper


@pytest.fixture(params=VERSIONS)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """A store of that version, which died with open orders."""
    async with a_scene(tmp_path, SILENT) as made:
        put(request.param, made.path)
        await made.clock.sleep(3.0)  # of its lease
        await migrate(SQLiteDatabase(made.path, made.clock, Placement.INLINE), "upgrade")
        yield made


def test_there_is_a_store_of_every_version() -> None:
    """Of a new one: `python -m tests.storage.golden`."""
    assert set(range(1, SCHEMA_VERSION + 1)) == {*VERSIONS}


async def statuses(scene: Scene) -> dict[str, str]:
    async with scene.living() as engine:
        assert [halt.scope for halt in engine.halts.standing()] == [account_scope("ANOTHER")]
        return {order.intent.signal_id: order.status.value for order in engine.orders.unfinished()}


async def test_the_open_orders_of_every_version_are_taken_over_and_none_is_sent_again(scene: Scene) -> None:
    assert await statuses(scene) == LEFT_OPEN
    assert (await scene.reading(lambda store: store.check())).problems == ()
    async with scene.living() as engine:
        for name in LEFT_OPEN:
            again = await engine.execute.execute(a_limit(name, time_in_force="GTC"))
            assert again.status.value == LEFT_OPEN[name]
        assert (await engine.execute.execute(a_signal("filled"))).status is OrderStatus.FILLED
        assert {doubt.order.intent.signal_id for doubt in engine.doubts.standing()} == {"in doubt", "cancel"}
    assert scene.witness.calls == []


async def test_after_a_later_version_the_old_one_refuses_and_nothing_is_sent_or_lost_until_that_is_back(scene: Scene) -> None:
    with later_version(scene):
        assert await statuses(scene) == LEFT_OPEN
        async with scene.living() as engine:
            assert {order.terms.tags for order in engine.orders.unfinished()} == {("upcast",)}
            assert (await engine.execute.execute(a_signal("new", side="SELL", quantity=Decimal(1000)))).reason == "RISK"
    engine = scene.engine()
    with pytest.raises(StoreRefused, match=r"written by a newer version of liveorder \(it holds liveorder\.Requested@2 events"):
        await engine.start()
    await engine.stop()
    with later_version(scene):
        assert await statuses(scene) == LEFT_OPEN
    assert scene.witness.calls == []
