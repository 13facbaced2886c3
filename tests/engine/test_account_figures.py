"""The account's money: when it is asked for, what an order waits for, and what is refused for want of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.errors import BrokerConnectionError, DecisionRefused
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import Side
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.settings import Fills, OpeningPosition, VenueAccount, VenueSettings
from tests.engine.scenes import ACCOUNT, LAX, STILL, Scene, a_limit, a_scene, a_signal, until

D = Decimal


def venue(cash: int = 10_000, *, is_limited: bool = True, **more: Any) -> VenueSettings:
    """SPY stands at 500: the usual order costs 5,000."""
    account = VenueAccount(cash=D(cash), is_limited=is_limited, **more)
    return STILL.model_copy(update={"accounts": (account,)})


class Purse:
    """Counts the questions about the account's money, and answers them otherwise where it is told to."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.asked: list[float] = []
        """When, in seconds since the scene began."""
        self.error: Exception | None = None
        self.hangs = False
        self.tells: Decimal | None = None
        """As buying power, in place of the venue's."""
        scene.witness.answers["account"] = self.account

    async def account(self) -> BrokerAccount:
        self.asked.append(round(self._scene.clock.monotonic(), 3))
        if self.hangs:
            await asyncio.sleep(10_000)
        if self.error is not None:
            raise self.error
        account: BrokerAccount = await self._scene.witness._broker.account()
        if self.tells is None:
            return account
        told = [each for each in account.figures if each.kind is not FigureKind.BUYING_POWER]
        return replace(account, figures=(*told, Figure(FigureKind.BUYING_POWER, self.tells, "USD", self._scene.clock.now())))


@asynccontextmanager
async def living(folder: Path, of: VenueSettings, **settled: Any) -> AsyncIterator[tuple[Scene, Engine, Purse]]:
    """Settled for an hour between reconciliations, so that nothing asks by itself."""
    async with a_scene(folder, of, terms={"reconcile_seconds": 3600.0}, **settled) as scene, scene.living() as engine:
        yield scene, engine, Purse(scene)


async def order(engine: Engine, signal_id: str = "sig-1", **fields: Any) -> LiveOrder:
    """With what came of it at once: a fill comes by the stream."""
    made = await engine.execute.execute(a_signal(signal_id, **fields))
    for _ in range(100):
        await asyncio.sleep(0)
    return await engine.orders.get(made.order_id)


def outcome(of: LiveOrder) -> tuple[str, str | None]:
    return of.status.value, of.reason


REFUSED = ("REJECTED", "RISK")


# --- asking ----------------------------------------------------------------------------------------------------------------------


async def test_what_the_connection_told_is_known_and_not_asked_for_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, venue()) as scene:
        engine = scene.engine()
        purse = Purse(scene)
        await engine.start(wait_for_lease=True)
        told = engine.figures.latest(ACCOUNT)
        assert told is not None
        assert [each.amount for each in told.figures] == [10_000, 10_000, 10_000]
        assert purse.asked == []
        await engine.stop()


async def test_each_reconciliation_asks(tmp_path: Path) -> None:
    async with a_scene(tmp_path, venue(), terms={"reconcile_seconds": 60.0}) as scene, scene.living():
        purse = Purse(scene)
        await asyncio.sleep(190)
        assert purse.asked == [60.0, 120.0, 180.0]


async def test_a_connection_that_was_made_again_tells_anew(tmp_path: Path) -> None:
    async with living(tmp_path, venue()) as (scene, engine, _):
        scene.floors[ACCOUNT].gateway.venue._ledger.account(ACCOUNT).cash["USD"] = D(77)
        await scene.control.drop_streams()
        await asyncio.sleep(30)
        told = engine.figures.latest(ACCOUNT)
        assert told is not None
        assert told.cash is not None
        assert told.cash.amount == 77


async def test_a_figure_that_is_young_enough_is_not_asked_for(tmp_path: Path) -> None:
    async with living(tmp_path, venue()) as (_, engine, purse):
        await asyncio.sleep(50)
        await engine.figures.at_most(ACCOUNT, 60.0)
        assert purse.asked == []
        await asyncio.sleep(20)
        told = await engine.figures.at_most(ACCOUNT, 60.0)
        assert purse.asked == [70.0]
        assert told is not None
        assert told.equity is not None
        assert told.equity.at == engine.clock.now()


async def test_who_asks_together_shares_the_answer(tmp_path: Path) -> None:
    async with living(tmp_path, venue().model_copy(update={"latency_seconds": 0.2})) as (_, engine, purse):
        await asyncio.sleep(100)
        await asyncio.gather(*(engine.figures.at_most(ACCOUNT, 5.0) for _ in range(20)))
        assert len(purse.asked) == 1


async def test_no_account_is_asked_faster_than_its_broker_likes(tmp_path: Path) -> None:
    shy = replace(SIMULATED_CAPABILITIES, quiet_poll_seconds=15.0)
    async with living(tmp_path, venue(), capabilities=shy) as (_, engine, purse):
        for _ in range(100):
            await engine.figures.at_most(ACCOUNT, 0.0)
            await asyncio.sleep(1)
        assert purse.asked == [15.0, 30.0, 45.0, 60.0, 75.0, 90.0]


async def test_a_question_that_fails_is_said_once_and_leaves_what_was_known(tmp_path: Path) -> None:
    async with living(tmp_path, venue()) as (scene, engine, purse):
        purse.error = BrokerConnectionError("nobody there")
        for _ in range(30):
            await asyncio.sleep(2)
            told = await engine.figures.at_most(ACCOUNT, 0.0)
            assert told is not None
            assert told.cash is not None
        assert len(purse.asked) == 30
        assert [line for line in scene.log.of("BROKER") if "money" in line] == [
            "The account's money could not be asked for: nobody there"
        ]
        assert engine.figures.problems == {ACCOUNT: "nobody there"}
        assert engine.halts.standing() == []
        purse.error = None
        await asyncio.sleep(2)
        await engine.figures.at_most(ACCOUNT, 0.0)
        assert engine.figures.problems == {}


async def test_equity_that_the_settings_name_stands_in_place_of_what_the_broker_tells(tmp_path: Path) -> None:
    async with living(tmp_path, venue(), account_terms={"equity": D("2500.50")}) as (_, engine, purse):
        await asyncio.sleep(1000)
        told = engine.figures.latest(ACCOUNT)
        assert told is not None
        assert told.equity == Figure(FigureKind.EQUITY, D("2500.50"), "USD", engine.clock.now())
        assert len([each for each in told.figures if each.kind is FigureKind.EQUITY]) == 1
        assert purse.asked == []


# --- orders ----------------------------------------------------------------------------------------------------------------------


async def test_an_order_that_is_covered_waits_for_no_question_however_old_the_figure(tmp_path: Path) -> None:
    async with living(tmp_path, venue()) as (_, engine, purse):
        await asyncio.sleep(1000)
        assert outcome(await order(engine))[0] == "FILLED"
        assert purse.asked == []


async def test_an_order_that_is_too_dear_is_refused_here_and_never_sent(tmp_path: Path) -> None:
    async with living(tmp_path, venue(4000)) as (scene, engine, _):
        refused = await order(engine)
        assert outcome(refused) == REFUSED
        assert refused.error_message == (
            "it takes 5000 USD and 4000 is left of the buying power that the broker reported 0 s ago; "
            "order less, or set check_buying_power to false to let the broker judge"
        )
        assert scene.witness.of("submit") == []


async def test_the_broker_is_asked_again_before_an_order_is_refused(tmp_path: Path) -> None:
    """Somebody paid money in."""
    async with living(tmp_path, venue(4000)) as (scene, engine, purse):
        await asyncio.sleep(30)
        scene.floors[ACCOUNT].gateway.venue._ledger.account(ACCOUNT).cash["USD"] = D(9000)
        assert outcome(await order(engine))[0] == "FILLED"
        assert purse.asked == [30.0]


async def test_what_was_just_asked_is_not_asked_again_for_the_next_order(tmp_path: Path) -> None:
    async with living(tmp_path, venue(4000)) as (_, engine, purse):
        await asyncio.sleep(30)
        assert [outcome(await order(engine, f"s{n}")) for n in range(20)] == [REFUSED] * 20
        assert purse.asked == [30.0]


async def test_two_orders_that_are_decided_at_once_do_not_both_pass(tmp_path: Path) -> None:
    async with living(tmp_path, venue(9000)) as (scene, engine, purse):
        both = await asyncio.gather(order(engine, "one"), order(engine, "two"))
        assert sorted(outcome(each)[0] for each in both) == ["FILLED", "REJECTED"]
        assert len(scene.witness.of("submit")) == 1
        assert purse.asked == []


async def test_what_is_spent_between_two_figures_is_not_spent_again(tmp_path: Path) -> None:
    """The figure is the connection's; the first order is filled and over when the second comes."""
    async with living(tmp_path, venue(9000)) as (_, engine, purse):
        await order(engine, "one")
        await until(lambda: engine.is_quiet)
        purse.error = BrokerConnectionError("nobody there")
        assert outcome(await order(engine, "two")) == REFUSED


async def test_an_order_waits_two_seconds_for_a_figure_and_is_then_judged_by_the_one_that_there_is(tmp_path: Path) -> None:
    async with living(tmp_path, venue(4000)) as (_, engine, purse):
        purse.hangs = True
        await asyncio.sleep(30)
        assert outcome(await order(engine)) == REFUSED
        assert engine.clock.monotonic() == pytest.approx(32)


async def test_where_no_young_figure_is_to_be_had_the_broker_judges(tmp_path: Path) -> None:
    """It refuses here, and would not have to."""
    async with living(tmp_path, venue(4000)) as (scene, engine, purse):
        purse.error = BrokerConnectionError("nobody there")
        await asyncio.sleep(61)
        assert outcome(await order(engine)) == ("REJECTED", "BROKER")
        assert len(scene.witness.of("submit")) == 1


async def test_where_the_broker_tells_no_buying_power_nothing_is_asked_or_refused(tmp_path: Path) -> None:
    async with living(tmp_path, venue(4000, is_limited=False)) as (_, engine, purse):
        await asyncio.sleep(1000)
        assert outcome(await order(engine))[0] == "FILLED"
        assert purse.asked == []


async def test_where_the_check_is_off_the_broker_judges(tmp_path: Path) -> None:
    unchecked = LAX.model_copy(update={"check_buying_power": False})
    async with living(tmp_path, venue(4000), limits=unchecked) as (_, engine, purse):
        await asyncio.sleep(30)
        assert outcome(await order(engine)) == ("REJECTED", "BROKER")
        assert purse.asked == []


async def test_an_order_that_only_reduces_is_never_refused_for_want_of_money_nor_waits(tmp_path: Path) -> None:
    """Without money, with a broker that hangs: a short position is bought back."""
    short = {"ARCA:SPY": OpeningPosition(quantity=D(-10), price=D(500))}
    async with living(tmp_path, venue(0, positions=short, is_limited=False)) as (_, engine, purse):
        await engine.adopt.adopt_position(ACCOUNT, "SPY", None, D(-10), D(500), "statement", "person:ann")
        await engine.reconcile.reconcile(ACCOUNT)
        purse.tells = D(0)
        await asyncio.sleep(5)
        await engine.figures.at_most(ACCOUNT, 0.0)
        purse.hangs = True
        await asyncio.sleep(30)
        began = engine.clock.monotonic()
        assert outcome(await order(engine, "too-much", quantity=D(11))) == REFUSED
        assert engine.clock.monotonic() - began == pytest.approx(2)
        assert outcome(await order(engine, "cover"))[0] == "FILLED"
        assert engine.clock.monotonic() - began == pytest.approx(2)


async def test_a_stop_that_covers_a_short_leaves_the_money_to_the_entries(tmp_path: Path) -> None:
    """Ten are short at 500, so that 5,000 of the 10,000 in cash are free. The stop could cost 5,200."""
    short = {"ARCA:SPY": OpeningPosition(quantity=D(-10), price=D(500))}
    async with living(tmp_path, venue(10_000, positions=short)) as (_, engine, _):
        await engine.adopt.adopt_position(ACCOUNT, "SPY", None, D(-10), D(500), "statement", "person:ann")
        await engine.reconcile.reconcile(ACCOUNT)
        assert outcome(await order(engine, "cover", order_type="STOP", stop_price=D(520)))[0] == "SUBMITTED"
        assert outcome(await order(engine, "entry", symbol="AAPL", quantity=D(25)))[0] == "FILLED"
        assert outcome(await order(engine, "second", symbol="AAPL", quantity=D(1))) == REFUSED


async def test_what_we_sold_ourselves_is_asked_about_before_the_next_buy_is_refused(tmp_path: Path) -> None:
    """Within the pace of ordinary questions: the figure is known to be too low."""
    shy = replace(SIMULATED_CAPABILITIES, quiet_poll_seconds=15.0)
    async with living(tmp_path, venue(5000), capabilities=shy) as (_, engine, purse):
        await order(engine, "one")
        await asyncio.sleep(20)
        assert outcome(await order(engine, "two")) == REFUSED
        await asyncio.sleep(2)
        await order(engine, "exit", side="SELL")
        await asyncio.sleep(1)
        assert outcome(await order(engine, "three"))[0] == "FILLED"
        assert purse.asked == [20.0, 23.0]


async def test_right_after_a_sale_the_broker_judges_since_its_figure_may_not_count_it_yet(tmp_path: Path) -> None:
    slow = replace(SIMULATED_CAPABILITIES, lookup_lag_seconds=5.0)
    async with living(tmp_path, venue(5000), capabilities=slow) as (_, engine, purse):
        await order(engine, "one")
        await order(engine, "exit", side="SELL")
        purse.tells = D(0)
        await asyncio.sleep(2)
        assert outcome(await order(engine, "two"))[0] == "FILLED"
        assert purse.asked == []
        await asyncio.sleep(30)
        assert outcome(await order(engine, "three")) == REFUSED


MINUTES_OLD = replace(SIMULATED_CAPABILITIES, account_lag_seconds=180.0)


async def test_for_as_long_as_the_account_may_lag_a_sale_the_broker_judges_and_is_not_asked(tmp_path: Path) -> None:
    """It tells what it told before the sale."""
    async with living(tmp_path, venue(5000), capabilities=MINUTES_OLD) as (_, engine, purse):
        await order(engine, "one")
        await order(engine, "exit", side="SELL")
        purse.tells = D(0)
        await asyncio.sleep(100)
        assert outcome(await order(engine, "two"))[0] == "FILLED"
        await order(engine, "exit-two", side="SELL")
        await asyncio.sleep(179)
        assert outcome(await order(engine, "three", quantity=D(11))) == ("REJECTED", "BROKER")
        assert purse.asked == []
        await asyncio.sleep(1)
        assert outcome(await order(engine, "four")) == REFUSED
        assert len(purse.asked) == 1


async def test_for_as_long_as_the_account_may_lag_a_purchase_its_money_is_not_spent_again_and_exits_go_out(tmp_path: Path) -> None:
    async with living(tmp_path, venue(9000), capabilities=MINUTES_OLD) as (_, engine, purse):
        await order(engine, "one")
        purse.tells = D(9000)
        await asyncio.sleep(100)
        assert outcome(await order(engine, "two")) == REFUSED
        assert outcome(await order(engine, "small", quantity=D(8)))[0] == "FILLED"
        assert outcome(await order(engine, "exit", side="SELL", quantity=D(18)))[0] == "FILLED"
        assert purse.asked == [100.0]


async def test_orders_that_the_broker_turns_away_do_not_keep_the_rule_from_judging(tmp_path: Path) -> None:
    """One a second, from the moment of a sale on: as long as its figure may be too low the broker judges, and no longer."""
    slow = replace(SIMULATED_CAPABILITIES, lookup_lag_seconds=5.0)
    async with living(tmp_path, venue(5000), capabilities=slow) as (_, engine, _):
        await order(engine, "one")
        await order(engine, "exit", side="SELL")
        judged = []
        for number in range(10):
            judged.append(outcome(await order(engine, f"dear-{number}", quantity=D(11)))[1])
            await asyncio.sleep(1)
        assert judged == ["BROKER"] * 5 + ["RISK"] * 5


async def test_a_dry_check_asks_too_and_tells_it_among_the_rest(tmp_path: Path) -> None:
    async with living(tmp_path, venue(4000), limits=LAX.model_copy(update={"max_open_orders": 0})) as (_, engine, purse):
        await asyncio.sleep(30)
        _, refusals = await engine.execute.validate(a_signal())
        assert [each.code for each in refusals] == ["open_order_count", "buying_power"]
        assert purse.asked == [30.0]


# --- replaces --------------------------------------------------------------------------------------------------------------------

BY_HAND = {"fills": Fills(automatic=False)}


async def test_new_terms_are_paid_for_with_what_the_old_ones_had_taken(tmp_path: Path) -> None:
    async with living(tmp_path, venue(5000).model_copy(update=BY_HAND)) as (scene, engine, purse):
        resting = await engine.execute.execute(a_limit())
        for limit_price in (450, 500):
            await engine.replace.replace(resting.order_id, limit_price=D(limit_price))
            await asyncio.sleep(5)
        assert purse.asked == []
        with pytest.raises(DecisionRefused, match=r"^buying_power: it takes 5010 USD and 5000 is left"):
            await engine.replace.replace(resting.order_id, limit_price=D(501))
        assert len(purse.asked) == 1
        assert len(scene.witness.of("replace")) == 2


async def test_new_terms_of_an_order_that_the_figure_contains(tmp_path: Path) -> None:
    async with living(tmp_path, venue(5000).model_copy(update=BY_HAND)) as (scene, engine, _):
        resting = await engine.execute.execute(a_limit())
        await asyncio.sleep(5)
        told = await engine.figures.at_most(ACCOUNT, 0.0)
        assert told is not None
        assert told.buying_power is not None
        assert told.buying_power.amount == 1000
        await scene.control.fill(str(resting.broker_order_id), D(4), D(400))
        await asyncio.sleep(1)
        with pytest.raises(DecisionRefused, match="it takes 3600 USD and 3400 is left"):
            await engine.replace.replace(resting.order_id, quantity=D(13))
        await engine.replace.replace(resting.order_id, quantity=D(12))
        await asyncio.sleep(1)
        assert (await engine.orders.get(resting.order_id)).quantity == 12


async def test_after_a_restart_what_is_open_is_in_the_first_figure(tmp_path: Path) -> None:
    async with a_scene(tmp_path, venue(5000).model_copy(update=BY_HAND)) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_limit())
        async with scene.living() as engine:
            assert outcome(await engine.execute.execute(a_limit("two", quantity=D(2)))) == ("SUBMITTED", None)
            assert outcome(await engine.execute.execute(a_limit("three", quantity=D(1)))) == REFUSED
            (first, second) = engine.orders.unfinished()
            assert {first.status, second.status} == {OrderStatus.SUBMITTED}


# --- any history -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_left_is_never_more_than_the_exchange_has_and_just_that_once_it_was_asked(seed: int, tmp_path: Path) -> None:
    """A sale that is open may be filled in the broker's figure and not here yet, so that a buy takes less there than is known."""
    chance = random.Random(seed)
    roomy = LAX.model_copy(update={"allow_short_selling": True})
    fills = {"fills": Fills(max_quantity=D(3), delay_seconds=2.0)}
    async with living(tmp_path, venue(20_000).model_copy(update=fills), limits=roomy) as (scene, engine, _):
        spy = (await order(engine, "first", quantity=D(1))).intent.instrument
        funds, there = engine.risk.funds(ACCOUNT), scene.floors[ACCOUNT].gateway.venue

        def left() -> Decimal:
            told = funds.buying_power(spy, engine.clock.now(), 0.0, ())
            assert told is not None
            return told.amount

        def free() -> Decimal:
            return D(there.questions.account(ACCOUNT, there.now)["buying_power"])

        for number in range(60):
            await _something(chance, engine, f"s{number}")
            assert left() <= free(), number
            await asyncio.sleep(chance.choice([0.0, 0.5, 3.0]))
            assert left() <= free(), number
            if chance.random() < 0.2:
                await asyncio.sleep(1.5)
                selling = any(each.intent.terms.side is Side.SELL for each in engine.orders.unfinished())
                await engine.figures.at_most(ACCOUNT, 0.0)
                assert left() == free() or (selling and left() < free()), number


async def _something(chance: random.Random, engine: Engine, signal_id: str) -> None:
    """An order, a change of one, or the end of one."""
    resting = [each for each in engine.orders.unfinished() if each.limit_price is not None and not each.status.is_closed]
    quantity = D(chance.randint(1, 12))
    match chance.choice(["buy", "rest", "rest", "sell", "cancel", "replace", "replace"]):
        case "buy":
            await order(engine, signal_id, quantity=quantity)
        case "rest":
            await engine.execute.execute(a_limit(signal_id, chance.choice([400, 450, 499]), quantity=quantity))
        case "sell":
            await order(engine, signal_id, side="SELL", quantity=quantity)
        case "cancel" if resting:
            await engine.cancel.cancel(chance.choice(resting).order_id)
        case "replace" if resting:
            with suppress(DecisionRefused):
                await engine.replace.replace(chance.choice(resting).order_id, quantity=quantity, limit_price=D(480))
