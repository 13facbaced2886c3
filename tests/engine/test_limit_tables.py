"""Limits by strategy and by symbol: each is measured by what its strategy or symbol has, and the refusal names its table."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import DecisionRefused
from liveorder.domain.limit_tables import LimitTable, NarrowLimits
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Refused
from tests.engine.scenes import LAX, SPY, Scene, a_limit, a_scene, a_signal, until


def of_trend(**limits: Any) -> dict[str, Any]:
    return {"tables": (LimitTable.of(NarrowLimits(**limits), LAX, strategy_name="trend"),)}


def of_spy(**limits: Any) -> dict[str, Any]:
    return {"tables": (LimitTable.of(NarrowLimits(**limits), LAX, symbol="SPY"),)}


async def settled(engine: Engine, signal_id: str, **fields: Any) -> LiveOrder:
    """A market order of `trend`, unless told otherwise, once it is filled."""
    order = await engine.execute.execute(a_signal(signal_id, **{"strategy_name": "trend", **fields}))
    await until(lambda: engine.is_quiet)
    return await engine.orders.get(order.order_id)


async def refused_by(scene: Scene, order: LiveOrder) -> str | None:
    return next((event.code for event in await scene.events(order) if isinstance(event, Refused)), None)


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_strategys_trades_are_its_own_over_a_restart_too(tmp_path: Path, restarts: bool) -> None:
    async with a_scene(tmp_path, account_terms=of_trend(max_daily_trades=2)) as scene:
        async with scene.living() as engine:
            await settled(engine, "other", strategy_name="swing")
            await settled(engine, "one")
            await settled(engine, "two", symbol="AAPL")
            if not restarts:
                await _third_is_refused(scene, engine)
        if restarts:
            async with scene.living() as engine:
                await _third_is_refused(scene, engine)


async def _third_is_refused(scene: Scene, engine: Engine) -> None:
    third = await settled(engine, "three")
    assert await refused_by(scene, third) == "daily_trade_count"
    assert (third.error_message or "").endswith("would be 3, the limit is 2 (max_daily_trades of [[accounts.strategies]] trend)")
    assert (await settled(engine, "free", strategy_name="swing")).is_sent
    assert (await settled(engine, "out", side="SELL", quantity=1)).is_sent


async def test_a_symbols_trades_are_all_strategies(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms=of_spy(max_daily_trades=2)) as scene, scene.living() as engine:
        for strategy_name in ("trend", "swing"):
            await settled(engine, strategy_name, strategy_name=strategy_name)
        third = await settled(engine, "third", strategy_name="third")
        assert "max_daily_trades of [[accounts.symbols]] SPY" in (third.error_message or "")
        assert (await settled(engine, "other", symbol="AAPL")).is_sent


async def test_of_two_at_once_one_passes_a_limit_of_its_strategy(tmp_path: Path) -> None:
    limits = of_trend(max_open_orders=2)
    async with a_scene(tmp_path, account_terms=limits) as scene, scene.living() as engine:
        await engine.execute.execute(a_limit("one", strategy_name="trend"))
        await engine.execute.execute(a_limit("other", strategy_name="swing"))
        both = [a_limit(each, strategy_name="trend", symbol="AAPL", price=100) for each in ("two", "three")]
        orders = await asyncio.gather(*map(engine.execute.execute, both))
        assert sorted([str(await refused_by(scene, order)) for order in orders]) == ["None", "open_order_count"]


@pytest.mark.parametrize("terms", [of_trend(max_position_size=7500), of_spy(max_position_size=7500)])
async def test_the_value_of_positions_is_that_of_the_strategy_or_the_symbol(tmp_path: Path, terms: dict[str, Any]) -> None:
    """SPY stands at 500, AAPL at 200."""
    async with a_scene(tmp_path, account_terms=terms) as scene, scene.living() as engine:
        (table,) = terms["tables"]
        beside = {"strategy_name": "swing"} if table.symbol is None else {"symbol": "AAPL"}
        await settled(engine, "beside", quantity=30, **beside)
        await settled(engine, "held", quantity=10)
        await engine.execute.execute(a_limit("open", quantity=5, price=400, strategy_name="trend"))
        more = await engine.execute.execute(a_signal("more", quantity=2, strategy_name="trend"))
        assert await refused_by(scene, more) == "position_value"
        assert "would be 8000, the limit is 7500 (max_position_size of " in (more.error_message or "")
        assert (await engine.execute.execute(a_signal("less", quantity=1, strategy_name="trend"))).is_sent


async def test_positions_of_a_strategy_are_counted_apart(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms=of_trend(max_positions=1)) as scene, scene.living() as engine:
        for symbol in ("AAPL", "MSFT"):
            await settled(engine, symbol, symbol=symbol, strategy_name="swing")
        assert (await settled(engine, "first")).is_sent
        assert (await settled(engine, "again")).is_sent
        assert await refused_by(scene, await settled(engine, "second", symbol="AAPL")) == "position_count"


@pytest.mark.parametrize("terms", [of_trend(max_daily_loss=100), of_spy(max_daily_loss=100)])
async def test_a_loss_of_the_day_stops_its_strategy_or_its_symbol(tmp_path: Path, terms: dict[str, Any]) -> None:
    async with a_scene(tmp_path, account_terms=terms) as scene, scene.living() as engine:
        (table,) = terms["tables"]
        await settled(engine, "in")
        await scene.control.post_price(SPY, Decimal(490))
        await settled(engine, "out", side="SELL")
        again = await settled(engine, "again")
        assert await refused_by(scene, again) == "daily_loss"
        assert (again.error_message or "").endswith(f"the limit is 100 (max_daily_loss of {table.title})")
        other = {"strategy_name": "swing"} if table.symbol is None else {"symbol": "AAPL"}
        assert (await settled(engine, "other", **other)).is_sent


@pytest.mark.parametrize(("name", "terms"), [("trend", of_trend(max_order_quantity=10)), ("SPY", of_spy(max_order_quantity=10))])
async def test_new_terms_meet_the_tables_too(tmp_path: Path, name: str, terms: dict[str, Any]) -> None:
    async with a_scene(tmp_path, account_terms=terms) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit("one", strategy_name="trend"))
        with pytest.raises(DecisionRefused, match=rf"^order_quantity: .* \(max_order_quantity of \[\[accounts\.\w+\]\] {name}\)$"):
            await engine.replace.replace(order.order_id, quantity=Decimal(11))


async def test_the_smaller_of_two_sizes_is_bought(tmp_path: Path) -> None:
    both = {"tables": (*of_trend(position_size=2500)["tables"], *of_spy(position_size=1500)["tables"])}
    async with a_scene(tmp_path, account_terms=both) as scene, scene.living() as engine:
        bought = [
            (await settled(engine, "both", quantity=None)).quantity,
            (await settled(engine, "strategy", quantity=None, symbol="AAPL")).quantity,
            (await settled(engine, "symbol", quantity=None, strategy_name="swing")).quantity,
            (await settled(engine, "neither", quantity=None, symbol="AAPL", strategy_name="swing")).quantity,
        ]
        assert bought == [3, 12, 3, 5]
        assert scene.witness.of("submit")


@pytest.mark.parametrize(
    ("symbol", "key", "is_covered"),
    [
        ("SPY", "ARCA:SPY", True),
        ("SPY", "OPRA:SPY:2025-04-17:500:CALL", True),
        ("SPY", "ARCA:SPYG", False),
        ("SPY", "SPY:QQQ", False),
        ("BTC/USD", "CRYPTO:BTC/USD", True),
    ],
)
def test_all_contracts_of_a_symbol_count(symbol: str, key: str, is_covered: bool) -> None:
    table = LimitTable.of(NarrowLimits(max_positions=1), LAX, symbol=symbol)
    assert table.covers("trend", key) is is_covered
    assert table.covers("", key) is is_covered


@pytest.mark.parametrize(
    "terms", [of_trend(allow_short_selling=False), of_spy(allow_short_selling=False)], ids=["strategy", "symbol"]
)
async def test_where_a_table_forbids_shorts_a_sale_for_money_is_of_what_is_held(tmp_path: Path, terms: dict[str, Any]) -> None:
    """As where the account does; what another strategy is short of cuts no exit of its own."""
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits, account_terms=terms) as scene, scene.living() as engine:
        await settled(engine, "in", quantity=10)
        sale = await settled(engine, "part", side="SELL", quantity=None, notional=8000)
        assert (sale.status, sale.quantity) == ("FILLED", Decimal(10))


async def test_where_a_strategys_table_forbids_shorts_another_that_is_short_cuts_no_exit(tmp_path: Path) -> None:
    limits, terms = LAX.model_copy(update={"allow_short_selling": True}), of_trend(allow_short_selling=False)
    async with a_scene(tmp_path, limits=limits, account_terms=terms) as scene, scene.living() as engine:
        await settled(engine, "short", strategy_name="other", side="SELL", quantity=6)
        await settled(engine, "in", quantity=10)
        out = await settled(engine, "out", side="SELL", role="EXIT", quantity=None)
        assert (out.status, out.quantity) == ("FILLED", Decimal(10))


@pytest.mark.parametrize(
    "sale", [{"quantity": 25}, {"quantity": 5, "position_effect": "OPEN"}, {"quantity": None, "notional": 9000}]
)
async def test_where_a_table_forbids_shorts_no_sale_turns_the_position_round(tmp_path: Path, sale: dict[str, Any]) -> None:
    """Not by a first leg that closes either."""
    limits, terms = LAX.model_copy(update={"allow_short_selling": True}), of_trend(allow_short_selling=False)
    async with a_scene(tmp_path, limits=limits, account_terms=terms) as scene, scene.living() as engine:
        await settled(engine, "in", quantity=10)
        order = await settled(engine, "sale", side="SELL", **sale)
        if "notional" in sale:
            assert (order.quantity, await refused_by(scene, order)) == (Decimal(10), None)
        else:
            assert await refused_by(scene, order) == ("reversal" if "position_effect" in sale else "short_selling")
        await asyncio.sleep(5)
        assert {each.intent.signal_id for each in engine.orders.unfinished()} <= {"sale"}
