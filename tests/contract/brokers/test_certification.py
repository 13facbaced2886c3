"""What certification says of a broker that keeps its word, of one that does not, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from liveorder.application.ports.broker import Absence, BrokerRequest, Prepared, SubmitRequest
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import BrokerRefusal, InvalidInput, OrderValidationError
from liveorder.domain.execution_report import Accepted, BrokerStatus, ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import AssetClass, OrderType, Side, TradingHours, TradingMode
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.clock import SystemClock
from liveorder.testing.certification import Certification
from liveorder.testing.finding import Finding
from liveorder.testing.stage import Stage
from liveorder.testing.trials import TinyOrder
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.contract.brokers.simulated_stage import simulated_stage

AAPL = InstrumentQuery(symbol="AAPL", exchange="NASDAQ")
TINY = TinyOrder(max_value=Decimal(250))
D = Decimal


class QuickClock(SystemClock):
    """Whoever sleeps wakes at once, and finds that the time has passed."""

    def __init__(self) -> None:
        self._slept = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._slept)

    def monotonic(self) -> float:
        return super().monotonic() + self._slept

    async def sleep(self, seconds: float) -> None:
        self._slept += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with simulated_stage() as stage:
        yield stage


async def certified(
    stage: Stage,
    order: TinyOrder | None = TINY,
    query: InstrumentQuery = AAPL,
    mode: TradingMode = TradingMode.SIMULATION,
    **parts: Any,
) -> dict[str, Finding]:
    """`parts`: of the brokerage, in place of the stage's."""
    certification = Certification(replace(stage.brokerage, **parts), stage.account_id, mode, QuickClock())
    return {finding.question: finding async for finding in certification.findings(query, order)}


def differing(findings: dict[str, Finding]) -> list[str]:
    return [finding.question for finding in findings.values() if finding.agrees is False]


async def nothing_is_left(stage: Stage) -> bool:
    live = (BrokerStatus.PENDING, BrokerStatus.WORKING)
    return not any(order.status in live for order in await stage.venue.orders(stage.account_id))


async def test_a_broker_that_keeps_its_word_agrees_in_everything(stage: Stage) -> None:
    findings = await certified(stage)
    assert differing(findings) == []
    assert findings["paper or live"].measured == "SIMULATION"
    assert findings["prices"].measured.startswith("no bid, no ask, last 200 of ")
    assert findings["instrument"].measured == "tick 0.0001, 0.01 from 1; lot 1; multiplier 1; XNYS"
    assert findings["the key again, open"].measured == "refused"
    assert findings["the key again, cancelled"].measured == "refused"
    assert findings["a replace"].agrees
    assert findings["order"].measured == "buy 1 NASDAQ:AAPL at 180.0"
    assert findings["a price off the grid"].measured.startswith("refused at once: venue: price: 180.005 is not in ticks of 0.01")
    assert findings["an order that only reduces"].agrees is None
    assert await nothing_is_left(stage)


async def test_every_declared_type_is_tried_once_but_those_that_meet_the_market(stage: Stage) -> None:
    findings = await certified(stage)
    sent = await stage.venue.orders(stage.account_id)
    types = sorted(order.order_type for order in sent if order.order_type is not None)
    rest = [kind for kind in OrderType if not kind.traits.meets_the_market]
    assert types == sorted([*rest, OrderType.LIMIT, OrderType.LIMIT])
    for kind in {*rest} - {OrderType.LIMIT}:
        assert findings[f"a {kind} order"].measured == "taken: WORKING"
    assert {order.filled_quantity for order in sent} == {0}
    assert findings["an order for extended hours"].agrees
    assert findings["a price in steps of 0.0001"].agrees
    assert D("0.9999") in {order.limit_price for order in sent}


async def test_of_what_is_traded_in_parts_one_unit_is_bought_where_that_is_allowed(stage: Stage) -> None:
    coin = InstrumentQuery(symbol="ETH/USD")
    assert (await certified(stage, TinyOrder(D(5000)), coin))["order"].measured.startswith("buy 1 CRYPTO:ETH/USD")
    assert (await certified(stage, TinyOrder(D(200)), coin))["order"].measured.startswith("buy 0.0001 CRYPTO:ETH/USD")


async def test_no_order_is_worth_more_than_was_allowed(stage: Stage) -> None:
    findings = await certified(stage, TinyOrder(D(200)))
    assert findings["a STOP order"].measured == "not tried: it is worth 220.0"
    assert findings["a MARKET_IF_TOUCHED order"].agrees
    assert differing(findings) == []


async def test_without_an_order_nothing_is_sent(stage: Stage) -> None:
    findings = await certified(stage, None)
    money = ["equity", "cash", "buying power", "initial margin", "maintenance margin", "available funds"]
    asked = ["open orders", "executions of a day", "positions", "prices", "instrument"]
    assert [*findings] == ["account", "paper or live", *money, *asked]
    assert await stage.venue.orders(stage.account_id) == []


async def test_each_figure_of_the_account_is_told_and_so_is_what_an_open_order_takes_of_it(stage: Stage) -> None:
    findings = await certified(stage)
    assert [(findings[name].measured, findings[name].agrees) for name in ("equity", "buying power", "initial margin")] == [
        ("100000 USD", True),
        ("100000 USD", True),
        ("not reported", None),
    ]
    assert findings["buying power beside it"].measured == "fell by 180.0 for an order worth 180.0"


SECONDS = {"now": 0.0, "tomorrow": 86400.0, "yesterday": -86400.0}


@pytest.mark.parametrize(
    ("kind", "amount", "currency", "part", "when", "question", "measured"),
    [
        (FigureKind.CASH, "5", "USD", "", "tomorrow", "cash", "5 USD as of"),
        (FigureKind.EQUITY, "5", "USD", "", "yesterday", "equity", "5 USD as of"),
        (FigureKind.AVAILABLE_FUNDS, "NaN", "USD", "", "now", "available funds", "NaN USD"),
        (FigureKind.CASH, "5", "BASE", "", "now", "cash in BASE", "5 BASE"),
        (FigureKind.INITIAL_MARGIN, "-5", "USD", "", "now", "initial margin", "-5 USD"),
        (FigureKind.BUYING_POWER, "Infinity", "USD", "CRYPTO", "now", "buying power CRYPTO", "Infinity USD"),
    ],
)
async def test_a_figure_that_cannot_be_is_found_out(
    kind: FigureKind, amount: str, currency: str, part: str, when: str, question: str, measured: str
) -> None:
    class Odd(SimulatedBroker):
        async def account(self) -> BrokerAccount:
            at = datetime.now(UTC) + timedelta(seconds=SECONDS[when])
            return replace(await super().account(), figures=(Figure(kind, D(amount), currency, at, part),))

    async with simulated_stage(Odd) as stage:
        found = (await certified(stage, None))[question]
    assert (found.measured.startswith(measured), found.agrees) == (True, False)


class SaysThatKeysAreUnique(SimulatedBroker):
    @property
    def capabilities(self) -> BrokerCapabilities:
        return replace(super().capabilities, key_support=KeySupport.UNIQUE)


async def test_a_declaration_that_is_not_true_is_found_out_and_what_came_of_it_is_cancelled() -> None:
    async with simulated_stage(SaysThatKeysAreUnique, KeySupport.SEARCHABLE) as stage:
        findings = await certified(stage)
        assert (findings["the key again, open"].measured, findings["the key again, open"].agrees) == (
            "taken, as another order",
            False,
        )
        assert await nothing_is_left(stage)


# --- what an adapter may tell otherwise than it is -----------------------------------------------------------------------------


class SaysItIsPaper(SimulatedBroker):
    async def connect(self) -> BrokerAccount:
        return replace(await super().connect(), mode=TradingMode.PAPER)


async def test_money_of_another_kind_than_the_settings_say_is_found_out() -> None:
    async with simulated_stage(SaysItIsPaper) as stage:
        assert differing(await certified(stage)) == ["paper or live"]


NOW = datetime.now(UTC)


def quote(bid: str, ask: str, at: datetime = NOW) -> Quote:
    return Quote(bid=Price(D(bid), at), ask=Price(D(ask), at))


class Quoting:
    """A `MarketData` with one quote."""

    def __init__(self, told: Quote | None) -> None:
        self._told = told

    async def latest(self, instrument: Instrument) -> Quote | None:
        return self._told


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (quote("199", "201", NOW.replace(tzinfo=None)), "the bid's time is"),
        (quote("199", "201", NOW + timedelta(hours=1)), "the ask's time is"),
        (quote("201", "199"), "the bid is above the ask"),
    ],
)
async def test_prices_that_cannot_be_are_found_out(stage: Stage, told: Quote, words: str) -> None:
    findings = await certified(stage, None, market_data=Quoting(told))
    assert differing(findings) == ["prices"]
    assert words in findings["prices"].measured


async def test_no_order_goes_by_a_price_without_a_time(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="there is no price"):
        await certified(stage, market_data=Quoting(quote("199", "201", NOW.replace(tzinfo=None))))
    assert await stage.venue.orders(stage.account_id) == []


async def test_each_price_is_told_with_its_age(stage: Stage) -> None:
    now = datetime.now(UTC)
    told = structs.replace(quote("199.98", "200.02", now), last=Price(D(200), now - timedelta(hours=3)))
    findings = await certified(stage, market_data=Quoting(told))
    assert differing(findings) == []
    assert findings["prices"].measured.startswith("bid 199.98 of ")
    assert ", last 200 of 108" in findings["prices"].measured


async def test_without_any_price_nothing_is_sent(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="there is no price of NASDAQ:AAPL"):
        await certified(stage, market_data=Quoting(None))
    assert (await certified(stage, None, market_data=Quoting(None)))["prices"].agrees is None
    assert await stage.venue.orders(stage.account_id) == []


class Catalogue:
    """An `Instruments` with one instrument, in two editions: as it is first asked for, and by its whole name."""

    def __init__(self, instrument: Instrument, again: Instrument | None) -> None:
        self._first, self._again = instrument, again

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        return self._first if query == AAPL else self._again


def rules(*pairs: tuple[str, str]) -> tuple[TickRule, ...]:
    return tuple(TickRule(from_price=D(price), tick_size=D(tick)) for price, tick in pairs)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"multiplier": D(100)}, "one unit of EQUITY counts as 100"),
        ({"calendar": "24/7"}, "it is never closed"),
        ({"calendar": "NOWHERE"}, "calendar: NOWHERE is unknown"),
        ({"tick_rules": rules(("1.00005", "0.01"))}, "ticks of 0.01 do not begin at 1.00005"),
        ({"tick_rules": rules(("10", "0.01"), ("1", "0.01"))}, "ticks of 0.01 do not begin at 1"),
        ({"tick_rules": rules(("1", "0.05"))}, "the bid is between two ticks"),
    ],
)
async def test_an_instrument_that_cannot_be_is_found_out(stage: Stage, changes: dict[str, Any], words: str) -> None:
    odd = stage.instrument.but(**changes)
    findings = await certified(stage, None, market_data=Quoting(quote("199.98", "200")), instruments=Catalogue(odd, odd))
    assert differing(findings) == ["instrument"]
    assert words in findings["instrument"].measured


async def test_a_share_in_pence_counts_as_one(stage: Stage) -> None:
    share = stage.instrument.but(multiplier=D("0.01"), price_magnifier=D(100), tick_rules=())
    assert (await certified(stage, None, instruments=Catalogue(share, share)))["instrument"].agrees


@pytest.mark.parametrize(("again", "words"), [({"lot_size": D(10)}, "it is another"), (None, "it is unknown")])
async def test_an_instrument_that_is_another_by_its_own_name_is_found_out(
    stage: Stage, again: dict[str, Any] | None, words: str
) -> None:
    other = None if again is None else stage.instrument.but(**again)
    findings = await certified(stage, None, instruments=Catalogue(stage.instrument, other))
    assert words in findings["instrument"].measured
    assert findings["instrument"].agrees is False


class Untimed(SimulatedBroker):
    moved: timedelta | None = None

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        told = await super().executions_since(since)
        return [structs.replace(each, occurred_at=self._moved(each.occurred_at)) for each in told]

    def _moved(self, at: datetime | None) -> datetime | None:
        return None if at is None or self.moved is None else at + self.moved


class OfTomorrow(Untimed):
    moved = timedelta(days=1)


class OfYesterday(Untimed):
    moved = timedelta(days=-2)


@pytest.mark.parametrize(
    ("kind", "measured", "agrees"),
    [
        (SimulatedBroker, "1 reported", True),
        *((kind, "1 reported, 1 without a time of that day", False) for kind in (Untimed, OfTomorrow, OfYesterday)),
    ],
)
async def test_executions_have_the_time_at_which_they_were_made(kind: type[SimulatedBroker], measured: str, agrees: bool) -> None:
    async with simulated_stage(kind) as stage:
        assert (await certified(stage, None))["executions of a day"].agrees is None
        await stage.fill(await stage.rest(), 10)
        finding = (await certified(stage, None))["executions of a day"]
        assert (finding.measured, finding.agrees) == (measured, agrees)


# --- what an adapter may do otherwise than it declares -------------------------------------------------------------------------


class Sending(SimulatedBroker):
    """Changes what it is to send of orders that `changes_it` picks."""

    def changes_it(self, request: SubmitRequest) -> bool:
        return request.order_type is OrderType.STOP

    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields

    def prepare(self, request: BrokerRequest) -> Prepared:
        prepared = super().prepare(request)
        if not isinstance(request, SubmitRequest) or not self.changes_it(request):
            return prepared
        return structs.replace(prepared, payload=json.dumps(self.changed(json.loads(prepared.payload))))


class SendsStopsAsLimits(Sending):
    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"order_type": "LIMIT", "limit_price": "100", "stop_price": None}


class SendsAnotherStop(Sending):
    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"stop_price": "1000"}


class HasNoStops(Sending):
    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"stop_price": None}


class HasNoExtendedHours(Sending):
    def changes_it(self, request: SubmitRequest) -> bool:
        return request.hours is TradingHours.EXTENDED

    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"time_in_force": "OPG"}


class SendsForRegularHours(HasNoExtendedHours):
    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"hours": "regular"}


class RoundsByItself(Sending):
    def changes_it(self, request: SubmitRequest) -> bool:
        return request.limit_price is not None

    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"limit_price": str(round(D(fields["limit_price"]), 2))}


class MarksWhatReduces(SimulatedBroker):
    """And its broker takes no notice."""

    @property
    def capabilities(self) -> BrokerCapabilities:
        return replace(super().capabilities, reduce_only_for=frozenset({AssetClass.EQUITY}))


class TakesRefusalsForAcceptance(SimulatedBroker):
    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        try:
            return await super().submit(prepared)
        except OrderValidationError:
            return [Accepted(client_order_id=json.loads(prepared.payload)["client_order_id"])]


class RefusesWithoutAWord(SimulatedBroker):
    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        try:
            return await super().submit(prepared)
        except OrderValidationError as error:
            raise OrderValidationError from error


class RefusesWhatItHasSent(SimulatedBroker):
    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        told = await super().submit(prepared)
        if json.loads(prepared.payload)["order_type"] == "STOP":
            raise BrokerRefusal("no")
        return told


class ForgetsWhatEnded(SimulatedBroker):
    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        found = await super().find(client_order_id, broker_order_id, reference)
        if isinstance(found, Absence) or found.status is not BrokerStatus.CANCELLED:
            return found
        return structs.replace(found, status=BrokerStatus.UNKNOWN)


A_STOP, A_REDUCING, OFF = "a STOP order", "an order that only reduces", "a price off the grid"


@pytest.mark.parametrize(
    ("kind", "question", "words"),
    [
        (SendsStopsAsLimits, A_STOP, "taken as LIMIT"),
        (SendsAnotherStop, A_STOP, "taken as stop 1000"),
        (HasNoStops, A_STOP, "refused: venue: stop_price"),
        (RefusesWhatItHasSent, A_STOP, "refused: no"),
        (HasNoExtendedHours, "an order for extended hours", "refused: venue: time_in_force"),
        (SendsForRegularHours, "an order for extended hours", "taken as hours regular"),
        (RoundsByItself, OFF, "taken: WORKING"),
        (TakesRefusalsForAcceptance, OFF, "not refused in 30 s"),
        (RefusesWithoutAWord, OFF, "refused at once, without a reason"),
        (MarksWhatReduces, A_REDUCING, "taken: WORKING"),
        (ForgetsWhatEnded, A_STOP, "taken, not cancelled in 30 s"),
    ],
)
async def test_what_is_done_otherwise_than_declared_is_found_out_and_cancelled(
    kind: type[SimulatedBroker], question: str, words: str
) -> None:
    async with simulated_stage(kind) as stage:
        findings = await certified(stage)
        assert findings[question].agrees is False
        assert words in findings[question].measured
        assert await nothing_is_left(stage)


async def test_a_grid_that_is_finer_than_the_brokers_is_found_out(stage: Stage) -> None:
    """At the price of now by a replace, and at cheaper ones by an order there."""
    for changes, question in (
        ({"tick_size": D("0.00001")}, "a price in steps of 0.00001"),
        ({"tick_rules": rules(("1", "0.001"))}, "a replace"),
    ):
        odd = stage.instrument.but(**changes)
        findings = await certified(stage, instruments=Catalogue(odd, odd))
        assert findings[question].agrees is False
        assert "refused: " in findings[question].measured


async def test_what_is_held_is_not_sold(stage: Stage) -> None:
    async with simulated_stage(MarksWhatReduces) as stage:
        await stage.fill(await stage.rest(), 10)
        finding = (await certified(stage))[A_REDUCING]
        assert (finding.measured, finding.agrees) == ("not tried: NASDAQ:AAPL 10 is held", None)
        assert {order.side for order in await stage.venue.orders(stage.account_id)} == {Side.BUY}


class IsSlow(SimulatedBroker):
    sent: tuple[float, ...] = ()
    clock: QuickClock

    @property
    def capabilities(self) -> BrokerCapabilities:
        return replace(super().capabilities, requests_per_second=3)

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self.sent += (self.clock.monotonic(),)
        return await super().submit(prepared)

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self.sent += (self.clock.monotonic(),)
        return await super().cancel(prepared)


async def test_it_sends_no_faster_than_is_declared() -> None:
    async with simulated_stage(IsSlow) as stage:
        broker = stage.broker
        assert isinstance(broker, IsSlow)
        broker.clock = QuickClock()
        certification = Certification(stage.brokerage, stage.account_id, TradingMode.SIMULATION, broker.clock)
        assert [finding async for finding in certification.findings(AAPL, TINY)]
        assert all(later - earlier > 0.99 for earlier, later in zip(broker.sent, broker.sent[3:], strict=False))


# --- the end -------------------------------------------------------------------------------------------------------------------


async def test_an_order_whose_answer_was_lost_is_cancelled_in_the_end(stage: Stage) -> None:
    await stage.venue.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=1))
    findings = await certified(stage)
    assert "OutcomeUnknown" in findings["a new order's key"].measured
    assert findings["left at the end"].agrees
    assert await nothing_is_left(stage)


async def test_so_is_a_second_one_under_the_same_key() -> None:
    async with simulated_stage(SimulatedBroker, KeySupport.SEARCHABLE) as stage:
        await stage.venue.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=2))
        findings = await certified(stage)
        assert "OutcomeUnknown" in findings["the key again, open"].measured
        assert await nothing_is_left(stage)


class StumblesOnce(SimulatedBroker):
    """Over a cancel, in a way that no port knows."""

    has_stumbled = False

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        if not self.has_stumbled:
            self.has_stumbled = True
            raise KeyError("order")
        return await super().cancel(prepared)


async def test_a_defect_of_the_adapter_leaves_nothing_behind() -> None:
    async with simulated_stage(StumblesOnce) as stage:
        with pytest.raises(KeyError):
            await certified(stage)
        assert await stage.venue.orders(stage.account_id)
        assert await nothing_is_left(stage)


async def test_whoever_gives_up_early_leaves_nothing_behind(stage: Stage) -> None:
    certification = Certification(stage.brokerage, stage.account_id, TradingMode.SIMULATION, QuickClock())
    async for finding in (findings := certification.findings(AAPL, TINY)):
        if finding.question == "a new order's key":
            break
    await findings.aclose()
    assert len(await stage.venue.orders(stage.account_id)) == 1
    assert await nothing_is_left(stage)


async def test_an_order_whose_end_is_not_known_may_be_left() -> None:
    async with simulated_stage(ForgetsWhatEnded) as stage:
        findings = await certified(stage)
        assert findings["left at the end"].agrees is False
        assert findings["left at the end"].measured.count("order V") > 1


class Trades(SimulatedBroker):
    """Every stop at once."""

    stage: Stage

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        told = await super().submit(prepared)
        if json.loads(prepared.payload)["order_type"] == "STOP":
            await self.stage.venue.fill(str(told[0].broker_order_id), D(1), D(220))
        return told


async def test_what_traded_is_left() -> None:
    async with simulated_stage(Trades) as stage:
        assert isinstance(stage.broker, Trades)
        stage.broker.stage = stage
        findings = await certified(stage)
        assert differing(findings) == [A_STOP, "left at the end"]
        assert findings[A_STOP].measured.startswith("FILLED")
        assert findings["left at the end"].measured.startswith("1 traded by order V")


# --- real money, and what cannot be --------------------------------------------------------------------------------------------


class IsLive(MarksWhatReduces):
    async def connect(self) -> BrokerAccount:
        return replace(await super().connect(), mode=TradingMode.LIVE)


async def test_with_real_money_only_what_was_confirmed_is_tried_and_nothing_that_is_to_be_refused() -> None:
    async with simulated_stage(IsLive) as stage:
        with pytest.raises(InvalidInput, match="TRADING_MODE"):
            await certified(stage, mode=TradingMode.LIVE)
        assert await stage.venue.orders(stage.account_id) == []
        findings = await certified(stage, replace(TINY, may_be_live=True), mode=TradingMode.LIVE)
        assert differing(findings) == []
        not_tried = [finding.question for finding in findings.values() if finding.measured == "not tried: it is real money"]
        assert not_tried == ["a price in steps of 0.0001", OFF, A_REDUCING]
        sent = await stage.venue.orders(stage.account_id)
        assert {order.side for order in sent} == {Side.BUY}
        assert await nothing_is_left(stage)


async def test_questions_that_fail_are_findings(stage: Stage) -> None:
    asked = (Point.OPEN_ORDERS, Point.FIND, Point.ACCOUNT)
    await stage.venue.lay(*(Fault(kind=FaultKind.QUERY_FAILED, on=point, nth=1) for point in asked))
    findings = await certified(stage)
    assert findings["the account's money"].agrees is False
    assert findings["open orders"].agrees is False
    assert findings["a key that never was"].measured == "inconclusive"


@pytest.mark.parametrize(("symbol", "max_value", "field"), [("NOSUCHTHING", 250, "symbol"), ("AAPL", 179, "max_value")])
async def test_an_order_that_cannot_be_or_is_worth_too_much_is_refused_before_anything_is_sent(
    stage: Stage, symbol: str, max_value: int, field: str
) -> None:
    with pytest.raises(InvalidInput, match=field):
        await certified(stage, TinyOrder(D(max_value)), InstrumentQuery(symbol))
    assert await stage.venue.orders(stage.account_id) == []
