"""A kill that closes: each strategy has its share of the closing order, and what they hold against each other is crossed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.emergency.kill import StopReport
from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.risk.book import SessionDay
from liveorder.domain.errors import DecisionRefused, InsufficientBalanceError
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import OrderRole, Product, Side
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, STILL, Scene, a_scene, a_signal, until
from tests.field_cases.evidence import held_at_venue
from tests.field_cases.trading import AAPL, Books, Held, Trader, trading
from tests.harness.crash_points import Crashed, CrashPoint
from tests.harness.virtual_time import run_virtually
from tests.two_books import two_books

D = Decimal
SHORTS = LAX.model_copy(update={"allow_short_selling": True})
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def enters(trader: Trader, strategy: str, units: int, symbol: str = "AAPL") -> None:
    side = "BUY" if units > 0 else "SELL"
    name = f"{strategy} in {symbol}"
    await trader.enters(abs(units), signal_id=name, symbol=symbol, side=side, quantity=abs(units), strategy_name=strategy)


async def flattened(trader: Trader) -> StopReport:
    return await trader.runner.kill("enough", flatten=True)


async def earned(trader: Trader) -> Decimal:
    rows = await trader.runner.positions()
    return sum((row.realized_pnl for row in rows), D(0))


async def agree(trader: Trader) -> None:
    assert await two_books(trader.service) == []
    assert (await trader.service._projector.verify()).is_equal


async def test_one_order_closes_what_two_strategies_hold_and_each_has_its_result(tmp_path: Path) -> None:
    """Its rows stayed LONG, `flatten` was SHORT, and nothing was realised."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await scene.control.post_price(AAPL, D(220))
        await enters(trader, "B", 5)
        await scene.control.post_price(AAPL, D(230))
        report = await flattened(trader)
        assert (report.is_flat, report.not_closed, report.remaining) == (True, (), ())
        books = await trader.books(AAPL)
        assert books == Books(D(0), Held(realized=D(350)), {"A": Held(realized=D(300)), "B": Held(realized=D(50))})
        assert len(scene.witness.of("submit")) == 3
        await agree(trader)


async def test_what_strategies_hold_against_each_other_is_crossed_at_the_average_of_the_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await scene.control.post_price(AAPL, D(240))
        await enters(trader, "B", -4)
        await scene.control.post_price(AAPL, D(230))
        assert (await flattened(trader)).is_flat
        books = await trader.books(AAPL)
        assert (books.venue, books.report) == (D(0), {"A": Held(realized=D(300)), "B": Held(realized=D(40))})
        assert books.risk == Held(realized=D(340))
        assert await scene.count("PositionTransferred") == 1
        (day,) = [SessionDay.from_json(row.state) for row in await trader.engine.store.ledger() if row.key.startswith("day:")]
        assert (day.trades, day.realized_net) == (3, {"USD": D(340)})
        await agree(trader)


@pytest.mark.parametrize("has_price", [True, False])
async def test_where_the_broker_holds_nothing_it_is_crossed_at_the_last_quote(tmp_path: Path, has_price: bool) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await scene.control.post_price(AAPL, D(240))
        await enters(trader, "B", -10)
        await scene.control.post_price(AAPL, D(230))
        if not has_price:
            trader.engine.gateways[ACCOUNT].market_data = Silent()
        report = await flattened(trader)
        assert (report.is_flat, report.not_closed) == (True, ())
        books = await trader.books(AAPL)
        assert {name: held.quantity for name, held in books.report.items()} == {"A": 0, "B": 0}
        assert await earned(trader) == 400
        assert not has_price or books.report == {"A": Held(realized=D(300)), "B": Held(realized=D(100))}
        assert len(scene.witness.of("submit")) == 2
        await agree(trader)


class Silent:
    async def latest(self, instrument: object) -> None:
        return None


async def test_each_fill_is_divided_and_a_bust_leaves_each_with_its_part(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, trading(scene, reconcile_seconds=1e6) as trader:
        for strategy, units in (("A", 7), ("B", 3)):
            order = await trader.engine.execute.execute(
                a_signal(strategy, symbol="AAPL", quantity=D(units), strategy_name=strategy)
            )
            await scene.control.fill(order.broker_order_id or "", D(units), D(200))
        await until(lambda: trader.engine.is_quiet)
        killing = asyncio.create_task(flattened(trader))
        await asyncio.sleep(2)
        (resting,) = trader.engine.orders.unfinished()
        with pytest.raises(DecisionRefused, match="could still take 7 of its 7"):
            await trader.engine.transfer.transfer(ACCOUNT, AAPL, "A", "B", D(1), "too late", "person:ann")
        fills = [await scene.control.fill(resting.broker_order_id or "", D(units), D(210)) for units in (5, 1, 4)]
        assert (await killing).is_flat
        books = await trader.books(AAPL)
        assert books.report == {"A": Held(realized=D(70)), "B": Held(realized=D(30))}
        await agree(trader)
        await scene.control.bust(fills[0])
        await until(lambda: trader.engine.risk.positions(ACCOUNT)[AAPL].quantity == 5)
        books = await trader.books(AAPL)
        assert {name: held.quantity for name, held in books.report.items()} == {"A": 3, "B": 2}
        await agree(trader)


@pytest.mark.parametrize("shorts", [True, False])
async def test_what_a_closing_order_can_still_take_is_what_its_fills_leave_each(tmp_path: Path, shorts: bool) -> None:
    """Of 2 and 1 held the first unit goes to A: then each has 1 to get, and B has none to give or to close by another order."""
    limits = LAX.model_copy(update={"allow_short_selling": shorts})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, trading(scene) as trader:
        for strategy, units in (("A", 2), ("B", 1)):
            order = await trader.engine.execute.execute(
                a_signal(strategy, symbol="AAPL", quantity=D(units), strategy_name=strategy)
            )
            await scene.control.fill(order.broker_order_id or "", D(units), D(200))
        await until(lambda: trader.engine.is_quiet)
        assert not (await flattened(trader)).is_flat
        (closing,) = trader.engine.orders.unfinished()
        await scene.control.fill(closing.broker_order_id or "", D(1), D(210))
        await until(lambda: closing_order(trader).filled_quantity == 1)
        for strategy in "AB":
            with pytest.raises(DecisionRefused, match="could still take 1 of its 1"):
                await trader.engine.transfer.transfer(ACCOUNT, AAPL, strategy, "C", D(1), "too late", "person:ann")
        await trader.runner.resume()
        out = a_signal("out", symbol="AAPL", side="SELL", role="EXIT", quantity=None, strategy_name="B")
        assert (await trader.engine.execute.execute(out)).status == "REJECTED"
        await scene.control.fill(closing.broker_order_id or "", D(2), D(210))
        await until(lambda: trader.engine.is_quiet)
        assert (await trader.books(AAPL)).report == {"A": Held(realized=D(20)), "B": Held(realized=D(10))}
        await agree(trader)


def closing_order(trader: Trader) -> LiveOrder:
    (closing,) = trader.engine.orders.unfinished()
    return closing


async def test_an_order_is_cancelled_with_evidence_before_its_instrument_is_closed_and_not_sooner(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        for symbol in ("AAPL", "MSFT"):
            await enters(trader, "A", 10, symbol)
            guard = {"order_type": "STOP", "stop_price": D(10), "role": OrderRole.STOP_LOSS, "side": "SELL", "strategy_name": "A"}
            await trader.engine.execute.execute(a_signal(f"guard {symbol}", symbol=symbol, quantity=D(10), **guard))
        before = len(scene.witness.calls)
        report = await flattened(trader)
        assert report.is_flat
        assert [call.verb for call in scene.witness.calls[before:]] == ["cancel", "submit", "cancel", "submit"]
        assert len(report.cancelled) == 2


async def test_a_second_kill_after_new_fills_closes_them_by_another_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        assert (await flattened(trader)).is_flat
        await trader.runner.resume()
        await trader.enters(4, signal_id="again", symbol="AAPL", side="BUY", quantity=4, strategy_name="A")
        assert (await flattened(trader)).is_flat
        assert (await flattened(trader)).is_flat
        names = [order.signal_id for order in await trader.runner.orders(strategy_name="flatten")]
        assert names == [f"flatten-2025-03-10-{AAPL}-1", f"flatten-2025-03-10-{AAPL}-2"]


async def test_a_closing_order_that_was_refused_leaves_all_as_it_was_and_the_next_kill_closes_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await enters(trader, "B", -4)
        scene.witness.will_raise("submit", InsufficientBalanceError("no margin"))
        report = await flattened(trader)
        assert not report.is_flat
        refused, kept = report.not_closed
        assert "no margin" in refused
        assert "against each other is kept" in kept
        assert {name: held.quantity for name, held in (await trader.books(AAPL)).report.items()} == {"A": 10, "B": -4}
        assert (await flattened(trader)).is_flat
        assert {name: held.quantity for name, held in (await trader.books(AAPL)).report.items()} == {"A": 0, "B": 0}


async def test_a_closing_order_whose_reports_are_lost_is_waited_for_before_the_rest_is_crossed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await enters(trader, "B", -4)
        for on in (Point.REPORT, Point.FILL_REPORT):
            await scene.lay(FaultKind.REPORT_LOST, on, None)
        report = await flattened(trader)
        assert (report.is_flat, report.not_closed) == (True, ())
        assert {name: held.quantity for name, held in (await trader.books(AAPL)).report.items()} == {"A": 0, "B": 0}


async def test_a_refusal_is_of_the_position_also_where_the_account_has_a_usual_product(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"default_product": Product.NRML}) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        venue = scene.witness._broker

        async def of_no_product() -> Sequence[BrokerPosition]:
            return [replace(held, product=None) for held in await venue.positions()]

        scene.witness.answers["positions"] = of_no_product
        scene.witness.will_raise("submit", InsufficientBalanceError("no margin"))
        (refused,) = (await flattened(trader)).not_closed
        assert refused.startswith(f"{ACCOUNT}: position {AAPL}: ")


async def test_flat_is_not_said_while_a_strategy_holds_what_the_broker_lacks(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await scene.control.place(ACCOUNT, AAPL, Side.SELL, D(10))
        report = await flattened(trader)
        assert not report.is_flat
        assert report.remaining == (f"{ACCOUNT}: A holds 10 {AAPL} here, and the broker nothing; `liveorder reconcile` shows why",)


async def test_what_is_less_than_can_be_ordered_is_left_and_said(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader, "A", 10)
        await trader.engine.adopt.adopt_position(ACCOUNT, "AAPL", None, D("0.4"), D(200), "a dividend", "person:ann", None, "A")
        held = await trader.engine.gateways[ACCOUNT].broker.positions()

        async def a_little_more() -> list[Any]:
            sold = held_at_venue(scene, AAPL) == 0
            return [replace(each, quantity=D("0.4") if sold else D("10.4")) for each in held]

        scene.witness.answers["positions"] = a_little_more
        report = await flattened(trader)
        assert report.not_closed == (f"{ACCOUNT}: position {AAPL}: 0.4 kept; 1 is the smallest size that can be ordered",)
        assert report.remaining == (f"{ACCOUNT}: position {AAPL} 0.4",)
        again = await flattened(trader)
        assert again.not_closed == report.not_closed
        assert len(scene.witness.of("submit")) == 2


# --- crashes ---------------------------------------------------------------------------------------------------------------------


async def enters_all(trader: Trader) -> None:
    await enters(trader, "A", 10)
    await trader.scene.control.post_price(AAPL, D(240))
    await enters(trader, "B", -4)
    await enters(trader, "C", 3)
    await enters(trader, "A", 6, "MSFT")
    guard = {"order_type": "STOP", "stop_price": D(10), "role": OrderRole.STOP_LOSS, "side": "SELL", "strategy_name": "A"}
    await trader.engine.execute.execute(a_signal("guard", symbol="AAPL", quantity=D(10), **guard))
    await trader.scene.control.post_price(AAPL, D(230))


@asynccontextmanager
async def crashing(scene: Scene, crash_point: CrashPoint) -> AsyncIterator[Engine]:
    """A life that ends at the boundary, or is ended where it passes none."""
    engine = scene.engine()
    await engine.start(wait_for_lease=True)
    ports: list[tuple[Any, str]] = [(engine.store, "append"), (scene.witness, "submit"), (scene.witness, "cancel")]
    for port, verb in ports:
        setattr(port, verb, crash_point.around(verb, getattr(port, verb)))
    try:
        yield engine
    finally:
        await scene.dies(engine)


async def killed_at(tmp_path: Path, at: int | None) -> CrashPoint:
    crash_point = CrashPoint(at)
    async with a_scene(tmp_path, limits=SHORTS) as scene:
        async with trading(scene) as trader:
            await enters_all(trader)
        async with crashing(scene, crash_point) as engine:
            with suppress(Crashed):
                assert (await engine.kill_all.kill("enough", "person:ann", flatten=True)).is_flat
        async with trading(scene) as trader:
            await until(lambda: not any(order.is_in_doubt for order in trader.engine.orders.unfinished()))
            report = await flattened(trader)
            assert (report.is_flat, report.not_closed, report.remaining) == (True, (), ())
            rows = await trader.runner.positions()
            assert {row.status.value for row in rows} == {"CLOSED"}
            assert await earned(trader) == 300 + 40 - 30
            await agree(trader)
        sold = [order for order in await orders_of(scene) if order.strategy_name == "flatten"]
        assert sorted(order.filled_quantity for order in sold if order.filled_quantity) == [6, 9]
        assert all(len(scene.venue_orders(order)) <= 1 for order in sold)
    return crash_point


async def orders_of(scene: Scene) -> list[Any]:
    async with trading(scene) as trader:
        return [*await trader.runner.orders()]


def test_a_kill_that_dies_anywhere_is_finished_by_the_next_and_nothing_is_closed_twice(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    passed = run_virtually(killed_at(tmp_path / "whole", None))
    assert passed.passed > 15
    for at in range(passed.passed):
        (tmp_path / str(at)).mkdir()
        assert run_virtually(killed_at(tmp_path / str(at), at)).is_reached
