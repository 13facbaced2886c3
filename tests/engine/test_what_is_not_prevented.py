"""What goes through although it costs money: `docs/what-it-does-not-protect-against.md` says so."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import LAX, SPY, STILL, a_scene, a_signal, until


async def test_an_open_loss_stops_no_order_though_a_daily_loss_is_limited(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_daily_loss": Decimal(100)})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in", quantity=10))
        await until(lambda: not engine.orders.unfinished())
        await scene.control.post_price(SPY, Decimal(400))  # 1,000 are lost, and open
        assert (await engine.execute.execute(a_signal("more", quantity=10))).is_sent


async def test_a_market_order_trades_at_whatever_price_there_is_by_then(tmp_path: Path) -> None:
    venue = STILL.model_copy(update={"fills": Fills(delay_seconds=5)})
    async with a_scene(tmp_path, venue=venue) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(quantity=10))
        assert order.is_sent
        await scene.control.post_price(SPY, Decimal(900))  # it stood at 500 when it was judged
        await until(lambda: not engine.orders.unfinished())
        assert (await engine.orders.get(order.order_id)).average_price == 900
