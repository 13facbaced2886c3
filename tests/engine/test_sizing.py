"""How much a signal amounts to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.gateway.gateway import LONGEST_ASKING_SECONDS
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import BrokerAuthenticationError, BrokerConnectionError, BrokerRateLimitError, DecisionRefused
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import Refused, RejectReason
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.signal import UnusableSignal
from liveorder.domain.values import AssetClass, OptionRight, OrderType, TimeInForce
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import ACCOUNT, LAX, NOON, a_limit, a_scene, a_signal, until
from tests.engine.test_waiting_exits import BY_HAND, fills

BY_QUANTITY = replace(SIMULATED_CAPABILITIES, notional=False)


@pytest.mark.parametrize(
    ("fields", "quantity"),
    [
        ({"quantity": None}, "2"),
        ({"quantity": None, "order_type": "LIMIT", "limit_price": Decimal("333.33")}, "3"),
        ({"quantity": None, "order_type": "STOP", "stop_price": Decimal(510)}, "1"),
        ({"quantity": None, "notional": Decimal(1700)}, "3"),
        ({"quantity": Decimal("10.9")}, "10"),
        ({"quantity": None, "symbol": "BTC/USD"}, "0.0166"),
    ],
)
async def test_quantities_round_toward_zero_to_the_lot(tmp_path: Path, fields: dict[str, Any], quantity: str) -> None:
    async with a_scene(tmp_path, capabilities=BY_QUANTITY) as scene, scene.living() as engine:
        intent, refused = await engine.execute.validate(a_signal(**fields))
        assert refused == []
        assert (intent.terms.quantity, intent.terms.notional) == (Decimal(quantity), None)


async def test_a_broker_that_takes_cash_orders_is_given_the_amount(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(quantity=None, notional=Decimal(1700)))
        assert (order.terms.quantity, order.terms.notional) == (None, Decimal(1700))
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.quantity) == (OrderStatus.FILLED, Decimal(3))


COIN = {"symbol": "BTC/USD", "quantity": Decimal(1)}
NO_DAYS = replace(SIMULATED_CAPABILITIES, usual_times_in_force={AssetClass.CRYPTO: dict.fromkeys(OrderType, TimeInForce.GTC)})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (TimeInForce.DAY, None)),
        (COIN, (TimeInForce.GTC, None)),
        (COIN | {"time_in_force": "IOC"}, (TimeInForce.IOC, None)),
        (COIN | {"time_in_force": "DAY"}, (TimeInForce.DAY, None)),
        (COIN | {"order_type": "LIMIT", "limit_price": 60000}, (TimeInForce.GTC, 300.0)),
        (COIN | {"order_type": "LIMIT", "limit_price": 60000, "timeout_seconds": 20}, (TimeInForce.GTC, 20.0)),
        (COIN | {"order_type": "LIMIT", "limit_price": 60000, "time_in_force": "GTC"}, (TimeInForce.GTC, None)),
        (COIN | {"order_type": "LIMIT", "limit_price": 60000, "role": "TAKE_PROFIT"}, (TimeInForce.GTC, None)),
        (COIN | {"order_type": "STOP", "stop_price": 90000}, (TimeInForce.GTC, None)),
    ],
)
async def test_a_signal_that_names_no_time_in_force_gets_the_usual_one_and_ends_as_if_for_the_day(
    tmp_path: Path, fields: dict[str, Any], expected: tuple[TimeInForce, float | None]
) -> None:
    async with a_scene(tmp_path, capabilities=NO_DAYS) as scene, scene.living() as engine:
        intent, _ = await engine.execute.validate(a_signal(**fields))
        assert (intent.terms.time_in_force, intent.terms.timeout_seconds) == expected


async def test_an_amount_is_left_to_the_broker_only_where_it_takes_amounts_of_that(tmp_path: Path) -> None:
    for_crypto = replace(SIMULATED_CAPABILITIES, notional_for=frozenset({AssetClass.CRYPTO}))
    async with a_scene(tmp_path, capabilities=for_crypto) as scene, scene.living() as engine:
        stock, _ = await engine.execute.validate(a_signal(quantity=None, notional=Decimal(1700)))
        coin, _ = await engine.execute.validate(a_signal(quantity=None, notional=Decimal(1700), symbol="BTC/USD"))
        assert (stock.terms.quantity, stock.terms.notional) == (Decimal(3), None)
        assert (coin.terms.quantity, coin.terms.notional) == (None, Decimal(1700))


@pytest.mark.parametrize("fields", [{"quantity": Decimal("0.5")}, {"quantity": None, "notional": Decimal(499)}])
async def test_less_than_a_lot_is_refused_as_invalid(tmp_path: Path, fields: dict[str, Any]) -> None:
    async with a_scene(tmp_path, capabilities=BY_QUANTITY) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(**fields))
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "INVALID")
        assert "less than one lot" in (order.error_message or "")
        assert scene.witness.calls == []


async def test_limit_prices_round_to_the_tick_so_that_nothing_worse_is_paid(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=LAX.model_copy(update={"allow_short_selling": True})) as scene, scene.living() as engine:
        bought, _ = await engine.execute.validate(a_limit(limit_price=Decimal("400.019")))
        sold, _ = await engine.execute.validate(a_limit(side="SELL", limit_price=Decimal("600.011")))
        assert (bought.terms.limit_price, sold.terms.limit_price) == (Decimal("400.01"), Decimal("600.02"))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"order_type": "LIMIT", "limit_price": Decimal("0.00009")}, "limit_price"),
        ({"order_type": "LIMIT", "limit_price": Decimal(-5)}, "limit_price"),
        ({"order_type": "STOP", "stop_price": Decimal(0)}, "stop_price"),
    ],
)
async def test_a_price_of_which_nothing_is_left_is_refused_as_invalid(tmp_path: Path, fields: dict[str, Any], named: str) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(**fields))
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "INVALID")
        assert (order.error_message or "").startswith(f"{named}: {fields[named]:f} is less than one tick of 0.0001")
        assert scene.witness.calls == []


class OldPrices:
    """An hour behind."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        return Quote(last=Price(Decimal(500), NOON - timedelta(hours=1)))


class NoPrices:
    async def latest(self, instrument: Instrument) -> Quote | None:
        return None


class BrokenPrices:
    async def latest(self, instrument: Instrument) -> Quote | None:
        raise BrokerConnectionError("the feed is down")


@pytest.mark.parametrize("prices", [OldPrices(), NoPrices(), BrokenPrices()])
@pytest.mark.parametrize("fields", [{}, {"quantity": None}, {"quantity": None, "notional": Decimal(1000)}])
async def test_without_a_fresh_price_a_market_order_is_refused(tmp_path: Path, prices: OldPrices, fields: dict[str, Any]) -> None:
    async with a_scene(tmp_path, market_data=prices) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(**fields))
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "RISK")
        assert "price of SPY" in (order.error_message or "")
        assert scene.witness.calls == []


class ThinMarket:
    """Traded an hour ago, quoted now."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        return Quote(Price(Decimal(480), NOON), Price(Decimal(520), NOON), Price(Decimal(500), NOON - timedelta(hours=1)))


@pytest.mark.parametrize(("side", "price"), [("BUY", 520), ("SELL", 480)])
async def test_what_was_last_traded_long_ago_is_sized_by_its_quotes(tmp_path: Path, side: str, price: int) -> None:
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with (
        a_scene(tmp_path, capabilities=BY_QUANTITY, market_data=ThinMarket(), limits=limits) as scene,
        scene.living() as engine,
    ):
        order = await engine.execute.execute(a_signal(side=side, quantity=None, notional=Decimal(10400)))
        assert order.is_sent
        assert (order.terms.decision_price, order.quantity) == (Decimal(price), Decimal(10400 // price))


@pytest.mark.parametrize("prices", [OldPrices(), NoPrices(), BrokenPrices()])
async def test_what_can_only_reduce_goes_out_without_a_price(tmp_path: Path, prices: OldPrices) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_signal("in"))).is_sent
            await until(lambda: engine.is_quiet)
        scene.market_data = prices
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_signal("out", side="SELL"))).is_sent


async def test_a_question_for_a_price_that_the_venue_fails_is_put_again(tmp_path: Path) -> None:
    """Through the venue's own adapter, which tells of the failure and does not call it no price."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.QUERY_FAILED, Point.QUOTE)
        assert (await engine.execute.execute(a_signal())).is_sent


OPTION = Instrument(
    symbol="SPY",
    exchange="CBOE",
    asset_class=AssetClass.OPTION,
    expiry=date(2025, 6, 20),
    strike=Decimal(500),
    right=OptionRight.CALL,
    multiplier=Decimal(100),
)
SHARE = Instrument(symbol="SPY", exchange="ARCA")


class TwoOfAName:
    """A share, and an option on it that trades elsewhere."""

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        fitting = [OPTION] if query.right is not None else [SHARE]
        return next((each for each in fitting if query.exchange in (None, each.exchange)), None)


async def test_an_option_that_the_default_exchange_has_not_is_never_taken_for_its_share(tmp_path: Path) -> None:
    settled = {"default_exchange": "ARCA"}
    async with a_scene(tmp_path, account_terms=settled, instruments=TwoOfAName()) as scene, scene.living() as engine:
        option: dict[str, Any] = {"asset_class": "OPTION", "expiry": "2025-06-20", "strike": Decimal(500), "right": "CALL"}
        intent, _ = await engine.execute.validate(a_signal(**option))
        assert intent.instrument == OPTION
        share, _ = await engine.execute.validate(a_signal())
        assert share.instrument == SHARE


async def test_the_default_exchange_gives_way_where_it_has_not_the_symbol(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"default_exchange": "NSE"}) as scene, scene.living() as engine:
        intent, _ = await engine.execute.validate(a_signal())
        assert intent.instrument.exchange == "ARCA"
        with pytest.raises(UnusableSignal):
            await engine.execute.validate(a_signal(exchange="NSE"))


class NobodyAnswers:
    """An `Instruments` whose broker is away for so many questions."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        self.failures -= 1
        if self.failures >= 0:
            raise BrokerConnectionError("nobody answers")
        return SHARE


async def test_an_instrument_is_asked_for_again_before_the_signal_is_given_up(tmp_path: Path) -> None:
    async with a_scene(tmp_path, instruments=NobodyAnswers(2)) as scene, scene.living() as engine:
        intent, _ = await engine.execute.validate(a_signal())
        assert intent.instrument == SHARE


async def test_a_signal_whose_instrument_cannot_be_asked_for_is_a_dead_letter_and_can_come_again(tmp_path: Path) -> None:
    nobody = NobodyAnswers(3)
    async with a_scene(tmp_path, instruments=nobody) as scene, scene.living() as engine:
        with pytest.raises(UnusableSignal, match=r"could not be looked up.*send the signal again"):
            await engine.execute.execute(a_signal())
        assert nobody.failures == 0
        assert (await engine.execute.execute(a_signal())).is_sent


class NoAnswer:
    """A `MarketData` that fails so many times, or hangs, before it answers."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors, self.asked = list(errors), 0

    async def latest(self, instrument: Instrument) -> Quote | None:
        self.asked += 1
        if not self.errors:
            return Quote(last=Price(Decimal(500), NOON))
        if (error := self.errors.pop(0)) is not None:
            raise error
        return await asyncio.sleep(1e6, None)


AWAY = BrokerConnectionError("no route to host")


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_price_is_asked_for_again_as_a_request_would_be_sent_again(tmp_path: Path, failures: int) -> None:
    async with a_scene(tmp_path, market_data=NoAnswer(*[AWAY] * failures)) as scene, scene.living() as engine:
        began = scene.clock.monotonic()
        order = await engine.execute.execute(a_signal())
        assert order.is_sent
        assert scene.clock.monotonic() - began == pytest.approx([0, 1, 3][failures])


async def test_a_price_that_cannot_be_asked_for_refuses_the_order_in_the_brokers_own_words(tmp_path: Path) -> None:
    prices = NoAnswer(*[AWAY] * 3)
    async with a_scene(tmp_path, market_data=prices) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        (refused,) = [event for event in await scene.events(order) if isinstance(event, Refused)]
        assert (refused.code, prices.asked) == ("no_fresh_price", 3)
        assert "could not be asked for: no route to host" in refused.message


async def test_a_question_that_the_broker_refused_is_not_asked_again(tmp_path: Path) -> None:
    prices = NoAnswer(*[BrokerAuthenticationError("no subscription")] * 3)
    async with a_scene(tmp_path, market_data=prices) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        assert "could not be asked for: no subscription" in (order.error_message or "")
        assert prices.asked == 1


@pytest.mark.parametrize("error", [None, AWAY, BrokerRateLimitError("slow down", 3600.0)], ids=["hangs", "fails", "says when"])
async def test_however_often_may_be_tried_a_question_does_not_hold_a_signal_up_for_long(
    tmp_path: Path, error: Exception | None
) -> None:
    patient = {"retry": RetryPolicy(99)}
    async with a_scene(tmp_path, market_data=NoAnswer(*[error] * 99), account_terms=patient) as scene, scene.living() as engine:
        began = scene.clock.monotonic()
        order = await engine.execute.execute(a_signal())
        assert order.reason == "RISK"
        assert scene.clock.monotonic() - began <= LONGEST_ASKING_SECONDS + 10


async def test_a_limit_order_that_needs_no_price_goes_out_without_one(tmp_path: Path) -> None:
    async with a_scene(tmp_path, market_data=NoAnswer(*[AWAY] * 3)) as scene, scene.living() as engine:
        assert (await engine.execute.execute(a_limit())).is_sent


async def test_a_replace_asks_for_the_price_again_too(tmp_path: Path) -> None:
    collared = LAX.model_copy(update={"price_collar_percent": Decimal(50)})
    prices = NoAnswer()
    async with a_scene(tmp_path, market_data=prices, limits=collared) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        prices.errors = [AWAY]
        await engine.replace.replace(order.order_id, limit_price=Decimal(401))
        assert len(scene.witness.of("replace")) == 1
        prices.errors = [AWAY] * 3
        with pytest.raises(DecisionRefused, match="no route to host"):
            await engine.replace.replace(order.order_id, limit_price=Decimal(402))


@pytest.mark.parametrize(
    ("told", "age_seconds", "refusal"),
    [
        ({"price": Decimal(500)}, 5, None),
        ({"price": Decimal(500)}, 50, "no_fresh_price"),
        ({}, 5, "no_fresh_price"),
    ],
)
async def test_where_the_broker_tells_no_price_the_signals_own_counts_as_old_as_the_signal_is(
    tmp_path: Path, told: dict[str, Any], age_seconds: int, refusal: str | None
) -> None:
    limits = LAX.model_copy(update={"max_position_size": Decimal(100_000), "max_price_age_seconds": 10.0})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        engine.gateways[ACCOUNT].market_data = NoPrices()
        signal = a_signal(timestamp=NOON - timedelta(seconds=age_seconds), **told)
        intent, refused = await engine.execute.validate(signal)
        assert [each.code for each in refused] == ([] if refusal is None else [refusal])
        assert intent.terms.decision_price == (Decimal(500) if refusal is None else None)


async def test_validate_tells_what_the_broker_would_not_take(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        _, refused = await engine.execute.validate(a_limit(time_in_force="CLS"))
        assert [(each.reason, each.message) for each in refused] == [(RejectReason.INVALID, "time_in_force: simulated has no CLS")]
        assert scene.witness.calls == []


@pytest.mark.parametrize(("side", "asked", "sent"), [("SELL", "499.995", "499.99"), ("BUY", "500.005", "500.01")])
async def test_a_stop_between_two_ticks_rounds_away_from_the_market(tmp_path: Path, side: str, asked: str, sent: str) -> None:
    """Rounded as a limit is, it would stand at the market and trade at once."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in"))
        await until(lambda: engine.is_quiet)
        stop = await engine.execute.execute(a_signal("stop", side=side, order_type="STOP", stop_price=Decimal(asked), quantity=1))
        assert (stop.stop_price, stop.status) == (Decimal(sent), OrderStatus.SUBMITTED)
        moved = await engine.replace.replace(stop.order_id, stop_price=Decimal(asked))
        assert moved.status is OrderStatus.SUBMITTED


# --- what is sold for an amount of money -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("capabilities", [SIMULATED_CAPABILITIES, BY_QUANTITY])
@pytest.mark.parametrize(("notional", "quantity"), [("9999", "10"), ("5001", "10"), ("4999", "9")])
async def test_a_sale_for_an_amount_comes_to_no_more_than_is_held(
    tmp_path: Path, capabilities: BrokerCapabilities, notional: str, quantity: str
) -> None:
    """Ten at 500. As a quantity, which stays what it is when the price falls."""
    async with a_scene(tmp_path, capabilities=capabilities) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in"))
        await until(lambda: engine.is_quiet)
        order = await engine.execute.execute(a_signal("out", side="SELL", quantity=None, notional=Decimal(notional)))
        assert order.is_sent, order.error_message
        assert (order.terms.quantity, order.terms.notional) == (Decimal(quantity), None)


async def test_a_sale_for_an_amount_leaves_what_another_order_sells(tmp_path: Path) -> None:
    """One that trades at once."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_signal("in")), 10)
        await engine.execute.execute(a_signal("trades", side="SELL", quantity=Decimal(7)))
        order = await engine.execute.execute(a_signal("out", side="SELL", quantity=None, notional=Decimal(5000)))
        assert order.terms.quantity == 3
        none_left = await engine.execute.execute(a_signal("more", side="SELL", quantity=None, notional=Decimal(5000)))
        assert (none_left.status, none_left.reason) == (OrderStatus.REJECTED, "RISK")


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
@pytest.mark.parametrize(
    "size",
    [{"quantity": 10}, {"quantity": None, "notional": 5000}, {"quantity": None, "risk_percent": "0.1", "stop_loss": 600}],
    ids=["quantity", "notional", "risk_percent"],
)
@pytest.mark.parametrize("kind", [{"order_type": "LIMIT", "limit_price": 600}, {"order_type": "STOP", "stop_price": 300}])
async def test_what_rests_makes_room_for_a_sale_of_whatever_size(
    tmp_path: Path, kind: dict[str, Any], size: dict[str, Any], restarted: bool
) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        await fills(scene, engine, await engine.execute.execute(a_signal("in")), 10)
        rests = await engine.execute.execute(a_signal("rests", side="SELL", quantity=7, role="EXIT", **kind))
        if restarted:
            await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, seconds=3)
        sale = await engine.execute.execute(a_signal("out", side="SELL", **size))
        assert sale.is_waiting
        if restarted:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await until(lambda: scene.venue_orders(sale) != [])
        assert (await engine.orders.get(rests.order_id)).cancel_reason == "MADE_WAY"
        assert (await engine.orders.get(sale.order_id)).quantity == 10
        await engine.stop()


@pytest.mark.parametrize("filled", [0, 4, 10])
async def test_a_sale_for_an_amount_waits_for_its_buy_as_one_of_so_many_units(tmp_path: Path, filled: int) -> None:
    """While there is none of it. Its buy is not cancelled, and what that came to is sold."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        sale = await engine.execute.execute(a_signal("out", side="SELL", quantity=None, notional=Decimal(4000)))
        assert sale.is_waiting
        if filled:
            await fills(scene, engine, entry, filled)
        await asyncio.sleep(30)
        if filled != 10:
            assert (await engine.orders.get(sale.order_id)).is_waiting
            await engine.cancel.cancel(entry.order_id)
        await until(lambda: engine.orders.unfinished_with(entry.order_id) is None)
        await asyncio.sleep(5)
        after = await engine.orders.get(sale.order_id)
        assert (after.quantity if filled else after.status) == (min(8, filled) if filled else OrderStatus.REJECTED)


async def test_where_short_selling_is_allowed_a_sale_for_an_amount_is_sent_as_it_is(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(side="SELL", quantity=None, notional=Decimal(5000)))
        assert (order.terms.quantity, order.terms.notional) == (None, Decimal(5000))
