"""Units that a person moves from one strategy's position to another's, in a running engine."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.engine.operator_commands import carry_out
from liveorder.application.risk.book import SessionDay
from liveorder.domain.errors import DecisionRefused, InvalidInput, StoreUnavailable
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.signal import UnusableSignal
from tests.engine.scenes import ACCOUNT, SPY, a_scene, a_signal, until
from tests.field_cases.trading import Held, Trader, trading
from tests.two_books import two_books

D = Decimal
AAPL = "NASDAQ:AAPL"


async def enters(trader: Trader, strategy: str = "A", units: int = 10) -> None:
    await trader.enters(units, signal_id=f"{strategy} in", symbol="AAPL", side="BUY", quantity=units, strategy_name=strategy)


async def moved(trader: Trader, quantity: str, giver: str = "A", taker: str = "B", **fields: Any) -> PositionTransferred:
    named = {"evidence": "B meant to buy it", "actor": "ann", "from_strategy": giver, "to_strategy": taker}
    return await trader.runner.transfer(AAPL, quantity=quantity, **named | fields)


async def test_units_go_at_what_they_cost_and_the_broker_hears_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        await scene.control.post_price(AAPL, D(230))
        done = await moved(trader, "4.5")
        assert done.sentence() == f"4.5 AAPL on account {ACCOUNT} went from A to B, 200 each: B meant to buy it"
        books = await trader.books(AAPL)
        assert books.report == {"A": Held(D("5.5"), D(200)), "B": Held(D("4.5"), D(200))}
        assert (books.venue, books.risk) == (D(10), Held(D(10), D(200)))
        assert len(scene.witness.of("submit")) == 1
        assert await two_books(trader.service) == []
        assert (await trader.service._projector.verify()).is_equal


async def test_at_a_price_the_giver_realises_and_the_taker_paid_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        await moved(trader, "10", price="230")
        books = await trader.books(AAPL)
        assert books.report == {"A": Held(realized=D(300)), "B": Held(D(10), D(230))}
        assert books.risk == Held(D(10), D(230), D(300))
        (day,) = [SessionDay.from_json(row.state) for row in await trader.engine.store.ledger() if row.key.startswith("day:")]
        assert (day.trades, day.realized_net) == (1, {"USD": D(300)})
        assert await two_books(trader.service) == []


async def test_what_was_transferred_is_so_after_a_restart_and_can_go_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with trading(scene) as trader:
            await enters(trader)
            await moved(trader, "10")
        async with trading(scene) as trader:
            await moved(trader, "10", "B", "C")
            assert (await trader.books(AAPL)).report == {"A": Held(), "B": Held(), "C": Held(D(10), D(200))}
            assert await two_books(trader.service) == []


async def test_what_nobody_can_give_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        with pytest.raises(InvalidInput, match="nothing is held on it"):
            await moved(trader, "1")
        await enters(trader)
        with pytest.raises(InvalidInput, match=f"instrument: {ACCOUNT} has no position in ARCA:SPY; use {AAPL}"):
            await trader.runner.transfer(SPY, from_strategy="A", to_strategy="B", quantity=1, evidence="-", actor="ann")
        with pytest.raises(InvalidInput, match="account_id: U9 is not in the settings"):
            await moved(trader, "1", account_id="U9")
        with pytest.raises(InvalidInput, match="quantity: A holds 10"):
            await moved(trader, "11")
        assert await scene.count("PositionTransferred") == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"taker": "flatten"}, "to"),
        ({"taker": " "}, "to"),
        ({"taker": "two\nlines"}, "to"),
        ({"quantity": 0.1}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "1e-300"}, "quantity"),
        ({"price": "-1000000"}, "price"),
        ({"price": 1e300}, "price"),
        ({"evidence": ""}, "evidence"),
    ],
    ids=str,
)
async def test_what_no_signal_could_say_no_transfer_says(tmp_path: Path, given: dict[str, Any], field: str) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        with pytest.raises(InvalidInput) as refused:
            await moved(trader, **{"quantity": "1"} | given)
        assert refused.value.field == field
        assert (await trader.books(AAPL)).report == {"A": Held(D(10), D(200))}


async def test_nobody_trades_as_the_kill(tmp_path: Path) -> None:
    """An exit of a strategy `flatten` would close what all others hold."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        out = a_signal("out", symbol="AAPL", side="SELL", role="EXIT", quantity=None, strategy_name="flatten")
        with pytest.raises(UnusableSignal, match="name another"):
            await trader.engine.execute.execute(out)
        with pytest.raises(UnusableSignal, match="name another"):
            await trader.engine.execute.validate(out)
        assert (await trader.books(AAPL)).report == {"A": Held(D(10), D(200))}


async def test_what_an_open_order_could_still_take_is_not_given_away(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        rests = {"order_type": "LIMIT", "limit_price": D(900), "strategy_name": "A", "time_in_force": "GTC"}
        order = await trader.engine.execute.execute(a_signal("out", symbol="AAPL", side="SELL", quantity=D(6), **rests))
        await moved(trader, "4")
        with pytest.raises(DecisionRefused, match="could still take 6 of its 6"):
            await moved(trader, "1")
        await trader.runner.cancel(order.order_id)
        await trader.runner.wait_closed(order.order_id, 10)
        await moved(trader, "6")


async def test_a_command_that_comes_again_is_the_same_transfer(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        asked = {"instrument": AAPL, "from": "A", "to": "B", "quantity": "4", "evidence": "said so", "command_id": "c1"}
        answers = [await carry_out(trader.engine, CommandKind.TRANSFER, asked, "person:ann") for _ in range(2)]
        assert answers[0] == answers[1]
        assert json.loads(json.dumps(answers[0]["result"]))["transfer_id"] == "c1"
        assert (await trader.books(AAPL)).report["B"] == Held(D(4), D(200))


async def test_a_transfer_that_could_not_be_stored_changes_nothing_and_one_whose_reply_was_lost_is_known(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader)
        store = trader.engine.store
        append = store.append

        async def is_stored_unheard(commit: Any) -> Any:
            await append(commit)
            raise StoreUnavailable("the reply was lost")

        store.append = is_stored_unheard  # type: ignore[method-assign]  # a fault of our own making
        with pytest.raises(StoreUnavailable):
            await moved(trader, "4")
        store.append = append  # type: ignore[method-assign]  # as it was
        with pytest.raises(InvalidInput, match="quantity: A holds 6"):
            await moved(trader, "10")
        await moved(trader, "6")
        await until(lambda: trader.engine.is_quiet)
        assert (await trader.books(AAPL)).report == {"A": Held(), "B": Held(D(10), D(200))}
