"""Contracts that are quoted in cents or pence: corn futures at 450.25 cents, a London share at 72.5 pence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from liveorder import Runner, Signal
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.application.reporting.views import OrderView
from liveorder.domain.errors import OutcomeUnknown
from liveorder.domain.execution_report import Execution, OrderReplaced, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OrderType
from liveorder.infrastructure.brokers.ibkr.contracts import described
from liveorder.infrastructure.brokers.ibkr.instruments import instrument_of
from liveorder.testing.exchange import Exchange, open_exchange
from liveorder.testing.venue.settings import PriceSource, VenueAccount, VenueSettings
from tests.twins.ibkr import ACCOUNT, CATALOGUE, TwsTwin, tws_twin
from tests.unit.ibkr.scene import Scene, scene
from tests.unit.ibkr.test_whole_path import LAX, settings

D = Decimal
CORN = InstrumentQuery("ZC", "CBOT", expiry=date(2027, 12, 14))
VODAFONE = InstrumentQuery("VOD", "LSE", currency="GBP")
CORN_PRICE, PENCE = D("450.25"), D("72.5")
CORN_KEY, VODAFONE_KEY = "CBOT:ZC:2027-12-14", "LSE:VOD"


@pytest.fixture
async def tws() -> AsyncIterator[Scene]:
    async with scene() as played:
        await played.connect()
        await played.exchange.control.post_price(CORN_KEY, CORN_PRICE)
        await played.exchange.control.post_price(VODAFONE_KEY, PENCE)
        yield played


async def found(tws: Scene, query: InstrumentQuery) -> Instrument:
    instrument = await tws.brokerage.instruments.resolve(query)
    assert instrument is not None
    return instrument


@pytest.mark.parametrize(
    ("query", "key", "multiplier", "tick", "worth"),
    [
        (CORN, CORN_KEY, "50", "0.25", ("1", "450.25", "22512.50")),
        (VODAFONE, VODAFONE_KEY, "0.01", "0.01", ("200", "72.5", "145")),
        (InstrumentQuery("VOD", "LSE"), VODAFONE_KEY, "0.01", "0.01", ("200", "72.5", "145")),
        (InstrumentQuery("VOD", currency="GBP"), VODAFONE_KEY, "0.01", "0.01", ("200", "72.5", "145")),
    ],
)
async def test_prices_are_as_quoted_and_values_in_the_currency(
    tws: Scene, query: InstrumentQuery, key: str, multiplier: str, tick: str, worth: tuple[str, str, str]
) -> None:
    instrument = await found(tws, query)
    quantity, price, value = map(D, worth)
    assert (instrument.key, instrument.multiplier, instrument.price_magnifier) == (key, D(multiplier), D(100))
    assert (instrument.tick_size, instrument.value_of(quantity, price)) == (D(tick), value)


async def test_quotes_are_told_as_quoted(tws: Scene) -> None:
    for query, price in ((CORN, CORN_PRICE), (VODAFONE, PENCE)):
        quote = await tws.brokerage.market_data.latest(await found(tws, query))
        assert quote is not None
        assert [each and each.amount for each in (quote.bid, quote.ask, quote.last)] == [price] * 3


@pytest.mark.parametrize(
    ("terms", "wire"),
    [
        ({"limit_price": D("450.25")}, {"lmtPrice": "450.25"}),
        ({"order_type": OrderType.STOP, "limit_price": None, "stop_price": D("460.5")}, {"auxPrice": "460.5"}),
        (
            {"order_type": OrderType.STOP_LIMIT, "limit_price": D(461), "stop_price": D("460.5")},
            {"lmtPrice": "461", "auxPrice": "460.5"},
        ),
        ({"order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_amount": D("2.25")}, {"auxPrice": "2.25"}),
    ],
)
async def test_an_order_goes_out_at_its_quoted_price_for_the_real_contract(
    tws: Scene, terms: dict[str, Any], wire: dict[str, str]
) -> None:
    corn = await found(tws, CORN)
    prepared = await tws.placed(instrument=corn, quantity=D(1), **terms)
    content = json.loads(prepared.payload)
    assert {name: content["order"][name] for name in wire} == wire
    assert content["contract"]["multiplier"] == "5000"
    snapshot = await tws.find(prepared)
    assert isinstance(snapshot, OrderSnapshot)
    assert snapshot.limit_price == terms.get("limit_price")
    assert snapshot.stop_price == terms.get("stop_price")


def test_a_contract_that_tws_was_not_asked_for_is_described_with_its_real_multiplier() -> None:
    """As after a restart, when orders and positions come from the store. A share has none."""
    corn = Instrument(symbol="ZC", exchange="CBOT", asset_class=AssetClass.FUTURE, multiplier=D(50), price_magnifier=D(100))
    share = Instrument(symbol="VOD", exchange="LSE", currency="GBP", multiplier=D("0.01"), price_magnifier=D(100))
    assert described(corn)["multiplier"] == "5000"
    assert "multiplier" not in described(share)


def test_an_instrument_that_an_earlier_version_stored_stays_as_it_was() -> None:
    """It had the real multiplier and no magnifier, and its bytes do not change."""
    stored = (
        '{"symbol":"ZC","exchange":"CBOT","asset_class":"FUTURE","currency":"USD","tick_size":"0.0025","lot_size":"1",'
        '"multiplier":"5000","calendar":"CMES","expiry":"2027-12-14","strike":null,"right":null}'
    )
    corn = Instrument.from_json(stored)
    assert corn.to_json() == stored
    assert (corn.price_magnifier, described(corn)["multiplier"]) == (D(1), "5000")


async def test_an_order_for_a_stored_instrument_finds_its_contract(tws: Scene) -> None:
    stored = (await found(tws, CORN)).but(multiplier=D(5000), price_magnifier=D(1), tick_size=D("0.0025"))
    placed = await tws.placed(instrument=stored, quantity=D(1), limit_price=CORN_PRICE)
    (replaced,) = await tws.replace(placed, limit_price=D("449.75"))
    assert isinstance(replaced, OrderReplaced)
    assert replaced.limit_price == D("449.75")


async def test_fills_and_averages_are_told_as_quoted(tws: Scene) -> None:
    placed = await tws.placed(instrument=await found(tws, CORN), quantity=D(3), limit_price=CORN_PRICE)
    await tws.fill(quantity=2, price=D("449.5"))
    (fill,) = await tws.until_told(Execution)
    assert (fill.quantity, fill.price) == (D(2), D("449.5"))
    snapshot = await tws.find(placed)
    assert isinstance(snapshot, OrderSnapshot)
    assert (snapshot.limit_price, snapshot.average_price) == (CORN_PRICE, D("449.5"))
    (listed,) = await tws.broker.open_orders()
    assert (listed.limit_price, listed.average_price) == (CORN_PRICE, D("449.5"))
    (again,) = await tws.broker.executions_since(datetime.now(UTC) - timedelta(days=1))
    assert again.price == D("449.5")


@pytest.mark.parametrize(("query", "price"), [(CORN, CORN_PRICE), (VODAFONE, PENCE)])
async def test_a_position_is_told_at_its_quoted_average(tws: Scene, query: InstrumentQuery, price: Decimal) -> None:
    """TWS tells its cost in the currency: 22,512.50 USD for a corn future, 0.725 GBP for the share."""
    instrument = await found(tws, query)
    await tws.placed(instrument=instrument, limit_price=price)
    await tws.fill(price=price)

    async def is_held() -> bool:
        held: list[BrokerPosition] = await tws.broker.positions()
        return held == [BrokerPosition(instrument, D(4), price)]

    await tws.until(is_held)
    fresh = await tws.another(client_id=2)  # which has resolved nothing yet
    await fresh.broker.connect()
    assert await fresh.broker.positions() == [BrokerPosition(instrument, D(4), price)]
    await fresh.broker.close()


@pytest.mark.parametrize("untold", [0, None])
def test_a_magnifier_that_is_not_told_is_one(untold: int | None) -> None:
    contract = {"secType": "FUT", "symbol": "ES", "exchange": "CME", "multiplier": "50"}
    details = SimpleNamespace(priceMagnifier=untold, minTick=0.25, sizeIncrement=1.0)
    instrument = instrument_of(contract, details)
    assert (instrument.multiplier, instrument.price_magnifier, instrument.tick_size) == (D(50), D(1), D("0.25"))


def test_a_magnifier_that_leaves_no_exact_multiplier_is_refused() -> None:
    """No fill of it could be booked to the last digit."""
    details = SimpleNamespace(priceMagnifier=3, minTick=0.25, sizeIncrement=1.0)
    with pytest.raises(OutcomeUnknown, match="price magnifier of 3"):
        instrument_of({"secType": "FUT", "symbol": "ES", "exchange": "CME", "multiplier": "50"}, details)


# --- through the whole program -------------------------------------------------------------------------------------------------

ZC: dict[str, Any] = {"symbol": "ZC", "exchange": "CBOT", "expiry": "2027-12-14"}
VOD: dict[str, Any] = {"symbol": "VOD", "exchange": "LSE", "currency": "GBP"}


@asynccontextmanager
async def running(folder: Path, **risk: Any) -> AsyncIterator[tuple[Runner, Exchange, TwsTwin]]:
    """Orders at the market are filled at once."""
    prices = PriceSource(volatility=0, start_prices={"ZC": CORN_PRICE, "VOD": PENCE})
    venue = VenueSettings(accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE, prices=prices)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin:
        told = settings(folder, twin)
        account = {"id": "ibkr", "broker": "ibkr", "risk_by_currency": {"GBP": LAX}}
        async with Runner.open(**told | {"accounts": [account], "risk": told["risk"] | risk}) as runner:
            yield runner, exchange, twin


async def traded(runner: Runner, signal_id: str, side: str, **fields: Any) -> OrderView:
    score = 90 if side == "BUY" else -90
    order = await runner.execute(Signal(signal_id=signal_id, side=side, cms_score=score, **fields))
    assert order.error_message is None
    return await runner.wait_closed(order.order_id, 20)


async def test_a_contract_in_cents_is_sized_limited_and_booked_in_dollars(tmp_path: Path) -> None:
    """1 ZC at 450.25 is worth 22,512.50 USD: 50,000 USD buy two, and five cents more on each earn 500."""
    async with running(tmp_path, max_position_size=50_000) as (runner, exchange, _):
        bought = await traded(runner, "a", "BUY", notional=50_000, **ZC)
        assert (bought.filled_quantity, bought.average_price) == (D(2), CORN_PRICE)
        (held,) = await runner.positions()
        assert (held.quantity, held.average_price, held.multiplier) == (D(2), CORN_PRICE, D(50))
        refused = await runner.execute(Signal(signal_id="b", side="BUY", quantity=1, **ZC))
        assert "67537.50" in (refused.error_message or "")
        assert all(report.is_clean for report in await runner.reconcile())
        await exchange.control.post_price(CORN_KEY, D("455.25"))
        await traded(runner, "c", "SELL", quantity=2, **ZC)
        (closed,) = await runner.positions()
        assert (closed.quantity, closed.realized_pnl) == (D(0), D(500))


async def test_what_is_held_in_pence_is_flattened(tmp_path: Path) -> None:
    """The account is in dollars, and the share in pounds."""
    async with running(tmp_path) as (runner, _, twin):
        await traded(runner, "a", "BUY", quantity=200, **VOD)
        report = await runner.kill(flatten=True)
        assert (report.is_flat, report.remaining, report.not_closed) == (True, (), ())
        assert twin.placed[-1][16:18] == ["SELL", "200"]
