"""Signals through the real bootstrap to the twin and back, with what can happen on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder import Runner, Signal
from liveorder.infrastructure.brokers.kite import tokens
from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import VenueAccount
from tests.harness.worlds import RememberedLog
from tests.interfaces.test_runner import LAX
from tests.twins.kite import API_KEY, API_SECRET, USER_ID, KiteTwin, kite_twin, venue_settings
from tests.twins.kite.server import FIRST_TOKEN, NEXT_TOKEN

PATIENCE_SECONDS = 20


@asynccontextmanager
async def twin() -> AsyncIterator[KiteTwin]:
    settings = venue_settings(VenueAccount(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000)))
    async with open_exchange(settings) as exchange, kite_twin(exchange, settings) as running:
        yield running


@asynccontextmanager
async def runner_at(
    running: KiteTwin, folder: Path, log: RememberedLog | None = None, reconcile_seconds: float = 0.2, **options: Any
) -> AsyncIterator[Runner]:
    """As a user's settings would set it up. The token is in a file; `options` are settings of the kite section."""
    if not (folder / "token.json").exists():
        tokens.write(folder / "token.json", FIRST_TOKEN, datetime.now(UTC))
    async with Runner.open(
        store=f"sqlite:///{folder / 'orders.db'}",
        trading_mode="PAPER",
        enable_auto_trading=True,
        default_currency="INR",
        default_product="CNC",
        risk=LAX,
        kite={"api_key": API_KEY, "access_token_file": folder / "token.json", "root": running.address} | options,
        timeouts={"broker_call_seconds": 2},
        engine={"reconcile_seconds": reconcile_seconds},
        logs={"console": False, "directory": folder / "logs"},
        log=log,
    ) as runner:
        yield runner


def buy(signal_id: str = "s-1", **fields: Any) -> Signal:
    return Signal(**{"signal_id": signal_id, "symbol": "RELIANCE", "exchange": "NSE", "side": "BUY", "quantity": 10} | fields)


async def test_a_kill_closes_each_position_under_the_product_that_it_is_held_under(tmp_path: Path) -> None:
    """An order under another product would open a position of its own beside it."""
    async with twin() as running:
        async with runner_at(running, tmp_path, reconcile_seconds=60) as runner:
            for product, side, quantity in (("MIS", "BUY", 10), ("CNC", "BUY", 4), ("NRML", "BUY", 3)):
                signal = Signal(signal_id=product, symbol="RELIANCE", exchange="NSE", side=side, quantity=quantity, product=product)
                await runner.wait_closed((await runner.execute(signal)).order_id, PATIENCE_SECONDS)
            stopped = await runner.kill("enough", flatten=True)
            assert (stopped.is_flat, stopped.remaining, stopped.not_closed) == (True, (), ())
        closing = [(form["product"], form["transaction_type"], form["quantity"]) for form in running.placed[3:]]
        assert closing == [("CNC", "SELL", "4"), ("MIS", "SELL", "10"), ("NRML", "SELL", "3")]


async def test_a_market_exit_that_rests_for_its_protection_is_seen_with_its_limit(tmp_path: Path) -> None:
    """Kite makes a LIMIT order of it, which the market can run away from."""
    log = RememberedLog()
    async with twin() as running, runner_at(running, tmp_path, log, reconcile_seconds=60) as runner:
        await runner.wait_closed((await runner.execute(buy())).order_id, PATIENCE_SECONDS)
        running.switches.protected_at_percent = Decimal(-3)
        order_id = (await runner.execute(buy("s-2", side="SELL", role="EXIT"))).order_id
        await until(lambda: "it rests there as a LIMIT order" in "".join(log.of("WARNING")))
        order = await runner.order(order_id)
        assert order is not None
        assert (order.status, order.order_type, order.limit_price, order.flags) == (
            "SUBMITTED",
            "MARKET",
            Decimal(1442),
            ("acknowledged",),
        )
        (report,) = await runner.reconcile()
        assert report.is_clean, report
        order = await runner.replace(order_id, limit_price=Decimal(1400))
        assert (await runner.wait_closed(order_id, PATIENCE_SECONDS)).status == "FILLED"


async def test_only_an_entry_is_held_to_the_freeze_quantity(tmp_path: Path) -> None:
    async with twin() as running, runner_at(running, tmp_path, freeze_quantities={"RELIANCE": 10}) as runner:
        refused = await runner.execute(buy("too many", quantity=11))
        assert (refused.status, running.placed) == ("REJECTED", [])
        assert "the exchange takes 10 of RELIANCE in one order, not 11" in (refused.error_message or "")
        for signal_id in ("one", "two"):
            await runner.wait_closed((await runner.execute(buy(signal_id))).order_id, PATIENCE_SECONDS)
        closing = await runner.execute(buy("out", side="SELL", role="EXIT", quantity=20))
        assert (await runner.wait_closed(closing.order_id, PATIENCE_SECONDS)).status == "FILLED"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - between a twin and a service there is no event to share
            await asyncio.sleep(0.02)


async def test_a_signal_is_filled_at_kite_as_the_settings_say(tmp_path: Path) -> None:
    async with twin() as running:
        async with runner_at(running, tmp_path) as runner:
            order = await runner.execute(buy())
            order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
            assert (order.status, order.filled_quantity) == ("FILLED", Decimal(10))
            (fill,) = order.fills
            assert fill.execution_id.startswith("NSE:7000000")
            (report,) = await runner.reconcile()
            assert report.is_clean, report
        written = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
        assert not any(secret in written for secret in (API_KEY, API_SECRET, FIRST_TOKEN))
    (form,) = running.placed
    assert (form["market_protection"], form["product"], form["validity"]) == ("-1", "CNC", "DAY")


async def test_an_order_whose_answer_was_lost_is_found_by_its_tag_and_not_sent_again(tmp_path: Path) -> None:
    async with twin() as running, runner_at(running, tmp_path) as runner:
        await running.exchange.control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=1))
        order = await runner.execute(buy())
        order = await runner.wait_closed(order.order_id, PATIENCE_SECONDS)
        assert order.status == "FILLED"
        assert len(running.placed) == 1


async def test_an_order_that_never_arrived_stays_in_doubt_unless_absence_may_be_believed(tmp_path: Path) -> None:
    async with twin() as running, runner_at(running, tmp_path) as runner:
        await running.exchange.control.lay(Fault(kind=FaultKind.REQUEST_LOST, nth=1))
        order = await runner.execute(buy())
        before = running.questions.count("GET /orders")
        await until(lambda: running.questions.count("GET /orders") > before + 3)
        (doubt,) = await runner.doubts()
        assert (doubt.order_id, len(running.placed)) == (order.order_id, 1)
        assert await running.exchange.control.orders() == []


async def test_orders_from_an_unknown_address_halt_the_account(tmp_path: Path) -> None:
    log = RememberedLog()
    async with twin() as running, runner_at(running, tmp_path, log) as runner:
        running.switches.knows_our_address = False
        order = await runner.execute(buy())
        assert order.status == "REJECTED"
        assert any("IP Whitelist" in line for line in log.of("ERROR"))
        running.switches.knows_our_address = True
        assert (await runner.execute(buy("s-2"))).status == "REJECTED"
        assert running.placed == []


async def test_a_token_that_ends_overnight_halts_the_account_before_an_order_finds_out(tmp_path: Path) -> None:
    log = RememberedLog()
    async with twin() as running, runner_at(running, tmp_path, log) as runner:
        await runner.wait_closed((await runner.execute(buy("s-0"))).order_id, PATIENCE_SECONDS)
        running.end_the_session()
        await until(lambda: any("credentials refused" in line for _, line in log.lines))
        assert (await runner.execute(buy())).status == "REJECTED"
        tokens.write(tmp_path / "token.json", NEXT_TOKEN, datetime.now(UTC))
        await until(lambda: any("agrees with the broker" in line for line in log.of("RECONCILE")))
        assert len(running.placed) == 1


async def test_a_life_after_a_crash_finds_what_the_last_one_sent(tmp_path: Path) -> None:
    async with twin() as running:
        await running.exchange.control.lay(
            Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST), Fault(kind=FaultKind.QUERY_FAILED, on=Point.FIND)
        )
        async with runner_at(running, tmp_path) as runner:
            order = await runner.execute(buy())
            assert len(await runner.doubts()) == 1
        await running.exchange.control.clear_faults()
        async with runner_at(running, tmp_path) as runner:
            assert (await runner.wait_closed(order.order_id, PATIENCE_SECONDS)).status == "FILLED"
            assert (await runner.execute(buy())).order_id == order.order_id
        assert len(running.placed) == 1
