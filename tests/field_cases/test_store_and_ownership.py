"""Nothing leaves that is not stored, and a store that cannot be trusted is not used."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.domain.errors import StoreRefused, StoreUnavailable
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.trading_halt import EVERYTHING
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import STILL, Scene, a_limit, a_scene, a_signal, until
from tests.field_cases.evidence import Repeated, all_at_venue, at_venue, sent_keys, stored

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def test_an_order_is_stored_before_it_is_sent_and_not_lost_when_its_answer_cannot_be(tmp_path: Path) -> None:
    """Case 9 (freqtrade#7184): the order was placed, then "database is locked", and the bot knew nothing of its order."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.lock_store()
        with pytest.raises(StoreUnavailable, match="locked"):
            await engine.execute.execute(a_signal("never stored"))
        assert all_at_venue(scene) == []
        scene.unlock_store()

        async def locks(verb: str) -> None:
            scene.lock_store()

        scene.witness.at_call = locks
        with pytest.raises(StoreUnavailable, match="locked"):
            await engine.execute.execute(a_signal("stored first"))
        scene.witness.at_call = None
        (call,) = scene.witness.of("submit")
        assert call.stored == ("Requested", "Approved", "SubmissionStarted")
        await asyncio.sleep(30)
        scene.unlock_store()
        (order,) = engine.orders.unfinished()
        await until(lambda: engine.is_quiet)
        known = await stored(scene, order)
        assert (known.status, known.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
        assert [each["state"] for each in all_at_venue(scene)] == ["FILLED"]


async def test_while_nothing_can_be_stored_nothing_is_sent_and_nothing_is_forgotten(tmp_path: Path) -> None:
    """Case 10 (freqtrade#7882): the database went away, and the bot traded on, though it "may forget orders"."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        standing = await engine.execute.execute(a_limit("standing", time_in_force="GTC"))
        scene.lock_store()
        names = [f"waiting-{number}" for number in range(5)]
        reading = asyncio.create_task(engine.intake.read(Repeated(tuple(a_limit(name, time_in_force="GTC") for name in names))))
        await scene.control.fill(standing.broker_order_id or "", Decimal(10), Decimal(400))
        await asyncio.sleep(60)
        assert len(all_at_venue(scene)) == 1
        scene.unlock_store()
        await reading
        await asyncio.sleep(5)
        assert sorted(each["state"] for each in all_at_venue(scene)) == ["FILLED", *["WORKING"] * 5]
        assert len(sent_keys(scene)) == len(set(sent_keys(scene))) == 6
        assert sorted(order.intent.signal_id for order in engine.orders.unfinished()) == names
        assert (await stored(scene, standing)).status is OrderStatus.FILLED


def spoil(path: Path) -> None:
    """As a bad disk does: what the file says of itself stays, and pages of it are noise."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


def restore(copy: Path, path: Path) -> None:
    copy.rename(path)
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()


async def start_is_refused(scene: Scene) -> str:
    engine = scene.engine()
    with pytest.raises(StoreRefused) as refused:
        await engine.start(wait_for_lease=True)
    await engine.stop()
    return str(refused.value)


async def test_a_damaged_store_is_refused_by_name_at_start_and_its_backup_takes_its_place(tmp_path: Path) -> None:
    """Case 35 (openalgo#1119): "database disk image is malformed", at some later moment, and there was no copy."""
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
            await engine.store.backup(str(tmp_path / "copy.db"))
        with closing(sqlite3.connect(scene.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        spoil(scene.path)
        why = await start_is_refused(scene)
        assert re.search(r"orders\.db is damaged \(.*malformed.*\); run `liveorder doctor`, and restore a backup", why)
        restore(tmp_path / "copy.db", scene.path)
        async with scene.living() as engine:
            (again,) = engine.orders.unfinished()
            assert (again.order_id, again.status) == (order.order_id, OrderStatus.SUBMITTED)
            assert engine.halts.standing()[0].scope == EVERYTHING
            await engine.cancel.cancel(order.order_id)
            await until(lambda: engine.is_quiet)
        assert at_venue(scene, order) == [("CANCELLED", Decimal(0))]
        assert len(sent_keys(scene)) == 1
