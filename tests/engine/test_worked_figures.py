"""The worked figures of docs/positions.md, as an engine comes to them: those that take neither equity nor a doubt."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.engine.scenes import SPY, a_scene, a_signal, until
from tests.engine.test_making_way import code_of
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit
from tests.unit.test_position_effect import ROWS

D = Decimal
LIMITS = SHORTS.model_copy(update={"position_size": D(1000)})
HERE = [row for row in ROWS if "in_doubt" not in row[1] and not {"percent 5", "risk_percent 1"} & {*row[2].split(", ")}]
HERE = [row for row in HERE if "target_percent" not in row[2]]


@pytest.mark.parametrize(("held", "orders", "said", "expected"), HERE, ids=[f"{row[0]} {row[1]}: {row[2]}" for row in HERE])
async def test_an_engine_comes_to_the_figures_of_the_documentation(
    tmp_path: Path, held: str, orders: str, said: str, expected: str
) -> None:
    fields: dict[str, Any] = {"side": None, "quantity": None}
    for word in said.split(", "):
        name, _, value = word.partition(" ")
        fields |= {"side": word} if word in ("BUY", "SELL") else {"position_effect": word} if not value else {name: value}
    async with a_scene(tmp_path, BY_HAND, limits=LIMITS) as scene, scene.living() as engine:
        await scene.control.post_price(SPY, D(100))
        if units := D(held):
            entry = await engine.execute.execute(a_signal("in", side="BUY" if units > 0 else "SELL", quantity=abs(units)))
            await scene.control.fill(entry.broker_order_id or "", abs(units), D(100))
            await until(lambda: engine.is_quiet)
        if orders:
            side, quantity, *rests = orders.split()
            price = {"order_type": "STOP", "stop_price": "90", "role": "STOP_LOSS"} if rests else {}
            effect = {"role": "ENTRY"} if side == "BUY" else {}
            await engine.execute.execute(an_exit("before", side=side, quantity=quantity, **effect, **price))
        order = await engine.execute.execute(a_signal("it", **fields))
        await asyncio.sleep(3)
        order = await engine.orders.get(order.order_id)
        cancelled = await scene.count("Cancelled")
    assert ("cancelled" in expected) is (cancelled > 0)
    if "waits for" in expected or "_" in expected:
        assert await code_of(scene, order) == expected.rpartition(" ")[2]
        return
    came = f"{order.terms.side} {order.quantity:f} {order.terms.position_effect or ''}".strip()
    assert came == expected.partition(",")[0]
