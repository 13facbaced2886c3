"""Parts of a program's own, beside those of the settings: market data, instruments, sources, publishers, notifiers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Runner, SettingsError, Signal, ThreadedRunner, UnusableSignal
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.plugins import Confirmation, Instrument, InstrumentQuery, Notice, Price, Quote
from tests.interfaces.test_runner import Messages, a_brokerage, settings


class Quotes:
    """One price for everything. `asked`: for which symbols."""

    def __init__(self, price: int | str) -> None:
        self.price, self.asked = Decimal(price), list[str]()

    async def latest(self, instrument: Instrument) -> Quote | None:
        self.asked.append(instrument.symbol)
        return Quote(last=Price(self.price, datetime.now(UTC)))


class Catalogue:
    """The simulated one, with names of one's own and lots of ten."""

    def __init__(self) -> None:
        self._known = SimulatedInstruments()

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        if query.symbol != "MY-COIN":
            return None
        found = await self._known.resolve(InstrumentQuery("BTC/USD"))
        return None if found is None else found.but(lot_size=Decimal(10))


class Published:
    name = "mine"

    def __init__(self) -> None:
        self.confirmations: list[Confirmation] = []

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        self.confirmations += confirmations


class Told:
    def __init__(self, name: str) -> None:
        self.name, self.came = name, asyncio.Event()
        self.notices: list[Notice] = []

    async def notify(self, notices: Sequence[Notice]) -> None:
        self.notices += notices
        self.came.set()


async def test_orders_of_a_built_in_broker_are_sized_by_quotes_of_ones_own(tmp_path: Path) -> None:
    quotes = Quotes(50)
    risk = {"risk": settings(tmp_path)["risk"] | {"position_size": 1000}}
    async with Runner.open(market_data=quotes, **settings(tmp_path) | risk) as runner:
        order = await runner.wait_closed((await runner.buy("BTC/USD")).order_id, 60)
        assert (order.quantity, order.status, order.broker) == (Decimal(20), "FILLED", "simulated")
        assert order.average_price != 50  # the exchange has prices of its own
    assert set(quotes.asked) == {"BTC/USD"}


async def test_each_account_may_have_its_own_quotes_and_the_others_have_their_brokers(tmp_path: Path) -> None:
    accounts = [{"id": "A"}, {"id": "B"}, {"id": "C"}]
    of_a, of_b = Quotes(50), Quotes(100)
    risk = {"risk": settings(tmp_path)["risk"] | {"position_size": 1000}}
    async with Runner.open(market_data={"A": of_a, "B": of_b}, **settings(tmp_path, accounts=accounts) | risk) as runner:
        sizes = [(await runner.buy("BTC/USD", account_id=account)).quantity for account in "ABC"]
        assert sizes[:2] == [Decimal(20), Decimal(10)]
        assert sizes[2] is not None
        assert sizes[2] < 1


async def test_one_object_serves_the_accounts_whose_brokerage_is_not_ones_own(tmp_path: Path) -> None:
    quotes = Quotes(50)
    with a_brokerage() as own:
        opening = Runner.open(brokers={"SIM": own}, market_data=quotes, **settings(tmp_path, accounts=[{"id": "SIM"}, {"id": "B"}]))
        async with opening as runner:
            await runner.buy("BTC/USD", notional=1000, account_id="SIM")
            assert quotes.asked == []
            assert (await runner.buy("BTC/USD", notional=1000, account_id="B")).broker == "simulated"
            assert quotes.asked


async def test_instruments_of_ones_own_name_and_round_what_is_traded(tmp_path: Path) -> None:
    risk = {"risk": settings(tmp_path)["risk"] | {"position_size": 25}}
    async with Runner.open(instruments=Catalogue(), market_data=Quotes(1), **settings(tmp_path) | risk) as runner:
        order = await runner.wait_closed((await runner.buy("MY-COIN")).order_id, 60)
        assert (order.symbol, order.quantity, order.status) == ("BTC/USD", Decimal(20), "FILLED")
        with pytest.raises(UnusableSignal, match="symbol: ETH/USD is no instrument"):
            await runner.validate(Signal(signal_id="u", symbol="ETH/USD", side="BUY", quantity=1))


async def test_publishers_and_notifiers_of_ones_own_get_everything_before_the_block_ends(tmp_path: Path) -> None:
    published, alerts, phone = Published(), Told("alerts"), Told("phone")
    parts: dict[str, Any] = {"publishers": [published], "notifiers": [alerts, (phone, {"fill": "silent", "dead_letter": "off"})]}
    source = Messages(Signal(signal_id="dead", symbol="BTC/USD", side="BUY", quantity=1, account_id="nobody"))
    async with Runner.open(sources=[source], **parts, **settings(tmp_path)) as runner:
        order = await runner.wait_closed((await runner.buy("BTC/USD", 1, signal_id="a")).order_id, 60)
        async with asyncio.timeout(60):
            await alerts.came.wait()
    assert [each.view.order_id for each in published.confirmations][-1] == order.order_id
    assert published.confirmations[-1].view.status == "FILLED"
    assert [each.event for each in alerts.notices] == ["dead_letter"]
    assert [(each.event, each.is_silent, each.order_id) for each in phone.notices] == [("fill", True, str(order.order_id))]


async def test_tables_of_the_settings_may_stand_beside_objects_of_ones_own(tmp_path: Path) -> None:
    lines, published = tmp_path / "signals.jsonl", Published()
    lines.write_text('{"signal_id":"l","symbol":"BTC/USD","side":"BUY","quantity":1}\n')
    ended = asyncio.Event()
    parts: dict[str, Any] = {
        "sources": [{"url": f"file:{lines}"}, Messages(Signal(signal_id="m", symbol="ETH/USD", side="BUY", quantity=1))],
        "publishers": [published, {"url": f"file:{tmp_path / 'confirmed.jsonl'}"}],
        "notifiers": [{"url": "log:", "events": {"fill": "on"}}],
    }
    filled: set[str] = set()

    def on_fill(order: Any, fill: Any) -> None:
        filled.add(order.signal_id)
        if filled == {"l", "m"}:
            ended.set()

    async with Runner.open(on_fill=on_fill, **parts, **settings(tmp_path)), asyncio.timeout(60):
        await ended.wait()
    confirmed = (tmp_path / "confirmed.jsonl").read_text().splitlines()
    assert len(confirmed) == len(published.confirmations) >= 2
    assert "Order filled" in "".join(path.read_text() for path in (tmp_path / "logs").iterdir())


def test_what_a_publisher_could_not_take_comes_to_it_after_the_next_start(tmp_path: Path) -> None:
    class Away(Published):
        async def publish(self, confirmations: Sequence[Confirmation]) -> None:
            raise ConnectionError("away")

    more = {"timeouts": {"drain_seconds": 0.5}}
    with ThreadedRunner(publishers=[Away()], **settings(tmp_path, **more)) as runner:
        order = runner.wait_closed(runner.buy("BTC/USD", 1, signal_id="a").order_id, 60)
    back = Published()
    with ThreadedRunner(publishers=[back], **settings(tmp_path, **more)):
        pass
    assert back.confirmations[-1].view.order_id == order.order_id


ACCOUNTS = [{"id": "SIM"}, {"id": "shut", "closed": True}]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"market_data": Quotes}, r"market_data: Quotes is a class; give an object of it: Quotes\(…\)"),
        ({"market_data": object()}, "market_data: a object is not a MarketData: it lacks latest"),
        ({"market_data": {}}, "market_data: an empty mapping; name an account, or leave it out"),
        ({"market_data": {"sim": Quotes(1)}}, "market_data: 'sim' is not an account that the settings trade; use SIM"),
        ({"market_data": {"shut": Quotes(1)}}, "market_data: 'shut' is not an account that the settings trade"),
        ({"market_data": {"SIM": 5}}, "market_data: 'SIM': a int is not a MarketData"),
        ({"instruments": Quotes(1)}, "instruments: a Quotes is not a Instruments: it lacks resolve"),
        ({"sources": Messages()}, r"sources: a Messages is not a list; give \[SignalSource, …\]"),
        ({"sources": "file:x"}, "sources: a str is not a list"),
        ({"sources": [Published()]}, r"sources\[0\]: a Published is not a SignalSource: it lacks finite, messages, acknowledge"),
        ({"publishers": [Told("x")]}, r"publishers\[0\]: a Told is not a Publisher: it lacks publish"),
        ({"publishers": {"x": Published()}}, "publishers: a dict is not a list"),
        ({"publishers": [Published(), Published()]}, "both are named 'mine' and would share one bookmark"),
        ({"notifiers": [Told("")]}, r"notifiers\[0\]: its name is ''; give a short one that stays"),
        ({"notifiers": [(Told("x"), {"fil": "on"})]}, r"notifiers\[0\]: 'fil' is unknown; did you mean 'fill'\?"),
        ({"notifiers": [(Told("x"), {"fill": "loud"})]}, r"notifiers\[0\]: fill: 'loud' is unknown; use one of on, silent, off"),
        ({"notifiers": [(Told("x"), "fill")]}, r"notifiers\[0\]: a tuple is not a Notifier"),
        ({"notifiers": Told}, "notifiers: a type is not a list"),
    ],
)
async def test_a_part_that_cannot_be_used_is_refused_before_anything_is_opened(
    tmp_path: Path, parts: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        async with Runner.open(**parts, **settings(tmp_path, accounts=ACCOUNTS)):
            raise AssertionError("opened")


@pytest.mark.parametrize("is_by_account", [False, True])
async def test_a_part_beside_a_brokerage_that_brings_its_own_is_refused(tmp_path: Path, is_by_account: bool) -> None:
    quotes: Any = {"SIM": Quotes(1)} if is_by_account else Quotes(1)
    with a_brokerage() as own, pytest.raises(SettingsError, match=r"market_data: .*brings its own; leave one of them out"):
        async with Runner.open(brokers={"SIM": own}, market_data=quotes, **settings(tmp_path)):
            raise AssertionError("opened")
