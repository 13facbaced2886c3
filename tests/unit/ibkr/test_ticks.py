"""Steps of price that widen with the price: what the market rule of the order's exchange says, in whichever unit it says it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from liveorder import Runner, Signal
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.values import OptionRight
from liveorder.infrastructure.brokers.ibkr import questions
from liveorder.infrastructure.brokers.ibkr.ticks import Ticks, rule_at, ticks_of
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import stage_settings
from liveorder.testing.venue.settings import VenueAccount
from tests.twins.ibkr import ACCOUNT, CATALOGUE, tws_twin, wire
from tests.unit.ibkr.scene import Scene, scene
from tests.unit.ibkr.test_instruments import ENDS
from tests.unit.ibkr.test_quoted_unit import CORN, VODAFONE
from tests.unit.ibkr.test_whole_path import settings

D = Decimal
INDEX_OPTION: dict[str, Any] = {"expiry": ENDS, "strike": D(6000), "right": OptionRight.CALL}
LISTED = BUILT_IN.with_file(CATALOGUE)
ALL = [
    (InstrumentQuery("AAPL"), "NASDAQ:AAPL"),
    (InstrumentQuery("SPX/SPX", **INDEX_OPTION), "SMART:SPX:2027-12-17:6000:CALL"),
    (InstrumentQuery("ES", "CME", expiry=ENDS), "CME:ES:2027-12-17"),
    (InstrumentQuery("EUR/USD"), "IDEALPRO:EUR/USD"),
    (InstrumentQuery("BTC/USD", "PAXOS"), "PAXOS:BTC/USD"),
    (CORN, "CBOT:ZC:2027-12-14"),
    (VODAFONE, "LSE:VOD"),
]


@pytest.fixture
async def tws() -> AsyncIterator[Scene]:
    async with scene() as played:
        await played.connect()
        yield played


async def found(tws: Scene, query: InstrumentQuery) -> Instrument:
    instrument = await tws.brokerage.instruments.resolve(query)
    assert instrument is not None
    return instrument


def grid(instrument: Instrument) -> tuple[Decimal, tuple[TickRule, ...]]:
    return instrument.tick_size, instrument.tick_rules


def told(tws: Scene) -> list[str]:
    log: Any = tws.brokerage.instruments
    return [line for line in log._log.lines if "price increments" in line]


@pytest.mark.parametrize("are_quoted", [False, True])
@pytest.mark.parametrize(("query", "key"), ALL)
async def test_steps_are_those_of_the_exchange_whichever_unit_they_are_told_in(
    tws: Scene, query: InstrumentQuery, key: str, are_quoted: bool
) -> None:
    tws.twin.market_rules_are_quoted = are_quoted
    assert grid(await found(tws, query)) == grid(LISTED.listed(key).instrument)
    assert not told(tws)


async def test_a_rule_is_asked_for_once_in_a_connection(tws: Scene) -> None:
    await found(tws, InstrumentQuery("SPX/SPXW", **INDEX_OPTION))
    (rule,) = tws.twin.market_rules_asked
    for query in (InstrumentQuery("SPY", expiry=ENDS, strike=D(500), right=OptionRight.CALL), InstrumentQuery("EUR/USD")):
        await found(tws, query)
    await found(tws, InstrumentQuery("AAPL"))
    await found(tws, InstrumentQuery("MSFT"))
    assert tws.twin.market_rules_asked.count(rule) == 1
    assert len(tws.twin.market_rules_asked) == len(set(tws.twin.market_rules_asked))
    tws.twin.hang_up()
    await tws.reports_ended()
    await tws.connect()
    await found(tws, InstrumentQuery("AAPL", "NASDAQ"))
    assert len(tws.twin.market_rules_asked) == len(set(tws.twin.market_rules_asked)) + 1


async def test_without_an_answer_the_smallest_step_counts_which_is_said_once(tws: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    tws.twin.market_rules_are_untold = True
    for query in (VODAFONE, InstrumentQuery("VOD", "LSE")):
        assert grid(await found(tws, query)) == (D("0.01"), ())
    assert len(told(tws)) == 1
    assert "LSE:VOD: 0.01 counts at any price" in told(tws)[0]
    assert len(tws.twin.market_rules_asked) == 1  # an order need not wait again
    tws.twin.market_rules_are_untold = False
    monkeypatch.setattr(questions, "PAUSE_SECONDS", 0.0)
    for query in (VODAFONE, InstrumentQuery("VOD", "LSE")):
        assert grid(await found(tws, query)) == grid(LISTED.listed("LSE:VOD").instrument)


async def test_an_answer_that_comes_late_counts(tws: Scene) -> None:
    tws.twin.market_rules_are_untold = True
    await found(tws, VODAFONE)
    (asked,) = tws.twin.market_rules_asked
    decoder = tws.broker._connection.session._ib.client.decoder
    decoder.interpret(wire.market_rule(asked, [("0", "0.0001"), ("1", "0.001")]))
    assert grid(await found(tws, VODAFONE)) == (D("0.01"), (TickRule(from_price=D(100), tick_size=D("0.1")),))
    assert len(tws.twin.market_rules_asked) == 1


# --- details and rules ---------------------------------------------------------------------------------------------------------


def details(smallest: float = 0.01, magnifier: int = 1, exchanges: str = "", rules: str = "") -> SimpleNamespace:
    return SimpleNamespace(minTick=smallest, priceMagnifier=magnifier, validExchanges=exchanges, marketRuleIds=rules)


def rule(*steps: tuple[float, float]) -> list[SimpleNamespace]:
    return [SimpleNamespace(lowEdge=edge, increment=step) for edge, step in steps]


def ticks(smallest: str, **wider: str) -> Ticks:
    return Ticks(D(smallest), tuple(TickRule(from_price=D(edge[1:]), tick_size=D(step)) for edge, step in wider.items()))


@pytest.mark.parametrize(
    ("exchanges", "rules", "number"),
    [
        ("SMART,NASDAQ,IBUSOPT", "26,27,28", 26),
        ("NASDAQ,SMART", "27,26", 26),
        ("NASDAQ,SMART", "27,", None),
        ("NASDAQ,LSE", "27,26", None),
        ("SMART,NASDAQ", "26", None),
        ("SMART", "", None),
        ("", "", None),
        ("SMART", "x", None),
    ],
)
def test_the_rule_is_that_of_the_exchange_to_which_orders_go(exchanges: str, rules: str, number: int | None) -> None:
    assert rule_at("SMART", details(exchanges=exchanges, rules=rules)) == number


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (((0.0, 0.01),), ticks("0.01")),
        (((0.0, 0.0001), (1.0, 0.01)), ticks("0.0001", _1="0.01")),
        (((1.0, 0.01), (0.0, 0.0001)), ticks("0.0001", _1="0.01")),
        (((-9999.0, 1.0), (0.0, 0.5), (10.0, 1.0)), ticks("0.5", _10="1")),
        (((0.0, 0.05), (3.0, 0.05), (5.0, 0.1)), ticks("0.05", _5="0.1")),
        (((5.0, 0.1), (10.0, 0.5)), ticks("0.1", _10="0.5")),
    ],
)
def test_a_rule_is_a_step_from_each_price_on(steps: tuple[tuple[float, float], ...], expected: Ticks) -> None:
    assert ticks_of(details(0.0001), rule(*steps)) == expected


@pytest.mark.parametrize(
    "steps",
    [
        (),
        ((0.0, 0.0),),
        ((0.0, 0.01), (1.0, 0.0)),
        ((0.0, -1.0),),
        ((0.0, 1.7976931348623157e308),),
        ((float("nan"), 0.01),),
    ],
)
def test_a_rule_that_makes_no_sense_is_none(steps: tuple[tuple[float, float], ...]) -> None:
    assert ticks_of(details(0.05), rule(*steps)) == Ticks(D("0.05"), is_whole=False)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (((0.0, 0.0025),), ticks("0.25")),
        (((0.0, 0.25),), ticks("0.25")),
        (((0.0, 0.0025), (5.0, 0.01)), ticks("0.25", _500="1")),
        (((0.0, 0.25), (500.0, 1.0)), ticks("0.25", _500="1")),
        (((0.0, 0.005),), ticks("0.5")),
        (((0.0, 0.5),), ticks("0.5")),
        ((), Ticks(D("0.25"), is_whole=False)),
    ],
)
def test_the_smallest_step_tells_the_unit_of_a_rule(steps: tuple[tuple[float, float], ...], expected: Ticks) -> None:
    """Corn: minTick is 0.0025 dollars, a quarter of a cent."""
    assert ticks_of(details(0.0025, 100), rule(*steps)) == expected


# --- through the whole program -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "sent"), [("0.8765", "0.8765"), ("231.2345", "231.23"), ("0.00421", "0.0042")])
async def test_an_order_goes_out_on_the_steps_at_its_price(tmp_path: Path, asked: str, sent: str) -> None:
    venue = stage_settings(VenueAccount(account_id=ACCOUNT), catalogue_file=CATALOGUE)
    async with open_exchange(venue) as exchange, tws_twin(exchange) as twin:
        told = settings(tmp_path, twin)
        async with Runner.open(**told | {"risk": told["risk"] | {"price_collar_percent": None}}) as runner:
            limit: dict[str, Any] = {"order_type": "LIMIT", "limit_price": asked, "quantity": 1, "cms_score": 90}
            await runner.execute(Signal(signal_id="a", symbol="AAPL", side="BUY", **limit))
            assert [fields[19] for fields in twin.placed] == [sent]
