"""What Alpaca has of the account, and what is traded there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import Execution
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import AssetClass, OptionRight, OrderType, Side, TimeInForce, TradingMode
from liveorder.infrastructure.brokers.alpaca.assembly import brokerage, stream_address
from liveorder.infrastructure.brokers.alpaca.instruments import option_of
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from tests.twins.alpaca.customer import ACCOUNT, access, section
from tests.twins.alpaca.words import position_json
from tests.unit.alpaca.stage import AAPL, BTC, ETH, Live, live, order_json, order_of

D = Decimal
MSFT = BUILT_IN.listed("NASDAQ:MSFT").instrument
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def fill_json(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "activity_type": "FILL",
        "id": f"2019052411340{number:04d}::8efc7b9a-8b2b-4000-9955-d36e7db0df74",
        "cum_qty": str(number),
        "leaves_qty": "0",
        "price": "1.63",
        "qty": "1",
        "side": "buy",
        "symbol": "LPCN",
        "transaction_time": "2019-05-24T15:34:06.977Z",
        "order_id": "904837e3-3b76-47ec-b432-046db621571b",
        "type": "partial_fill",
    } | fields


async def test_fills_are_told_by_order_and_cumulative_quantity() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/account/activities/FILL", 200, [fill_json(7, qty=3, cum_qty="7.500")])
        assert await here.broker.executions_since(LONG_AGO) == [
            Execution(
                broker_order_id="904837e3-3b76-47ec-b432-046db621571b",
                occurred_at=datetime(2019, 5, 24, 15, 34, 6, 977000, tzinfo=UTC),
                execution_id="904837e3-3b76-47ec-b432-046db621571b:7.5",
                quantity=D(3),
                price=D("1.63"),
            )
        ]


async def test_a_row_that_cannot_be_read_makes_the_whole_answer_unknown() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/account/activities/FILL", 200, [fill_json(1), {"id": "x"}])
        with pytest.raises(OutcomeUnknown):
            await here.broker.executions_since(LONG_AGO)


async def test_fills_are_read_page_by_page() -> None:
    async with live() as here:
        (accepted,) = await here.submit(order_of(quantity=D(120)))
        (order,) = await here.venue.orders()
        for _ in range(120):
            await here.venue.fill(order.broker_order_id or "", D(1), D(150))
        told = await here.broker.executions_since(datetime.now(UTC) - timedelta(hours=1))
        assert [each.execution_id for each in told if isinstance(each, Execution)] == [
            f"{accepted.broker_order_id}:{number}" for number in range(1, 121)
        ]
        pages = [path for method, path, _ in here.twin.requests if path.endswith("FILL")]
        assert len(pages) == 2


async def test_fills_from_before_the_moment_asked_for_are_not_told() -> None:
    async with live() as here:
        await here.submit(order_of(order_type=OrderType.MARKET, limit_price=None))
        (order,) = await here.venue.orders()
        await here.venue.fill(order.broker_order_id or "", D(10), D(150))
        assert await here.broker.executions_since(datetime.now(UTC) + timedelta(seconds=5)) == []


async def test_a_list_of_fills_that_does_not_end_is_given_up() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/account/activities/FILL", 200, [fill_json(1)] * 100)
        with pytest.raises(BrokerError):
            await here.broker.executions_since(LONG_AGO)


async def test_open_orders_beyond_a_page_are_listed() -> None:
    async with live() as here:
        for number in range(501):
            await here.submit(order_of(client_order_id=f"K{number}"))
        orders = await here.broker.open_orders()
        assert len({each.client_order_id for each in orders}) == 501


async def test_a_position_is_told_under_the_instrument_that_was_traded() -> None:
    async with live() as here:
        coin = order_of(
            instrument=BTC, quantity=D("0.5"), limit_price=D(50000), time_in_force=TimeInForce.GTC, client_order_id="K2"
        )
        await here.submit(order_of(side=Side.SELL, limit_price=D(210)))
        await here.submit(coin)
        sold, bought = await here.venue.orders()
        await here.venue.fill(sold.broker_order_id or "", D(3), D(210))
        await here.venue.fill(bought.broker_order_id or "", D("0.5"), D(50000))
        held = {each.instrument.key: (each.quantity, each.average_price) for each in await here.broker.positions()}
        assert held == {AAPL.key: (D(-3), D(210)), BTC.key: (D("0.49875"), D(50000))}


@pytest.mark.parametrize(("quantity", "side", "expected"), [("-3", "short", -3), ("3", "short", -3), ("3", "long", 3)])
async def test_a_short_position_is_negative_however_it_is_told(quantity: str, side: str, expected: int) -> None:
    row = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "qty": quantity,
        "side": side,
        "avg_entry_price": "1",
    }
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, [row])
        assert [each.quantity for each in await here.broker.positions()] == [expected]


async def test_a_position_in_what_is_listed_no_more_is_told_all_the_same() -> None:
    row = {"symbol": "GONE", "exchange": "NYSE", "asset_class": "us_equity", "qty": "3", "side": "long", "avg_entry_price": "1"}
    option = row | {"symbol": "AAPL250321P00200000", "asset_class": "us_option"}
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, [row, option])
        assert [each.instrument.key for each in await here.broker.positions()] == ["NYSE:GONE", "OPRA:AAPL:2025-03-21:200:PUT"]


def asked(here: Live) -> list[str]:
    """Paths of all questions about assets so far."""
    return [path for _, path, _ in here.twin.requests if path.startswith("/v2/assets")]


async def test_positions_ask_for_their_assets_in_one_question_and_not_again() -> None:
    shares = [AAPL, MSFT, BUILT_IN.listed("NASDAQ:TSLA").instrument]
    held = [position_json(each, D(3), D(10)) for each in shares]
    coin, option = position_json(BTC, D(1), D(10)), {"symbol": "AAPL250321P00200000", "asset_class": "us_option", "asset_id": "o"}
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, [*held[:2], coin, held[0] | option])
        for _ in range(2):
            told = await here.broker.positions()
            assert [each.instrument for each in told[:3]] == [*shares[:2], BTC]
        assert asked(here) == ["/v2/assets", f"/v2/assets/{coin['asset_id']}"]
        here.twin.say("GET", "/v2/positions", 200, held)
        assert [each.instrument for each in await here.broker.positions()] == shares
        assert asked(here)[2:] == [f"/v2/assets/{held[2]['asset_id']}"]


async def test_several_coins_are_one_question_too() -> None:
    coins = [BTC, ETH]
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, [position_json(each, D(3), D(10)) for each in coins])
        assert [each.instrument for each in await here.broker.positions()] == coins
        assert asked(here) == ["/v2/assets"]


async def test_what_is_listed_no_more_is_asked_for_once() -> None:
    gone = [position_json(AAPL, D(3), D(10)) | {"symbol": name, "asset_id": name.lower()} for name in ("GONE", "LOST")]
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, gone)
        for _ in range(2):
            assert [each.instrument.key for each in await here.broker.positions()] == ["NASDAQ:GONE", "NASDAQ:LOST"]
        assert asked(here) == ["/v2/assets", "/v2/assets/gone", "/v2/assets/lost"]


async def test_what_a_signal_looked_up_is_not_asked_for_again_when_it_is_held() -> None:
    async with live() as here:
        found = await here.brokerage.instruments.resolve(InstrumentQuery("AAPL"))
        here.twin.say("GET", "/v2/positions", 200, [position_json(AAPL, D(3), D(10))])
        assert [each.instrument for each in await here.broker.positions()] == [found]
        assert asked(here) == ["/v2/assets/AAPL"]


async def test_positions_whose_assets_cannot_be_asked_for_are_not_told_as_none() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, [position_json(each, D(3), D(10)) for each in (AAPL, MSFT)])
        here.twin.say("GET", "/v2/assets", 500, "")
        with pytest.raises(BrokerError):
            await here.broker.positions()


# --- whose money ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "expected"), [("PA3ABC", TradingMode.PAPER), ("123456789", TradingMode.LIVE)])
@pytest.mark.parametrize("mode", [TradingMode.PAPER, TradingMode.LIVE])
async def test_the_account_says_which_money_it_has_whatever_address_was_meant(
    number: str, expected: TradingMode, mode: TradingMode
) -> None:
    async with live() as here:
        here.twin.number = number
        made = brokerage(access(mode=mode), section(here.twin).model_copy(update={"base_url": None}))
        made.broker._rest._client._base_url = here.twin.address  # type: ignore[attr-defined]  # instead of Alpaca's own
        assert (await made.broker.account()).mode is expected
        await made.broker.close()


async def test_what_the_account_has_is_told() -> None:
    async with live() as here:
        account = await here.broker.account()
        assert (account.account_id, account.mode, account.currency) == (ACCOUNT, TradingMode.PAPER, "USD")
        assert account.cash is not None
        assert account.cash.amount == 1_000_000


MARGIN: dict[str, Any] = {
    "account_number": "PA3ABCDEFGH1", "status": "ACTIVE", "crypto_status": "ACTIVE", "options_trading_level": 3, "currency": "USD",
    "buying_power": "262113.632", "regt_buying_power": "80680.36", "daytrading_buying_power": "262113.632",
    "effective_buying_power": "262113.632", "non_marginable_buying_power": "7386.56", "options_buying_power": "40340.18",
    "bod_dtbp": "0", "cash": "-23140.2", "accrued_fees": "0", "pending_transfer_in": "0", "portfolio_value": "103820.56",
    "pattern_day_trader": False, "trading_blocked": False, "transfers_blocked": False, "account_blocked": False,
    "created_at": "2019-06-12T22:47:07.99658Z", "trade_suspended_by_user": False, "multiplier": "4", "shorting_enabled": True,
    "equity": "103820.56", "last_equity": "103529.24", "long_market_value": "126960.76", "short_market_value": "0",
    "initial_margin": "63480.38", "maintenance_margin": "38088.228", "last_maintenance_margin": "38000.832", "sma": "0",
    "daytrade_count": 0, "balance_asof": "2026-11-20", "crypto_tier": 1, "intraday_adjustments": "0",
}  # fmt: skip
"""Shaped as Alpaca's own: an account that has bought on margin, so that its cash is below zero."""
SINCE_JULY = {name: value for name, value in MARGIN.items() if "day" not in name or name == "intraday_adjustments"}
"""Without what FINRA's new margin rule made superfluous: Alpaca leaves it out since July 2026."""


async def told_of(answer: object) -> tuple[BrokerAccount, Live]:
    async with live() as here:
        here.twin.say("GET", "/v2/account", 200, answer)
        return await here.broker.account(), here


async def test_every_figure_is_told_as_it_was_sent_with_the_time_at_which_it_was_asked_for() -> None:
    asked = datetime.now(UTC)
    account, _ = await told_of(MARGIN)
    assert [(each.kind, each.part, f"{each.amount:f}") for each in account.figures] == [
        ("equity", "", "103820.56"),
        ("cash", "", "-23140.2"),
        ("initial_margin", "", "63480.38"),
        ("maintenance_margin", "", "38088.228"),
        ("buying_power", "", "262113.632"),
        ("buying_power", "CRYPTO", "7386.56"),
        ("buying_power", "OPTION", "40340.18"),
        ("buying_power", "OVERNIGHT", "80680.36"),
        ("buying_power", "DAY_TRADING", "262113.632"),
    ]
    assert {each.currency for each in account.figures} == {"USD"}
    assert all(asked <= each.at <= datetime.now(UTC) for each in account.figures)


@pytest.mark.parametrize(
    ("asset_class", "amount"),
    [(AssetClass.EQUITY, "262113.632"), (AssetClass.CRYPTO, "7386.56"), (AssetClass.OPTION, "40340.18")],
)
async def test_what_is_not_bought_on_margin_has_a_buying_power_of_its_own(asset_class: AssetClass, amount: str) -> None:
    account, _ = await told_of(MARGIN)
    found = account.buying_power_for("NYSE", asset_class, "USD")
    assert found is not None
    assert found.amount == D(amount)
    assert account.buying_power_for("NYSE", asset_class, "EUR") is None


async def test_a_figure_that_alpaca_tells_no_more_is_not_there() -> None:
    account, _ = await told_of(SINCE_JULY)
    assert "DAY_TRADING" not in {each.part for each in account.figures}
    assert len(account.figures) == 8


@pytest.mark.parametrize(
    ("value", "amount"),
    [("12.50", "12.50"), (7, "7"), ("-0.01", "-0.01"), ("1e3", "1000"), (0.1, "0.1"), (None, None), ("", None)]
    + [(odd, None) for odd in ("n/a", "NaN", "Infinity", True, ["1"], {"amount": "1"})],
)
async def test_a_figure_is_a_number_or_is_left_out(value: object, amount: str | None) -> None:
    """Whatever Alpaca sends in its place: the account is told all the same, and so can be traded on."""
    account, here = await told_of(MARGIN | {"equity": value})
    assert account.equity == (None if amount is None else Figure(FigureKind.EQUITY, D(amount), "USD", account.figures[-1].at))
    assert account.cash is not None
    is_odd = amount is None and value not in (None, "")
    assert any("equity could not be read" in line for line in here.log.written) is is_odd


async def test_an_account_of_which_nothing_is_told_but_whose_money_it_is() -> None:
    account, _ = await told_of({"account_number": "PA1", "currency": None})
    assert (account.mode, account.currency, account.figures) == (TradingMode.PAPER, "USD", ())


async def test_whose_money_it_is_is_never_guessed() -> None:
    with pytest.raises(OutcomeUnknown):
        await told_of({"currency": "USD", "cash": "1", "equity": "1"})


async def test_a_blocked_account_is_told_to_people() -> None:
    async with live() as here:
        told = {"account_number": "PA1", "currency": "USD", "cash": "1", "equity": "1", "trading_blocked": True}
        here.twin.say("GET", "/v2/account", 200, told)
        await here.broker.account()
        assert "blocked" in here.log.written[-1]


def test_the_streams_address_follows_from_the_other() -> None:
    assert stream_address("https://api.alpaca.markets") == "wss://api.alpaca.markets/stream"
    assert stream_address("http://127.0.0.1:8900/paper") == "ws://127.0.0.1:8900/paper/stream"


# --- instruments and prices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (InstrumentQuery("AAPL"), "NASDAQ:AAPL"),
        (InstrumentQuery("AAPL", exchange="SMART"), "NASDAQ:AAPL"),
        (InstrumentQuery("AAPL", exchange="XNAS", currency="USD", asset_class=AssetClass.EQUITY), "NASDAQ:AAPL"),
        (InstrumentQuery("BTC/USD"), "CRYPTO:BTC/USD"),
        (InstrumentQuery("BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO), "CRYPTO:BTC/USD"),
        (InstrumentQuery("AAPL", exchange="NSE"), None),
        (InstrumentQuery("BTC/USD", exchange="NYSE"), None),
        (InstrumentQuery("AAPL", currency="INR"), None),
        (InstrumentQuery("AAPL", asset_class=AssetClass.FUTURE), None),
        (InstrumentQuery("AAPL", asset_class=AssetClass.EQUITY, expiry=date(2026, 12, 18)), None),
        (InstrumentQuery("RELIANCE"), None),
    ],
)
async def test_an_instrument_is_found_by_what_is_said_of_it(query: InstrumentQuery, key: str | None) -> None:
    async with live() as here:
        found = await here.brokerage.instruments.resolve(query)
        assert (found.key if found is not None else None) == key


@pytest.mark.parametrize("said", [{"asset_class": AssetClass.OPTION}, {"right": OptionRight.CALL}, {"expiry": date(2026, 12, 18)}])
async def test_an_option_is_named_by_all_its_terms(said: dict[str, Any]) -> None:
    async with live() as here:
        with pytest.raises(InvalidSymbolError, match="several options of AAPL fit; give expiry, strike and right"):
            await here.brokerage.instruments.resolve(InstrumentQuery("AAPL", **said))


ASSET = {"id": "b0b6dd9d", "class": "us_equity", "exchange": "NASDAQ", "symbol": "AAPL", "status": "active", "tradable": True}


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        (ASSET | {"fractionable": True}, (D("0.0001"), D("1E-9"), "XNYS")),
        (ASSET | {"fractionable": False}, (D("0.0001"), D(1), "XNYS")),
        (
            ASSET | {"class": "crypto", "symbol": "BTC/USDT", "min_trade_increment": "0.0001", "price_increment": 0.05},
            (D("0.05"), D("0.0001"), "24/7"),
        ),
        (ASSET | {"tradable": False}, None),
        (ASSET | {"status": "inactive"}, None),
    ],
)
async def test_grids_are_those_that_alpaca_tells(asset: dict[str, Any], expected: tuple[Decimal, Decimal, str] | None) -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/assets/X", 200, asset)
        found = await here.brokerage.instruments.resolve(InstrumentQuery("X"))
        assert (None if found is None else (found.tick_size, found.lot_size, found.calendar)) == expected


@pytest.mark.parametrize(("price", "sent"), [("0.87654", "0.8765"), ("0.0042", "0.0042"), ("231.2345", "231.23")])
async def test_a_price_is_sent_with_as_many_decimals_as_alpaca_takes_there(price: str, sent: str) -> None:
    async with live() as here:
        found = await here.brokerage.instruments.resolve(InstrumentQuery("AAPL"))
        assert found is not None
        await here.submit(order_of(instrument=found, limit_price=found.round_price(D(price), Side.BUY)))
        assert here.twin.requests[-1][2]["limit_price"] == sent
        with pytest.raises(OrderValidationError, match="ticks"):
            await here.submit(order_of(client_order_id="K2", limit_price=D(sent) + D("0.00001")))


async def test_an_option_is_found_by_its_terms() -> None:
    query = InstrumentQuery("AAPL", expiry=date(2026, 12, 18), strike=D("212.5"), right=OptionRight.CALL)
    async with live() as here:
        contract = {"symbol": "AAPL261218C00212500", "tradable": True, "size": "100"}
        here.twin.say("GET", "/v2/options/contracts/AAPL261218C00212500", 200, contract)
        found = await here.brokerage.instruments.resolve(query)
        assert found is not None
        assert (found.key, found.multiplier, found.calendar) == ("OPRA:AAPL:2026-12-18:212.5:CALL", D(100), "XNYS")


async def test_what_could_not_be_asked_is_not_unknown() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/assets/AAPL", 500, "<html></html>")
        with pytest.raises(BrokerError):
            await here.brokerage.instruments.resolve(InstrumentQuery("AAPL"))


STOCKS, COINS, OPTIONS = "/v2/stocks/snapshots", "/v1beta3/crypto/us/snapshots", "/v1beta1/options/snapshots"
TRADE = '"latestTrade": {"t": "2022-04-12T17:26:45.009288296Z", "x": "V", "p": 172.11, "s": 100}'
OFFERS = '"latestQuote": {"t": "2022-04-12T20:00:01Z", "bx": "V", "bp": 172.1, "bs": 1, "ap": 172.123, "as": 2, "z": "C"}'
TRADED, OFFERED = datetime(2022, 4, 12, 17, 26, 45, 9288, tzinfo=UTC), datetime(2022, 4, 12, 20, 0, 1, tzinfo=UTC)
CALL = option_of("AAPL261218C00212500", D(100))


@pytest.mark.parametrize(
    ("instrument", "path", "answer"),
    [
        (AAPL, STOCKS, f'{{"AAPL": {{{TRADE}, {OFFERS}, "minuteBar": null}}}}'),
        (BTC, COINS, f'{{"snapshots": {{"BTC/USD": {{{OFFERS}, {TRADE}}}}}}}'),
        (CALL, OPTIONS, f'{{"next_page_token": null, "snapshots": {{"AAPL261218C00212500": {{{OFFERS}, {TRADE}}}}}}}'),
    ],
)
async def test_bid_ask_and_last_are_exact_and_have_times_of_their_own(instrument: Instrument, path: str, answer: str) -> None:
    async with live() as here:
        here.twin.say("GET", path, 200, answer)
        quote = await here.brokerage.market_data.latest(instrument)
        assert quote == Quote(Price(D("172.1"), OFFERED), Price(D("172.123"), OFFERED), Price(D("172.11"), TRADED))
        assert [path for _, path, _ in here.twin.requests[-2:]] == ["/v2/account", path]


async def test_a_quote_is_told_where_the_last_trade_is_old() -> None:
    async with live() as here:
        quote = await here.brokerage.market_data.latest(AAPL)
        assert quote is not None
        assert quote.last is not None
        met = quote.met_by(Side.BUY, datetime.now(UTC), 300)
        assert met == quote.ask
        assert met is not None
        assert met.age_seconds(datetime.now(UTC)) < 300 < quote.last.age_seconds(datetime.now(UTC))


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        ({"latestQuote": {"t": "2022-04-12T20:00:01Z", "bp": 0, "ap": 9}}, Quote(ask=Price(D(9), OFFERED))),
        ({"latestQuote": {"t": "2022-04-12T20:00:01Z", "bp": 8}, "latestTrade": None}, Quote(bid=Price(D(8), OFFERED))),
        ({"latestQuote": {"t": None, "bp": 8, "ap": 9}, "latestTrade": {"t": "2022-04-12T20:00:01Z", "p": 0}}, None),
        ({"latestQuote": None, "latestTrade": None}, None),
        ({}, None),
        (None, None),
    ],
)
async def test_a_side_without_an_offer_has_no_price(snapshot: Any, expected: Quote | None) -> None:
    async with live() as here:
        here.twin.say("GET", STOCKS, 200, {"AAPL": snapshot})
        assert await here.brokerage.market_data.latest(AAPL) == expected


async def test_what_alpaca_has_no_data_of_has_no_price() -> None:
    async with live() as here:
        assert await here.brokerage.market_data.latest(AAPL.but(symbol="NOSUCHTHING")) is None
        assert await here.brokerage.market_data.latest(AAPL.but(asset_class=AssetClass.FUTURE)) is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (403, {"message": "subscription does not permit querying recent SIP data"}, BrokerRefusal, "does not permit .+ [(]403[)]$"),
        (403, {"message": "forbidden."}, BrokerAuthenticationError, "forbidden"),
        (429, {"message": "too many requests."}, BrokerRateLimitError, "too many"),
        (500, "", OutcomeUnknown, "500"),
        (200, "", OutcomeUnknown, "could not be read"),
        (200, "<html></html>", OutcomeUnknown, "no readable answer"),
        (200, {"AAPL": {"latestTrade": {"t": "2022-04-12T20:00:01Z", "p": "much"}}}, OutcomeUnknown, "could not be read"),
    ],
)
async def test_prices_that_could_not_be_asked_for_are_told_in_alpacas_words(
    status: int, body: Any, kind: type[BrokerError], words: str
) -> None:
    async with live() as here:
        here.twin.say("GET", STOCKS, status, body)
        with pytest.raises(kind, match=words):
            await here.brokerage.market_data.latest(AAPL)


async def test_live_and_paper_have_addresses_of_their_own() -> None:
    async with live() as here:
        usual = section(here.twin).model_copy(update={"base_url": None})
        for mode, host in ((TradingMode.PAPER, "paper-api.alpaca.markets"), (TradingMode.LIVE, "api.alpaca.markets")):
            made = brokerage(access(mode=mode), usual)
            assert f"https://{host}" in str(vars(made.broker._rest._client)["_base_url"])  # type: ignore[attr-defined]  # a look inside
            await made.broker.close()


async def test_an_unknown_order_of_the_list_is_not_lost() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/orders", 200, [order_json(client_order_id="by-hand"), order_json(id="2", client_order_id="K2")])
        assert [each.client_order_id for each in await here.broker.open_orders()] == ["by-hand", "K2"]
