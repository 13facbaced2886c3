"""What closes a position and opens the other side: in one order where the broker takes that and nothing is in doubt, else in two
legs, of which the second leaves once the first is wholly filled.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import VenueAccount, VenueSettings
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import STOP, code_of, sent, unguarded
from tests.engine.test_targets import in_doubt
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held
from tests.engine.test_waiting_orders import ended
from tests.field_cases.evidence import held_at_venue
from tests.harness.crash_points import Crashed, CrashPoint, crashing_broker, crashing_store
from tests.harness.virtual_time import run_virtually

D = Decimal
NO_CROSSING = {"accounts": (VenueAccount(crosses_zero=False),)}
APART = BY_HAND.model_copy(update=NO_CROSSING)
WAYS: dict[str, dict[str, Any]] = {
    "sized": {"side": "SELL", "quantity": 25},
    "open": {"side": "SELL", "position_effect": "OPEN", "quantity": 5},
    "target": {"side": None, "quantity": None, "target_quantity": -5},
    "money": {"side": "SELL", "quantity": None, "notional": 12_500},
    "risk": {"side": "SELL", "quantity": None, "risk_percent": D("0.25"), "stop_loss": 600},
}
BY_AMOUNT = ("sized", "money", "risk")
"""Without an effect: what it comes to is to be sold, whatever that closes."""


async def turns(engine: Engine, signal_id: str = "turn", **fields: Any) -> LiveOrder:
    return await engine.execute.execute(a_signal(signal_id, **fields))


async def holding(scene: Scene, engine: Engine, units: int = 20) -> None:
    await fills(scene, engine, await engine.execute.execute(a_signal("in", quantity=units)), units)


async def second(engine: Engine, signal_id: str = "turn") -> LiveOrder:
    def found() -> list[LiveOrder]:
        return [each for each in engine.orders.unfinished() if each.intent.signal_id == f"{signal_id}:opens"]

    await until(lambda: found() != [])
    return found()[0]


@pytest.mark.parametrize("crosses", [True, False])
@pytest.mark.parametrize(
    ("kind", "units"),
    [({}, 10), ({}, 20), ({"order_type": "LIMIT", "limit_price": "500"}, 10), ({"quantity": None, "notional": D(5000)}, 10)],
    ids=["a part", "all", "a limit", "by money"],
)
@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_a_stop_never_goes_through_zero_beside_a_sale_of_what_it_guards(
    tmp_path: Path, side: str, kind: dict[str, Any], units: int, crosses: bool
) -> None:
    """Nor does a limit exit, and what a short position's stop buys."""
    other, price = ("SELL", "480") if side == "BUY" else ("BUY", "520")
    venue = STILL if crosses else STILL.model_copy(update=NO_CROSSING)
    async with a_scene(tmp_path, venue, limits=SHORTS) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in", side=side, quantity=20))
        await until(lambda: engine.is_quiet)
        stop = await engine.execute.execute(a_signal("stop", side=other, quantity=20, **STOP | {"stop_price": price}))
        await engine.execute.execute(a_signal("part", side=other, **{"quantity": units} | kind))
        await asyncio.sleep(10)
        assert (await engine.orders.get(stop.order_id)).status is OrderStatus.CANCELLED
        await scene.control.post_price(SPY, D(price) + (-1 if side == "BUY" else 1))
        await asyncio.sleep(10)
        left = D(20 - units)
        assert {await held(engine), held_at_venue(scene)} == {left if side == "BUY" else -left}


@pytest.mark.parametrize("way", WAYS)
async def test_one_order_crosses_zero_where_the_broker_takes_that(tmp_path: Path, way: str) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        order = await turns(engine, **WAYS[way])
        order = await sent(engine, order)
        assert (order.terms.side, order.quantity, order.terms.position_effect) == ("SELL", D(25), None)
        assert (await engine.orders.get(stop.order_id)).cancel_reason == "MADE_WAY"
        await fills(scene, engine, order, 25)
        assert await held(engine) == -5


@pytest.mark.parametrize("way", WAYS)
async def test_else_the_second_leg_leaves_once_the_first_is_wholly_filled(tmp_path: Path, way: str) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        first = await sent(engine, await turns(engine, **WAYS[way]))
        assert (first.terms.side, first.quantity, first.terms.position_effect) == ("SELL", D(20), "CLOSE")
        assert (await engine.orders.get(stop.order_id)).cancel_reason == "MADE_WAY"
        follows = await second(engine)
        assert follows.is_waiting
        await fills(scene, engine, first, 15)
        await asyncio.sleep(30)
        assert scene.venue_orders(follows) == []
        again = await turns(engine, **WAYS[way])
        assert again.order_id == first.order_id
        await fills(scene, engine, first, 5)
        opened = await sent(engine, follows)
        assert (opened.terms.side, opened.quantity, opened.terms.position_effect) == ("SELL", D(5), "OPEN")
        await fills(scene, engine, opened, 5)
        assert await held(engine) == -5
        assert len(scene.venue_orders(first)) == len(scene.venue_orders(follows)) == 1
        again = await turns(engine, **WAYS[way])
        await asyncio.sleep(5)
        assert again.order_id == first.order_id
        assert await held(engine) == -5


@pytest.mark.parametrize("venue", [BY_HAND, APART], ids=["crossing", "no crossing"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_shadow_run_takes_it_for_one_order(tmp_path: Path, way: str, venue: VenueSettings) -> None:
    """It sends none, so that there is nothing to wait for."""
    async with a_scene(tmp_path, venue, limits=SHORTS) as scene:
        async with scene.living() as engine:
            await holding(scene, engine)
        scene.is_shadow = True
        async with scene.living() as engine:
            order = await turns(engine, **WAYS[way])
            assert (order.is_approved, order.terms.is_shadow, order.quantity) == (True, True, D(25)), order.error_message
            assert scene.venue_orders(order) == []


@pytest.mark.parametrize("way", WAYS)
async def test_with_something_in_doubt_it_goes_in_two_legs(tmp_path: Path, way: str) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        doubt = await in_doubt(scene, engine, a_signal("lost", side="SELL", quantity=4, position_effect="CLOSE"))
        first = await turns(engine, **WAYS[way])
        await scene.control.clear_faults()
        await until(lambda: scene.venue_orders(first) != [])
        first = await sent(engine, first)
        assert first.terms.position_effect == "CLOSE"
        assert first.quantity is not None
        assert first.quantity <= 20
        assert way not in BY_AMOUNT or first.terms.asked_quantity == 25
        assert doubt.order_id != first.order_id


@pytest.mark.parametrize("way", ["open", "target"])
async def test_where_shorting_is_not_allowed_it_is_refused_and_nothing_is_cancelled(tmp_path: Path, way: str) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=LAX) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", quantity=4, **STOP))
        assert await code_of(scene, await turns(engine, **WAYS[way])) == "reversal"
        assert await code_of(scene, await turns(engine, "plain", **WAYS["sized"])) == "short_selling"
        await asyncio.sleep(5)
        assert not (await engine.orders.get(stop.order_id)).cancels


@pytest.mark.parametrize("end", ["cancelled", "stale", "refused"])
async def test_a_second_leg_that_does_not_follow_is_an_incomplete_reversal(tmp_path: Path, end: str) -> None:
    limits = SHORTS.model_copy(update={"max_signal_age_seconds": 20.0})
    async with a_scene(tmp_path, APART, limits=limits) as scene, scene.living() as engine:
        await holding(scene, engine)
        first = await sent(engine, await turns(engine, **WAYS["sized"], timestamp=scene.clock.now()))
        follows = await second(engine)
        if end == "cancelled":
            await engine.cancel.cancel(first.order_id)
        elif end == "stale":
            await asyncio.sleep(30)
            await fills(scene, engine, first, 20)
        else:
            await engine.halts.switch_auto_trading(False, "enough", "person:ann")
            await fills(scene, engine, first, 20)
        over = await ended(engine, follows)
        assert over.status is OrderStatus.REJECTED
        assert await code_of(scene, over) == "reversal_incomplete"
        assert {"stale": "stale_signal", "refused": "auto_trading", "cancelled": "is CANCELLED"}[end] in (over.error_message or "")
        assert scene.venue_orders(follows) == []


@pytest.mark.parametrize("way", BY_AMOUNT)
async def test_the_second_leg_opens_what_is_left_of_what_was_asked(tmp_path: Path, way: str) -> None:
    """A stop takes some of it while its cancel is under way."""
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        order = await turns(engine, **WAYS[way])
        await fills(scene, engine, stop, 8)
        first = await sent(engine, order)
        assert first.quantity == D(12)
        await fills(scene, engine, first, 12)
        assert (await sent(engine, await second(engine))).quantity == D(13)


@pytest.mark.parametrize("life", ["one life", "a restart", "a death"])
@pytest.mark.parametrize("price", [250, 1000])
@pytest.mark.parametrize("side", ["SELL", "BUY"])
@pytest.mark.parametrize("way", BY_AMOUNT)
async def test_a_price_that_moves_between_the_legs_changes_nothing_of_what_is_left_to_open(
    tmp_path: Path, way: str, side: str, price: int, life: str
) -> None:
    """Nor does the same signal that comes again: what the first leg was sized by counts."""
    entry, sign = ("BUY", 1) if side == "SELL" else ("SELL", -1)
    fields = WAYS[way] | {"side": side} | ({"stop_loss": 500 + 100 * sign} if way == "risk" else {})
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene:
        engine = scene.engine()
        await engine.start()
        await fills(scene, engine, await engine.execute.execute(a_signal("in", side=entry, quantity=20)), 20)
        first = await sent(engine, await turns(engine, **fields))
        assert (first.terms.position_effect, first.quantity) == ("CLOSE", D(20))
        await scene.control.post_price(SPY, D(price))
        if life != "one life":
            await (scene.dies(engine) if life == "a death" else engine.stop())
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        assert (await turns(engine, **fields)).order_id == first.order_id
        follows = await second(engine)
        await fills(scene, engine, await engine.orders.get(first.order_id), 20)
        opened = await sent(engine, follows)
        assert (opened.quantity, opened.terms.position_effect) == (D(5), "OPEN")
        assert (await turns(engine, **fields)).order_id == first.order_id
        assert len(scene.venue_orders(first)) == len(scene.venue_orders(follows)) == 1
        await engine.stop()


async def test_a_reversal_that_finds_nothing_left_to_close_is_one_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        order = await turns(engine, **WAYS["open"])
        await fills(scene, engine, stop, 20)
        first = await sent(engine, order)
        assert (first.quantity, first.terms.position_effect) == (D(5), "OPEN")
        await asyncio.sleep(10)
        assert [each.intent.signal_id for each in engine.orders.unfinished()] == ["turn"]


async def test_the_entry_that_a_reversal_meets_is_cancelled_first(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        more = await engine.execute.execute(a_limit("more", quantity=5))
        first = await sent(engine, await turns(engine, **WAYS["sized"]))
        assert first.quantity == D(20)
        assert (await engine.orders.get(more.order_id)).cancel_reason == "MADE_WAY"


async def test_a_short_is_turned_likewise(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal("in", side="SELL", quantity=20))
        await fills(scene, engine, entry, 20)
        first = await sent(engine, await turns(engine, side=None, quantity=None, target_quantity=3))
        assert (first.terms.side, first.quantity) == ("BUY", D(20))
        await fills(scene, engine, first, 20)
        opened = await sent(engine, await second(engine))
        await fills(scene, engine, opened, 3)
        assert await held(engine) == 3


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize("side", ["SELL", "BUY"])
@pytest.mark.parametrize("way", WAYS)
async def test_where_the_second_leg_cannot_begin_the_first_is_refused_and_the_lost_stop_is_told(
    tmp_path: Path, way: str, side: str, restarted: bool
) -> None:
    """In a store of an earlier release another signal may have its id."""
    entry, sign = ("BUY", 1) if side == "SELL" else ("SELL", -1)
    fields = WAYS[way] | ({"target_quantity": -5 * sign} if way == "target" else {"side": side})
    fields |= {"stop_loss": 500 + 100 * sign} if way == "risk" else {}
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene:
        async with scene.living() as engine:
            await fills(scene, engine, await engine.execute.execute(a_signal("in", side=entry, quantity=20)), 20)
            named_so = a_limit("taken", symbol="AAPL", price=100).model_copy(update={"signal_id": "turn:opens"})
            await engine.execute.execute(named_so)
            guard = STOP | {"stop_price": "480" if side == "SELL" else "520", "side": side}
            stop = await engine.execute.execute(an_exit("stop", **guard))
            if restarted:
                await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, seconds=3)
            first = await turns(engine, **fields)
            assert first.is_waiting
            if not restarted:
                await _is_refused_without_a_second(scene, engine, first, stop)
        if restarted:
            async with scene.living() as engine:
                await _is_refused_without_a_second(scene, engine, first, stop)


async def _is_refused_without_a_second(scene: Scene, engine: Engine, first: LiveOrder, stop: LiveOrder) -> None:
    over = await ended(engine, first)
    assert (over.status, await code_of(scene, over)) == (OrderStatus.REJECTED, "reversal_incomplete")
    assert "signal_id: turn:opens already became order" in (over.error_message or "")
    assert (await engine.orders.get(stop.order_id)).status is OrderStatus.CANCELLED
    assert [(event.quantity, event.orders) for event in await unguarded(scene, over)] == [(D(20), (stop.order_id,))]
    assert scene.venue_orders(over) == []
    assert abs(await held(engine)) == 20


# --- crashes ---------------------------------------------------------------------------------------------------------------------

FILLS_BY_ITSELF = STILL.model_copy(update=NO_CROSSING)


async def _dies_turning(folder: Path, way: str, crash_at: int | None) -> list[str]:
    """The boundaries that were passed. Whatever the instant: short of 5 in the end, and each leg once at the venue."""
    async with a_scene(folder, FILLS_BY_ITSELF, limits=SHORTS) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_signal("in", quantity=20))
            await engine.execute.execute(an_exit("stop", **STOP))
        crash_point, make_store, make_connection = CrashPoint(crash_at), scene.store, scene._connection
        scene.store = lambda: crashing_store(make_store(), crash_point)  # type: ignore[method-assign]  # for this test

        def connection(account_id: str) -> Any:
            made = make_connection(account_id)
            return type(made)(made.terms, crashing_broker(made.broker, crash_point), made.market_data, made.instruments)

        scene._connection = connection  # type: ignore[method-assign]  # for this test
        engine = scene.engine()
        with suppress(Crashed):
            await engine.start()
            await turns(engine, **WAYS[way])
            for _ in range(200):
                if crash_point.is_reached or engine.is_quiet:
                    break
                await asyncio.sleep(0.25)
        await scene.dies(engine)
        scene.store, scene._connection = make_store, make_connection  # type: ignore[method-assign]  # for this test
        await asyncio.sleep(60)
        async with scene.living() as again:
            await turns(again, **WAYS[way])
            await until(lambda: again.is_quiet, 3600)
            assert again.risk.positions(ACCOUNT)[SPY].quantity == -5
            assert (await again.reconcile.reconcile(ACCOUNT)).is_clean
            sold = [each async for page in again.store.log() for each in page if each.event.shown_name == "Requested"]
            assert len(sold) == 4, "in, stop, and the two legs"
        return crash_point.names


@pytest.mark.parametrize("way", WAYS)
def test_a_reversal_survives_death_at_every_boundary(tmp_path: Path, way: str) -> None:
    (tmp_path / "count").mkdir()
    names = run_virtually(_dies_turning(tmp_path / "count", way, None))
    assert len(names) > 12
    for crash_at, boundary in enumerate(names):
        folder = tmp_path / str(crash_at)
        folder.mkdir()
        try:
            run_virtually(_dies_turning(folder, way, crash_at))
        except AssertionError as failure:
            raise AssertionError(f"death at {crash_at} ({boundary}): {failure}") from failure
