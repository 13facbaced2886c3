"""From the settings to a fill, through the program as it is put together for trading."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveorder import Runner, Signal
from liveorder.application.ports.broker import Prepared
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.signal import UnusableSignal
from liveorder.infrastructure.brokers.ibkr.broker import IbkrBroker
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import stage_settings
from liveorder.testing.venue.faults import Fault, FaultKind
from liveorder.testing.venue.settings import VenueAccount, VenueCommission, VenueSettings
from tests.twins.ibkr import ACCOUNT, CATALOGUE, TwsTwin, tws_twin

LAX = {"max_position_size": None, "allow_closed_market": True, "max_price_age_seconds": 1e9}


def settings(folder: Path, twin: TwsTwin) -> dict[str, Any]:
    return {
        "trading_mode": "PAPER",
        "enable_auto_trading": True,
        "ibkr": {"host": "127.0.0.1", "port": twin.port},
        "store": f"sqlite:///{folder / 'orders.db'}",
        "logs": {"console": False, "directory": folder / "logs"},
        "risk": LAX,
        "engine": {"poll_seconds": 0.05},
    }


async def test_a_signal_becomes_a_filled_order_of_the_paper_account(tmp_path: Path) -> None:
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin, Runner.open(**settings(tmp_path, twin)) as runner:
        order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=3, cms_score=90))
        order = await runner.wait_closed(order.order_id, 20)
        assert (order.status.value, order.filled_quantity, order.broker) == ("FILLED", Decimal(3), "ibkr")
        (taken,) = await exchange.control.orders_by_key(order.client_order_id)
        assert taken.filled_quantity == 3


async def test_an_order_whose_acknowledgement_is_lost_is_found_and_never_sent_twice(tmp_path: Path) -> None:
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin:
        await exchange.control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=1))
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=3, cms_score=90))
            order = await runner.wait_closed(order.order_id, 20)
            assert order.status.value == "FILLED"
            assert len(await exchange.control.orders_by_key(order.client_order_id)) == 1
            assert len(twin.placed) == 1


@pytest.mark.parametrize("are_the_latest", [False, True])
@pytest.mark.parametrize("shares", [(6, 5), (6, 0)])
async def test_a_fill_that_was_corrected_twice_while_nobody_listened_counts_once(
    tmp_path: Path, shares: tuple[int, int], are_the_latest: bool
) -> None:
    """Through a restart: the fill is in the store, of its corrections perhaps only the second ever comes."""
    venue = stage_settings(VenueAccount(account_id=ACCOUNT), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin:
        twin.executions_are_the_latest = are_the_latest
        resting: dict[str, Any] = {"order_type": "LIMIT", "limit_price": 180, "time_in_force": "GTC", "cms_score": 90}
        signal = Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=10, **resting)
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            order = await runner.execute(signal)
            (taken,) = await exchange.control.orders_by_key(order.client_order_id)
            name = await exchange.control.fill(str(taken.broker_order_id), Decimal(4), Decimal(180))
            await until_filled(runner, order.order_id, 4)
        name = await exchange.control.correct(name, Decimal(shares[0]), Decimal(180))
        if shares[1]:
            await exchange.control.correct(name, Decimal(shares[1]), Decimal(180))
        else:
            await exchange.control.bust(name)
        async with Runner.open(**settings(tmp_path, twin)) as runner:
            await until_filled(runner, order.order_id, shares[-1])
            (report,) = await runner.reconcile()
            assert report.is_clean
            assert (await runner.order(order.order_id)).filled_quantity == shares[-1]
            held = sum((each.quantity for each in await runner.positions()), Decimal(0))
            assert held == shares[-1]


async def until_filled(runner: Runner, order_id: UUID, quantity: int) -> None:
    async with asyncio.timeout(10):
        while (await runner.order(order_id)).filled_quantity != quantity:  # noqa: ASYNC110 - the other side of a socket
            await asyncio.sleep(0.01)


async def test_an_order_that_tws_refuses_under_an_unlisted_code_is_rejected_in_its_words_and_sent_once(tmp_path: Path) -> None:
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin, Runner.open(**settings(tmp_path, twin)) as runner:
        twin.next_order_meets = (387, "Unsupported order type for this exchange and security type.")
        order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=3, cms_score=90))
        order = await runner.wait_closed(order.order_id, 20)
        assert (order.status.value, len(twin.placed)) == ("REJECTED", 1)
        assert "TWS 387: Unsupported order type" in str(order.error_message)


async def test_an_order_without_market_data_says_so_in_the_words_of_tws(tmp_path: Path) -> None:
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin, Runner.open(**settings(tmp_path, twin)) as runner:
        twin.ticks.clear()
        twin.market_data_meets = (354, "Requested market data is not subscribed.")
        order = await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=3, cms_score=90))
        order = await runner.wait_closed(order.order_id, 20)
        assert "TWS 354: Requested market data is not subscribed." in str(order.error_message)
        assert not twin.placed


async def test_a_signal_that_several_contracts_fit_is_refused_with_their_names(tmp_path: Path) -> None:
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin, Runner.open(**settings(tmp_path, twin)) as runner:
        signal = Signal(signal_id="a", symbol="SPX", side="BUY", quantity=1, expiry="2027-12-17", strike=6000, right="CALL")
        with pytest.raises(UnusableSignal, match=r"SMART:SPX/SPXW:2027-12-17:6000:CALL \(multiplier 100, conId ") as refused:
            await runner.execute(signal)
        assert not refused.value.is_passing


async def test_the_order_id_of_an_attempt_that_failed_is_given_to_no_other_order_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first life stores order a under an id that TWS never hears of; in the second, b is sent before a is sent again."""
    sent, is_b_out, of_a = IbkrBroker.submit, asyncio.Event(), list[Prepared]()

    async def never_left(self: IbkrBroker, prepared: Prepared) -> Any:
        of_a.append(prepared)
        raise BrokerConnectionError("not connected")

    async def b_first(self: IbkrBroker, prepared: Prepared) -> Any:
        if prepared == of_a[0]:
            await is_b_out.wait()
            return await sent(self, prepared)
        reports = await sent(self, prepared)
        is_b_out.set()
        return reports

    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin:
        patient = settings(tmp_path, twin) | {"retry": {"first_wait_seconds": 3600, "max_wait_seconds": 3600}}
        patient["timeouts"] = {"drain_seconds": 0.1}
        monkeypatch.setattr(IbkrBroker, "submit", never_left)
        async with Runner.open(**patient) as runner:
            executing = asyncio.create_task(
                runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", quantity=3, cms_score=90))
            )
            first = await failed_attempt(runner)
        executing.cancel()
        monkeypatch.setattr(IbkrBroker, "submit", b_first)
        async with Runner.open(**patient) as runner:
            second = await runner.execute(Signal(signal_id="b", symbol="AAPL", side="BUY", quantity=2, cms_score=90))
            ended = [await runner.wait_closed(order_id, 20) for order_id in (first, second.order_id)]
        assert [(order.status.value, order.filled_quantity) for order in ended] == [("FILLED", Decimal(3)), ("FILLED", Decimal(2))]


async def failed_attempt(runner: Runner) -> UUID:
    """The order that has one, once that is stored."""
    async with asyncio.timeout(20):
        while True:
            for order in await runner.active_orders():
                if any(each.fact == "SubmissionFailed" for each in await runner.history(order.order_id)):
                    return order.order_id
            await asyncio.sleep(0.01)


async def test_fees_in_another_currency_than_the_stocks_stand_apart_in_every_report(tmp_path: Path) -> None:
    euros = VenueCommission(per_order=Decimal(1), currency="EUR")
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE, commission=euros)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin, Runner.open(**settings(tmp_path, twin)) as runner:
        for name in ("a", "b"):
            order = await runner.execute(Signal(signal_id=name, symbol="AAPL", side="BUY", quantity=3, cms_score=90))
            async with asyncio.timeout(20):
                while not (now := await runner.order(order.order_id)).other_commissions:  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(0.05)
            assert (now.commission, now.other_commissions) == (Decimal(0), {"EUR": Decimal(1)})
        (held,) = await runner.positions()
        assert (held.commission, held.realized_pnl_net, held.other_commissions) == (Decimal(0), Decimal(0), {"EUR": Decimal(2)})
        days = {day.currency: (day.fills, day.commission) for day in await runner.todays_summary()}
        assert days == {"USD": (2, Decimal(0)), "EUR": (0, Decimal(2))}
