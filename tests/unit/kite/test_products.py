"""Closing at Kite, which keeps a position for each product: through the real bootstrap to the twin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from liveorder import Runner
from liveorder.application.reporting.views import OrderView
from liveorder.application.trading.close_positions import ClosedPositions
from tests.twins.kite import KiteTwin
from tests.unit.kite.test_whole_path import PATIENCE_SECONDS, buy, runner_at, twin

OUT: dict[str, Callable[[Runner], Awaitable[OrderView]]] = {
    "Runner.close": lambda runner: runner.close("RELIANCE", exchange="NSE"),
    "Runner.target": lambda runner: runner.target("RELIANCE", quantity=0, exchange="NSE"),
    "an exit": lambda runner: runner.execute(buy("out", side="SELL", role="EXIT", quantity=None)),
    "no size": lambda runner: runner.execute(buy("out", side="SELL", quantity=None)),
}


async def bought(runner: Runner, **parts: int) -> None:
    for product, quantity in parts.items():
        order = await runner.execute(buy(product, quantity=quantity, product=product))
        await runner.wait_closed(order.order_id, PATIENCE_SECONDS)


def sent(running: KiteTwin) -> list[tuple[str, str, str]]:
    return [(form["product"], form["transaction_type"], form["quantity"]) for form in running.placed]


async def at_kite(runner: Runner) -> dict[str, int]:
    (gateway,) = runner._engine.gateways.values()
    return {held.product.value: int(held.quantity) for held in await gateway.broker.positions() if held.product is not None}


@pytest.mark.parametrize("out", OUT.values(), ids=OUT)
async def test_what_was_bought_for_the_day_is_sold_for_the_day(
    tmp_path: Path, out: Callable[[Runner], Awaitable[OrderView]]
) -> None:
    """Under the account's `default_product` (CNC) the sale would open a position of its own."""
    async with twin() as running, runner_at(running, tmp_path, reconcile_seconds=60) as runner:
        await bought(runner, MIS=10)
        await runner.wait_closed((await out(runner)).order_id, PATIENCE_SECONDS)
        assert sent(running)[1:] == [("MIS", "SELL", "10")]
        assert await at_kite(runner) == {}
        assert [report.is_clean for report in await runner.reconcile()] == [True]


async def test_close_sells_each_product_by_an_order_of_its_own(tmp_path: Path) -> None:
    async with twin() as running, runner_at(running, tmp_path, reconcile_seconds=60) as runner:
        await bought(runner, MIS=10, CNC=4)
        closed: ClosedPositions = await runner._engine.close_positions.close("c1", "ann", "RELIANCE")
        for order in closed.orders:
            await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
        assert sorted(sent(running)[2:]) == [("CNC", "SELL", "4"), ("MIS", "SELL", "10")]
        assert await at_kite(runner) == {}
