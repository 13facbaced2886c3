"""A broker that keeps its fee out of the coins that are bought, and says so by nothing but what it holds (field case 46)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import Absence, BrokerPosition
from liveorder.application.reporting.projector import Projector
from liveorder.application.risk.book import SessionDay
from liveorder.domain.errors import BrokerConnectionError, BrokerTimeoutError
from liveorder.domain.fees_in_kind import Bought
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Approved
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted
from liveorder.domain.reconciliation import DifferenceKind, ReconciliationReport
from liveorder.domain.values import ZERO, AssetClass, Side
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.readmodels import views_at
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.opening import catalogue_of
from liveorder.testing.venue.settings import Fills, VenueAccount, VenueCommission
from tests.engine.scenes import ACCOUNT, LAX, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.twins.alpaca.server import COINS

D = Decimal
ETH = "CRYPTO:ETH/USD"
RATE = D("0.0025")
SPOT = (VenueAccount(cash=D(100_000_000), allows_short=False),)
TAKES = STILL.model_copy(update={"commission": VenueCommission(in_kind=RATE), "accounts": SPOT})
"""Of four coins 0.01 are kept, each worth 3000."""
TAKES_LATER = STILL.model_copy(update={"accounts": SPOT})
"""Nothing by itself: the test takes it."""
MAY_TAKE = replace(capabilities_of(TAKES_LATER), fees_in_kind={AssetClass.CRYPTO: RATE})


NUMBERS = count(1)


async def trade(engine: Engine, side: str, quantity: str | int, **fields: Any) -> LiveOrder:
    """An order that nobody waits for."""
    name = f"{side}-{next(NUMBERS)}"
    return await engine.execute.execute(a_signal(name, symbol="ETH/USD", side=side, quantity=D(quantity), **fields))


async def traded(engine: Engine, side: str, quantity: str | int, **fields: Any) -> LiveOrder:
    """An order that was filled."""
    order = await trade(engine, side, quantity, **fields)
    await until(lambda: engine.is_quiet)
    order = await engine.orders.get(order.order_id)
    assert order.status is OrderStatus.FILLED, order.error_message
    return order


async def reconciled(engine: Engine) -> ReconciliationReport:
    return await engine.reconcile.reconcile(ACCOUNT)


def held_at_venue(scene: Scene) -> Decimal:
    listed = scene.floors[ACCOUNT].gateway.venue.questions.positions(ACCOUNT)["positions"]
    return sum((D(each["quantity"]) for each in listed), D(0))


def held_here(engine: Engine) -> Decimal:
    position = engine.risk.position(ACCOUNT, ETH)
    return D(0) if position is None else position.quantity


async def settled(scene: Scene, engine: Engine) -> None:
    """By itself, as time goes by."""
    await until(lambda: held_here(engine) == held_at_venue(scene), seconds=300)


async def adjustments(engine: Engine) -> list[PositionAdjusted]:
    events = [item.event async for page in engine.store.log() for item in page]
    return [event for event in events if isinstance(event, PositionAdjusted)]


@asynccontextmanager
async def reports(scene: Scene, engine: Engine) -> AsyncIterator[Any]:
    """The read models, level with the log, made in one go and found equal to those that grew."""
    assert engine.identity is not None
    views = views_at(f"sqlite:///{scene.folder / 'views.db'}", clock=scene.clock, is_inline=True)
    projector = Projector(engine.store, views, scene.clock, _raise)
    projector.follow(engine.identity.store_id)
    await projector.catch_up()
    verification = await projector.verify()
    assert verification.is_equal, verification.differences
    yield views
    await views.close()


def _raise(error: Exception) -> None:
    raise error


async def agree(scene: Scene, engine: Engine) -> None:
    """Risk book = sum of report rows = broker; what was paid and earned is the same in both books."""
    async with reports(scene, engine) as views:
        rows, days = await views.positions(), await views.daily_summary()
    kept = [SessionDay.from_json(row.state) for row in await engine.store.ledger() if row.key.startswith("day:")]
    assert sum(day.realized_net["USD"] for day in kept) == sum(day.realized_pnl_net for day in days)
    signed = sum((row.quantity * (-1 if row.side == "SHORT" else 1) for row in rows), D(0))
    position = engine.risk.position(ACCOUNT, ETH)
    assert position is not None
    assert (position.quantity, signed) == (held_at_venue(scene), held_at_venue(scene))
    assert position.commission == sum((row.commission for row in rows), D(0)) == sum((day.commission for day in days), D(0))
    assert (await reconciled(engine)).differences == ()


async def test_what_is_transferred_takes_the_fee_with_it_that_may_still_be_kept(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await engine.transfer.transfer(ACCOUNT, ETH, "default", "carry", D(3), "ours", "person:ann")
        assert [(lot.strategy_name, lot.left) for lot in due(engine)] == [("default", D("0.0025")), ("carry", D("0.0075"))]
        await settled(scene, engine)
        held = {key.strategy_name: position for key, position in engine.risk.holdings(ACCOUNT, ETH).items()}
        assert [(name, position.quantity) for name, position in held.items()] == [("default", D("0.9975")), ("carry", D("2.9925"))]
        assert [lot.left for lot in due(engine)] == [0, 0]
        await agree(scene, engine)


def due(engine: Engine) -> tuple[Bought, ...]:
    found = engine.risk.fees_due(ACCOUNT, ETH)
    assert found is not None
    return found.bought


# --- buy, sell, buy again ----------------------------------------------------------------------------------------------------


async def test_what_was_bought_is_sold_at_once_whole_and_bought_again_without_a_person(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        assert (held_here(engine), held_at_venue(scene)) == (D(4), D("3.99"))
        sold = await traded(engine, "SELL", 4)
        assert (sold.quantity, held_at_venue(scene)) == (D("3.99"), D(0))
        await settled(scene, engine)
        assert held_here(engine) == 0
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        assert held_here(engine) == D("3.99")
        await agree(scene, engine)


async def test_the_fee_is_settled_soon_by_an_event_with_its_evidence(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES, terms={"reconcile_seconds": 3600.0}) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await until(lambda: held_here(engine) == D("3.99"), seconds=3)
        (event,) = await adjustments(engine)
        assert (event.reason, event.quantity, event.price, event.strategy_name) == (
            AdjustmentReason.FEE_IN_KIND,
            D("-0.01"),
            D(3000),
            "default",
        )
        assert event.evidence == "simulated holds 3.99 of 4, and may keep up to 0.01 as its fee"
        assert timedelta(0) <= scene.clock.now() - event.effective_at < timedelta(seconds=1)
        (item,) = [item async for page in engine.store.log() for item in page if item.event == event]
        assert item.envelope.actor == "engine"
        assert any("fee in kind" in line for line in scene.log.of("RECONCILE"))
        await agree(scene, engine)


async def test_once_it_is_settled_too_what_was_bought_can_be_sold_whole(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        assert (await traded(engine, "SELL", 4)).filled_quantity == D("3.99")
        assert held_here(engine) == held_at_venue(scene) == 0
        assert (await traded(engine, "BUY", 4)).filled_quantity == 4
        await settled(scene, engine)
        await agree(scene, engine)


async def test_a_fee_is_a_cost_and_no_trade(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        position = engine.risk.position(ACCOUNT, ETH)
        assert position is not None
        assert (position.commission, position.average_price) == (D(30), D(3000))
        assert position.realized_gross == 0
        next_one = await trade(engine, "BUY", 1, order_type="LIMIT", limit_price=D(2000), time_in_force="GTC")
        (approved,) = [event for event in await scene.events(next_one) if isinstance(event, Approved)]
        assert (D(approved.figures["realized_net_today"]), approved.figures["trades_today"]) == (D(-30), "2")
        async with reports(scene, engine) as views:
            (row,), (day,), fills = await views.positions(), await views.daily_summary(), await views.fills()
        assert (row.quantity, row.commission, row.realized_pnl, row.realized_pnl_net) == (D("3.99"), D(30), D(0), D(-30))
        assert (row.paid_in_kind, len(row.order_ids)) == (D("0.01"), 1)
        assert (day.orders, day.fills, day.filled_quantity, day.filled_value) == (2, 1, D(4), D(12000))
        assert (day.commission, day.realized_pnl, day.realized_pnl_net) == (D(30), D(0), D(-30))
        assert [fill.quantity for fill in fills] == [D(4)]


async def test_a_daily_loss_counts_the_fee(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_daily_loss": D(25)})
    async with a_scene(tmp_path, TAKES, limits=limits) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        refused = await trade(engine, "BUY", 4)
        assert (refused.status, refused.reject_reason) == (OrderStatus.REJECTED, "RISK"), "30 of 25 are lost"
        assert (await traded(engine, "SELL", 4)).filled_quantity == D("3.99")


async def test_two_buys_a_sale_between_them_and_a_sale_of_the_rest(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await traded(engine, "SELL", 2)
        await traded(engine, "BUY", 8)
        await traded(engine, "SELL", 4)
        assert held_at_venue(scene) == D("5.97")
        last = await traded(engine, "SELL", 6)
        assert (last.quantity, held_at_venue(scene)) == (D("5.97"), D(0))
        await settled(scene, engine)
        assert (held_here(engine), (await reconciled(engine)).differences) == (D(0), ())
        await agree(scene, engine)


async def test_a_sale_of_less_than_the_broker_has_is_sent_as_it_is_and_nobody_is_asked(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        scene.witness.answers["positions"] = _unheard
        assert (await traded(engine, "SELL", "3.99")).quantity == D("3.99")


async def _unheard() -> list[BrokerPosition]:
    raise AssertionError("nobody is to be asked")


async def test_more_than_was_bought_is_not_cut_but_refused(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        refused = await trade(engine, "SELL", "4.0001")
        assert (refused.status, refused.quantity) == (OrderStatus.REJECTED, D("4.0001"))
        assert "3.99 ETH/USD can be sold" in (refused.error_message or "")
        assert held_at_venue(scene) == D("3.99")


async def test_where_short_selling_is_allowed_a_sale_of_what_was_bought_opens_no_short(tmp_path: Path) -> None:
    margin = TAKES.model_copy(update={"accounts": (VenueAccount(cash=D(100_000_000)),)})
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, margin, limits=limits) as scene, scene.living() as engine:
        for waits in (False, True):
            await traded(engine, "BUY", 4)
            if waits:
                await settled(scene, engine)
            assert (await traded(engine, "SELL", 4)).quantity == D("3.99")
            assert held_at_venue(scene) == 0
            await settled(scene, engine)


async def test_a_position_that_fills_in_parts_is_sold_whole_though_an_exit_rests(tmp_path: Path) -> None:
    in_parts = TAKES.model_copy(update={"fills": Fills(max_quantity=D("0.4"), delay_seconds=0.7)})
    async with a_scene(tmp_path, in_parts) as scene, scene.living() as engine:
        buying = await trade(engine, "BUY", 4)
        await asyncio.sleep(3)
        bought = (await engine.orders.get(buying.order_id)).filled_quantity
        assert 0 < bought < 4
        resting = await trade(engine, "SELL", "0.4", order_type="LIMIT", limit_price=D(9000), time_in_force="GTC")
        await until(lambda: len(engine.orders.unfinished()) == 1)
        await settled(scene, engine)
        assert held_here(engine) == D("3.99"), "a resting order is no reason to leave the fee open"
        rest = await trade(engine, "SELL", "3.6")
        assert rest.quantity == D("3.59")
        await until(lambda: len(engine.orders.unfinished()) == 1)
        await engine.cancel.cancel(resting.order_id)
        await until(lambda: engine.is_quiet)
        assert (await traded(engine, "SELL", "0.4")).filled_quantity == D("0.4")
        assert (held_at_venue(scene), held_here(engine)) == (D(0), D(0))
        await agree(scene, engine)


async def test_strategies_bear_the_fee_of_what_they_bought(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4, strategy_name="trend")
        await traded(engine, "BUY", 8, strategy_name="mean")
        await settled(scene, engine)
        async with reports(scene, engine) as views:
            rows = {row.strategy_name: (row.quantity, row.commission) for row in await views.positions()}
        assert rows == {"trend": (D("3.99"), D(30)), "mean": (D("7.98"), D(60))}
        await agree(scene, engine)


async def test_fees_of_nine_decimals_are_settled_to_the_last(tmp_path: Path) -> None:
    fine = TAKES.model_copy(update={"catalogue_file": COINS})
    instruments = SimulatedInstruments(catalogue_of(fine))
    async with a_scene(tmp_path, fine, instruments=instruments) as scene, scene.living() as engine:
        for quantity in ("2.75634854", "0.123456789", "0.000000007"):
            await traded(engine, "BUY", quantity)
        assert held_at_venue(scene) == D("2.879805336") - D("0.006890872") - D("0.000308642") - D("0.000000001")
        await settled(scene, engine)
        await agree(scene, engine)
        await traded(engine, "SELL", "2.879805336")
        assert (held_at_venue(scene), held_here(engine)) == (D(0), D(0))
        await agree(scene, engine)


async def test_a_sale_pays_its_fee_in_money(tmp_path: Path) -> None:
    both = TAKES.model_copy(update={"commission": VenueCommission(in_kind=RATE, rate=RATE)})
    async with a_scene(tmp_path, both) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        sold = await traded(engine, "SELL", 4)
        assert (sold.commission, sold.other_commissions) == (D("3.99") * 3000 * RATE, {})
        await settled(scene, engine)
        position = engine.risk.position(ACCOUNT, ETH)
        assert position is not None
        assert (position.commission, position.quantity) == (D(30) + sold.commission, D(0))
        await agree(scene, engine)


async def test_a_kill_that_flattens_leaves_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        stopped = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert (stopped.is_flat, stopped.not_closed) == (True, ())
        await settled(scene, engine)
        await agree(scene, engine)


# --- late, lower, higher -------------------------------------------------------------------------------------------------------


async def test_a_fee_that_is_taken_at_the_end_of_the_day_is_settled_then(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES_LATER, capabilities=MAY_TAKE) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await asyncio.sleep(1200)
        assert held_here(engine) == 4
        await scene.control.place(ACCOUNT, ETH, Side.SELL, D("0.01"))
        await settled(scene, engine)
        assert [event.quantity for event in await adjustments(engine)] == [D("-0.01")]
        assert (await traded(engine, "SELL", 4)).filled_quantity == D("3.99")
        await traded(engine, "BUY", 4)


async def test_an_exit_before_a_late_fee_sells_all(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES_LATER, capabilities=MAY_TAKE) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        assert (await traded(engine, "SELL", 4)).filled_quantity == 4
        assert held_at_venue(scene) == 0
        assert (await reconciled(engine)).is_clean


async def test_a_lower_fee_than_may_be_taken_is_settled_as_it_is(tmp_path: Path) -> None:
    maker = TAKES.model_copy(update={"commission": VenueCommission(in_kind=D("0.00125"))})
    can = replace(capabilities_of(maker), fees_in_kind={AssetClass.CRYPTO: RATE})
    async with a_scene(tmp_path, maker, capabilities=can) as scene, scene.living() as engine:
        await traded(engine, "BUY", 8)
        assert (await traded(engine, "SELL", 8)).filled_quantity == D("7.99")
        await settled(scene, engine)
        assert [event.quantity for event in await adjustments(engine)] == [D("-0.01")]
        await agree(scene, engine)


async def test_more_is_missing_than_a_fee_can_be_so_it_is_a_difference_in_words_and_blocks(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES_LATER, capabilities=MAY_TAKE) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await scene.control.place(ACCOUNT, ETH, Side.SELL, D("0.0101"))
        (found,) = (await reconciled(engine)).differences
        assert (found.kind, found.key, found.ours, found.theirs) == (DifferenceKind.POSITION, ETH, "4", "3.9899")
        assert found.note == "no fee explains it: a fee would be at most 0.01 less at the broker"
        assert any(found.note in line for line in scene.log.of("RECONCILE"))
        assert await adjustments(engine) == []
        assert "is not the broker's" in ((await trade(engine, "BUY", 1)).error_message or "")
        assert (await traded(engine, "SELL", 3)).filled_quantity == 3


@pytest.mark.parametrize(("side", "quantity"), [(Side.SELL, "1"), (Side.BUY, "1"), (Side.BUY, "0.005")])
async def test_what_a_person_withdraws_or_deposits_is_a_difference(tmp_path: Path, side: Side, quantity: str) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        await scene.control.place(ACCOUNT, ETH, side, D(quantity))
        assert [found.kind for found in (await reconciled(engine)).differences] == [DifferenceKind.POSITION]
        assert len(await adjustments(engine)) == 1


async def test_a_fee_that_was_settled_explains_nothing_more(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        await scene.control.place(ACCOUNT, ETH, Side.SELL, D("0.0001"))
        (found,) = (await reconciled(engine)).differences
        assert (found.ours, found.theirs, found.note) == ("3.99", "3.989900000", "")
        assert engine.risk.unreconciled(ACCOUNT) == {ETH}


async def test_what_was_bought_more_than_a_week_ago_explains_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES_LATER, capabilities=MAY_TAKE, terms={"reconcile_seconds": 1e9}) as scene:
        async with scene.living() as engine:
            await traded(engine, "BUY", 4)
        await asyncio.sleep(9 * 86400)
        async with scene.living() as engine:
            await scene.control.place(ACCOUNT, ETH, Side.SELL, D("0.01"))
            assert [found.kind for found in (await reconciled(engine)).differences] == [DifferenceKind.POSITION]


async def test_a_broker_that_does_not_keep_a_part_has_no_such_fees(tmp_path: Path) -> None:
    honest = replace(capabilities_of(TAKES), fees_in_kind={})
    async with a_scene(tmp_path, TAKES, capabilities=honest) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        (found,) = (await reconciled(engine)).differences
        assert (found.ours, found.theirs) == ("4", "3.990000000")
        assert await adjustments(engine) == []


async def test_what_a_person_adopts_is_held_as_it_is_and_no_fee_is_due_on_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES_LATER, capabilities=MAY_TAKE) as scene, scene.living() as engine:
        await scene.control.place(ACCOUNT, ETH, Side.BUY, D(4))
        await engine.adopt.adopt_position(ACCOUNT, "ETH/USD", None, D(4), D(3000), "statement", "person:ann")
        await scene.control.place(ACCOUNT, ETH, Side.SELL, D("0.01"))
        assert [found.kind for found in (await reconciled(engine)).differences] == [DifferenceKind.POSITION]


# --- figures that are not to be believed -----------------------------------------------------------------------------------------


async def test_a_figure_that_may_be_of_before_the_last_fill_settles_nothing_and_blocks_nothing(tmp_path: Path) -> None:
    """Without the small buy it would be as large as a fee on the great one can be."""
    lagging, often = replace(MAY_TAKE, lookup_lag_seconds=5.0), {"reconcile_seconds": 1.0}
    async with a_scene(tmp_path, TAKES_LATER, capabilities=lagging, terms=often) as scene, scene.living() as engine:
        await traded(engine, "BUY", 400)
        before = await scene.witness._broker.positions()

        async def old() -> Any:
            return before

        scene.witness.answers["positions"] = old
        await traded(engine, "BUY", "0.4")
        await asyncio.sleep(4.5)
        assert (await adjustments(engine), engine.risk.unreconciled(ACCOUNT)) == ([], frozenset())
        del scene.witness.answers["positions"]
        await asyncio.sleep(60)
        assert (await adjustments(engine), held_here(engine)) == ([], D("400.4"))
        await scene.control.place(ACCOUNT, ETH, Side.SELL, D("1.001"))
        await settled(scene, engine)
        await agree(scene, engine)


async def test_while_an_order_is_in_doubt_no_figure_is_believed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living(poll_seconds=1e6) as engine:
        await traded(engine, "BUY", 4)
        scene.witness.will_raise("submit", BrokerTimeoutError("no answer"))
        scene.witness.answers["find"] = _inconclusive
        doubtful = await trade(engine, "SELL", 1)
        assert doubtful.is_in_doubt
        await asyncio.sleep(30)
        assert (await adjustments(engine), engine.risk.unreconciled(ACCOUNT)) == ([], frozenset())
        del scene.witness.answers["find"]
        await until(lambda: engine.is_quiet, seconds=600)
        await settled(scene, engine)
        await agree(scene, engine)


async def _inconclusive(*_: Any) -> Absence:
    return Absence.INCONCLUSIVE


async def test_a_fill_that_is_found_only_by_asking_again_is_not_taken_for_a_fee(tmp_path: Path) -> None:
    by_hand = TAKES_LATER.model_copy(update={"fills": Fills(automatic=False)})
    async with a_scene(tmp_path, by_hand, capabilities=MAY_TAKE) as scene, scene.living(poll_seconds=1e6) as engine:
        buying = await trade(engine, "BUY", 400)
        await scene.control.fill(buying.broker_order_id or "", D(400), D(3000))
        await until(lambda: engine.is_quiet)
        selling = await trade(engine, "SELL", 10, order_type="LIMIT", limit_price=D(3000))
        await asyncio.sleep(10)
        positions, told = scene.witness._broker.positions, list[bool]()

        async def with_a_fill_between() -> Any:
            """Executed after the executions were asked for, and before the positions; the stream tells nothing of it."""
            if not told:
                told.append(True)
                await scene.control.drop_streams(ACCOUNT, 60)
                await scene.control.fill(selling.broker_order_id or "", D("0.4"), D(3000))
            return await positions()

        scene.witness.answers["positions"] = with_a_fill_between
        assert (await reconciled(engine)).differences == ()
        assert (await adjustments(engine), held_here(engine)) == ([], D("399.6"))
        assert (await reconciled(engine)).is_clean


async def test_an_exit_while_the_broker_cannot_say_what_it_holds_leaves_room_for_the_whole_fee(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES, terms={"reconcile_seconds": 1e9}) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)

        async def positions() -> list[BrokerPosition]:
            raise BrokerConnectionError("away")

        scene.witness.answers["positions"] = positions
        assert (await traded(engine, "SELL", 4)).filled_quantity == D("3.99")
        del scene.witness.answers["positions"]
        assert held_at_venue(scene) == 0
        await reconciled(engine)
        await settled(scene, engine)
        await agree(scene, engine)


async def test_an_exit_waits_two_seconds_for_a_broker_that_hangs(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES, terms={"reconcile_seconds": 1e9}) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        scene.witness.answers["positions"] = lambda: asyncio.sleep(600)
        began = scene.clock.monotonic()
        order = await trade(engine, "SELL", 4)
        assert (order.quantity, scene.clock.monotonic() - began) == (D("3.99"), 2.0)


# --- restarts, failures, races ---------------------------------------------------------------------------------------------------


async def test_a_restart_before_the_fee_is_settled_settles_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene:
        async with scene.living() as engine:
            await traded(engine, "BUY", 4)
        async with scene.living() as engine:
            assert (await traded(engine, "SELL", 4)).filled_quantity == D("3.99")
        async with scene.living() as engine:
            await settled(scene, engine)
            assert held_here(engine) == 0
            await traded(engine, "BUY", 4)
            await settled(scene, engine)
            await agree(scene, engine)
        async with scene.living() as engine:
            assert held_here(engine) == D("3.99")
            assert len(await adjustments(engine)) == 2
            await agree(scene, engine)


async def test_many_who_look_at_once_book_a_fee_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        await asyncio.sleep(0.5)
        await asyncio.gather(*(reconciled(engine) for _ in range(5)))
        assert len(await adjustments(engine)) == 1
        assert scene.log.of("WARNING") == []
        await asyncio.sleep(600)
        assert len(await adjustments(engine)) == 1
        await agree(scene, engine)


async def test_a_fee_that_cannot_be_stored_is_settled_when_the_store_is_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living(lease_seconds=1e6) as engine:
        await traded(engine, "BUY", 4)
        scene.lock_store()
        await asyncio.sleep(20)
        assert (held_here(engine), (await reconciled(engine)).differences) == (D(4), ())
        scene.unlock_store()
        await settled(scene, engine)
        assert len(await adjustments(engine)) == 1
        await agree(scene, engine)


async def test_a_commit_whose_answer_was_lost_is_found_stored_and_not_repeated(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        append = engine.store.append

        async def stored_and_lost(commit: Any) -> Any:
            await append(commit)
            if isinstance(commit.events[0].event, PositionAdjusted):
                engine.store.append = append  # type: ignore[method-assign]  # once
                raise asyncio.CancelledError

        engine.store.append = stored_and_lost  # type: ignore[method-assign]  # a caller that is gone before it hears
        await asyncio.sleep(0.5)
        with pytest.raises(asyncio.CancelledError):
            await reconciled(engine)
        assert held_here(engine) == 4
        await settled(scene, engine)
        assert len(await adjustments(engine)) == 1
        await agree(scene, engine)


async def test_settled_fees_survive_a_death_at_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, TAKES) as scene:
        engine = scene.engine()
        await engine.start()
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        await scene.dies(engine)
        await asyncio.sleep(5)
        async with scene.living() as engine:
            assert held_here(engine) == D("3.99")
            assert (await traded(engine, "SELL", 4)).filled_quantity == D("3.99")
            await agree(scene, engine)


@pytest.mark.parametrize("is_settled", [False, True])
async def test_a_sale_for_an_amount_sells_what_the_broker_has_and_no_more(tmp_path: Path, is_settled: bool) -> None:
    """Four at 3000 were bought for 12,000, and 3.99 are there."""
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        if is_settled:
            await settled(scene, engine)
        sold = await engine.execute.execute(a_signal("out", symbol="ETH/USD", side="SELL", quantity=None, notional=D(12_000)))
        await until(lambda: engine.is_quiet)
        sold = await engine.orders.get(sold.order_id)
        assert (sold.status, sold.filled_quantity) == (OrderStatus.FILLED, D("3.99")), sold.error_message
        assert held_at_venue(scene) == 0


async def test_more_than_was_bought_is_not_taken_for_fees_of_rounds_before(tmp_path: Path) -> None:
    """Each leaves less than a lot."""
    async with a_scene(tmp_path, TAKES) as scene, scene.living() as engine:
        for _ in range(3):
            await traded(engine, "BUY", "4.0031")
            await settled(scene, engine)
            await traded(engine, "SELL", "4.0031")
        assert ZERO < held_here(engine) < D("0.0003")
        await traded(engine, "BUY", 4)
        await settled(scene, engine)
        refused = await trade(engine, "SELL", "4.02")
        assert (refused.status, refused.reason) == (OrderStatus.REJECTED, "RISK")


# --- a fee that comes with the fill ----------------------------------------------------------------------------------------------


async def test_a_fee_in_the_coin_that_comes_with_the_fill_is_off_both_holdings(tmp_path: Path) -> None:
    charges = STILL.model_copy(update={"commission": VenueCommission(rate=RATE, currency="ETH"), "accounts": SPOT})
    async with a_scene(tmp_path, charges) as scene, scene.living() as engine:
        await traded(engine, "BUY", 4)
        assert held_here(engine) == held_at_venue(scene) == D("3.99")
        assert (await reconciled(engine)).differences == ()


async def test_no_fee_is_settled_by_an_answer_from_before_a_question_that_failed(tmp_path: Path) -> None:
    """A fill in another symbol has positions asked for again; a small fill comes meanwhile, and the second question fails."""
    by_hand = TAKES_LATER.model_copy(update={"fills": Fills(automatic=False)})
    never = {"reconcile_seconds": 1e9}
    async with (
        a_scene(tmp_path, by_hand, capabilities=MAY_TAKE, terms=never) as scene,
        scene.living(poll_seconds=1e6) as engine,
    ):
        buying = await trade(engine, "BUY", 400)
        await scene.control.fill(buying.broker_order_id or "", Decimal(400), Decimal(3000))
        await until(lambda: engine.is_quiet)
        await asyncio.sleep(30)
        rests = await engine.execute.execute(a_limit("spy"))
        small = await trade(engine, "BUY", "0.5", order_type="LIMIT", limit_price=Decimal(3000))
        await scene.control.place(ACCOUNT, ETH, Side.SELL, Decimal("0.3"))
        positions, asked = scene.witness.positions, list[int]()

        async def answered_once() -> object:
            asked.append(1)
            if len(asked) > 1:
                raise BrokerConnectionError("away for a moment")
            await scene.control.fill(rests.broker_order_id or "", Decimal(10), Decimal(450))
            answer = await positions()
            fill = scene.control.fill(small.broker_order_id or "", Decimal("0.5"), Decimal(3000))
            asyncio.get_running_loop().call_later(0.3, asyncio.ensure_future, fill)
            return answer

        scene.witness.answers["positions"] = answered_once
        await reconciled(engine)
        assert (await adjustments(engine), held_here(engine)) == ([], Decimal("400.5"))
