"""Answers shaped as Alpaca's own examples, every value odd that may be, read through alpaca-py as they come over the wire."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CloseCause,
    Execution,
    ExecutionBusted,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderSnapshot,
    ReplaceRejected,
)
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import AssetClass, OptionRight, OrderType, Side, TradingHours, TradingMode
from tests.unit.alpaca.stage import AAPL, KEY, Live, live

D = Decimal
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

# --- orders --------------------------------------------------------------------------------------------------------------------

MARKET = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1101", "client_order_id": "{KEY}", "created_at": "2026-11-20T15:04:05.1Z",
  "updated_at": "2026-11-20T10:04:05.123456789-05:00", "submitted_at": "2026-11-20T15:04:05.12Z", "filled_at": null,
  "expired_at": null, "expires_at": "2026-11-20T21:00:00Z", "canceled_at": null, "failed_at": null, "replaced_at": null,
  "replaced_by": null, "replaces": null, "asset_id": "c3f0a1d2-1111-4e92-8f24-0d0667f70004", "symbol": "KO",
  "asset_class": "us_equity", "notional": null, "qty": 7, "filled_qty": 3, "filled_avg_price": 61.0450, "order_class": "simple",
  "order_type": "market", "type": "market", "side": "sell_short", "time_in_force": "day", "limit_price": null, "stop_price": null,
  "status": "partially_filled", "extended_hours": false, "legs": null, "trail_percent": null, "trail_price": null, "hwm": null,
  "position_intent": "sell_to_open", "commission": 1.25, "subtag": null, "source": "access_key", "ratio_qty": null
}}"""
NOTIONAL = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1102", "client_order_id": "{KEY}", "created_at": "2026-11-20T15:04:05Z",
  "updated_at": "2026-11-20T15:04:06.5Z", "submitted_at": "2026-11-20T15:04:05Z", "symbol": "KO", "asset_class": "us_equity",
  "notional": "250.75", "qty": null, "filled_qty": "4.107637806", "filled_avg_price": "61.045", "order_class": "",
  "order_type": "market", "type": "market", "side": "buy", "time_in_force": "day", "status": "filled", "extended_hours": false
}}"""
COIN = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1103", "client_order_id": "{KEY}", "created_at": "2026-11-20T15:04:05.000000001Z",
  "updated_at": "2026-11-20T15:04:05.999999999Z", "submitted_at": "2026-11-20T15:04:05Z", "symbol": "ETHUSD",
  "asset_class": "crypto", "notional": null, "qty": "0.123456789", "filled_qty": "0.000000001", "filled_avg_price": "3120.5500000",
  "order_class": "", "order_type": "stop_limit", "type": "stop_limit", "side": "sell", "time_in_force": "gtc",
  "limit_price": "3000", "stop_price": "3010.1", "status": "stopped", "extended_hours": false, "legs": null
}}"""
EXTENDED = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1104", "client_order_id": "{KEY}", "updated_at": "2026-11-20T23:04:05Z",
  "submitted_at": "2026-11-20T23:04:05Z", "symbol": "BRK.B", "asset_class": "us_equity", "qty": "1", "filled_qty": "0",
  "filled_avg_price": "", "order_class": "", "type": "limit", "side": "buy", "time_in_force": "day", "limit_price": "0.5012",
  "status": "accepted", "extended_hours": true, "order_type": "limit"
}}"""
TRAILING = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105", "client_order_id": "{KEY}", "updated_at": "2026-11-20T15:04:05Z",
  "submitted_at": "2026-11-20T15:04:05Z", "symbol": "KO", "asset_class": "us_equity", "qty": "12", "filled_qty": "0",
  "filled_avg_price": null, "order_class": "", "order_type": "trailing_stop", "type": "trailing_stop", "side": "sell",
  "time_in_force": "gtc", "limit_price": null, "stop_price": "58.9084275", "status": "new", "extended_hours": false,
  "trail_percent": "3.5", "trail_price": null, "hwm": "61.045"
}}"""
LEGS = """
  {"id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e12a1", "client_order_id": "d7c1a1f0-0000-4000-8000-00000000a001", "symbol": "KO",
   "asset_class": "us_equity", "qty": "5", "filled_qty": "0", "filled_avg_price": null, "order_class": "bracket", "type": "limit",
   "order_type": "limit", "side": "sell", "time_in_force": "gtc", "limit_price": "70", "stop_price": null, "status": "held",
   "extended_hours": false, "legs": null, "submitted_at": "2026-11-20T15:04:05.2Z", "updated_at": "2026-11-20T15:04:05.2Z"},
  {"id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e12a2", "client_order_id": "d7c1a1f0-0000-4000-8000-00000000a002", "symbol": "KO",
   "asset_class": "us_equity", "qty": "5", "filled_qty": "0", "filled_avg_price": null, "order_class": "bracket", "type": "stop",
   "order_type": "stop", "side": "sell", "time_in_force": "gtc", "limit_price": null, "stop_price": "55", "status": "held",
   "extended_hours": false, "legs": null, "submitted_at": "2026-11-20T15:04:05.3Z", "updated_at": "2026-11-20T15:04:05.3Z"}
"""
BRACKET = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e12a0", "client_order_id": "{KEY}", "submitted_at": "2026-11-20T15:04:05.1Z",
  "updated_at": "2026-11-20T15:04:05.4Z", "symbol": "KO", "asset_class": "us_equity", "qty": "5", "filled_qty": "0",
  "filled_avg_price": null, "order_class": "bracket", "type": "limit", "order_type": "limit", "side": "buy",
  "time_in_force": "gtc", "limit_price": "60", "stop_price": null, "status": "pending_new", "extended_hours": false,
  "legs": [{LEGS}]
}}"""
SPREAD = f"""{{
  "id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e13a0", "client_order_id": "{KEY}", "submitted_at": "2026-11-20T15:04:05.100000901Z",
  "updated_at": "2026-11-20T15:04:05.200000688Z", "filled_at": "2026-11-20T15:04:05.15Z", "asset_id": "", "symbol": "",
  "asset_class": "", "notional": null, "qty": "2", "filled_qty": "2", "filled_avg_price": "-0.61", "order_class": "mleg",
  "order_type": "limit", "type": "limit", "side": "", "position_intent": "", "time_in_force": "day", "limit_price": "-0.6",
  "stop_price": null, "status": "filled", "extended_hours": false,
  "legs": [
    {{"id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e13a1", "client_order_id": "d7c1a1f0-0000-4000-8000-00000000b001",
      "symbol": "KO261218P00060000", "asset_class": "us_option", "qty": "2", "filled_qty": "2", "filled_avg_price": "1.13",
      "order_class": "mleg", "order_type": "", "type": "", "side": "sell", "position_intent": "sell_to_open",
      "time_in_force": "day", "ratio_qty": "1", "status": "filled", "extended_hours": false, "legs": null}},
    {{"id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e13a2", "client_order_id": "d7c1a1f0-0000-4000-8000-00000000b002",
      "symbol": "KO261218P00055000", "asset_class": "us_option", "qty": "2", "filled_qty": "2", "filled_avg_price": "0.52",
      "order_class": "mleg", "order_type": "", "type": "", "side": "buy", "position_intent": "buy_to_open",
      "time_in_force": "day", "ratio_qty": "1", "status": "filled", "extended_hours": false, "legs": null}}
  ]
}}"""


async def found(payload: str) -> OrderSnapshot:
    async with live() as here:
        here.twin.say("GET", "/v2/orders:by_client_order_id", 200, payload)
        return await here.found()


async def test_an_order_with_numbers_for_text_is_read() -> None:
    assert await found(MARKET) == OrderSnapshot(
        client_order_id=KEY,
        broker_order_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1101",
        occurred_at=datetime(2026, 11, 20, 15, 4, 5, 123456, tzinfo=UTC),
        status=BrokerStatus.WORKING,
        filled_quantity=D(3),
        average_price=D("61.0450"),
        quantity=D(7),
        symbol="KO",
        side=Side.SELL,
        order_type=OrderType.MARKET,
        hours=TradingHours.REGULAR,
        native_status="partially_filled",
    )


async def test_an_order_for_an_amount_is_read() -> None:
    order = await found(NOTIONAL)
    assert (order.status, order.quantity, order.filled_quantity) == (BrokerStatus.FILLED, D("4.107637806"), D("4.107637806"))
    assert (order.average_price, order.occurred_at) == (D("61.045"), datetime(2026, 11, 20, 15, 4, 6, 500000, tzinfo=UTC))


async def test_an_order_for_a_coin_without_its_slash_is_read_to_the_last_digit() -> None:
    order = await found(COIN)
    assert (order.quantity, order.filled_quantity, order.average_price) == (D("0.123456789"), D("0.000000001"), D("3120.55"))
    assert (order.limit_price, order.stop_price, order.symbol) == (D(3000), D("3010.1"), None)
    assert (order.order_type, order.status) == (OrderType.STOP_LIMIT, BrokerStatus.WORKING)


async def test_an_order_for_extended_hours_is_read() -> None:
    order = await found(EXTENDED)
    assert (order.status, order.limit_price, order.average_price) == (BrokerStatus.PENDING, D("0.5012"), None)
    assert (order.symbol, order.hours) == ("BRK.B", TradingHours.EXTENDED)


async def test_an_order_that_trails_is_read() -> None:
    order = await found(TRAILING)
    assert (order.order_type, order.limit_price, order.stop_price) == (OrderType.TRAILING_STOP, None, D("58.9084275"))
    assert order.hours is TradingHours.REGULAR


async def test_a_bracket_is_an_order_and_each_leg_is_one() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/orders", 200, f"[{BRACKET}, {LEGS}]")
        parent, target, stop = await here.broker.open_orders()
    assert (parent.client_order_id, parent.status, parent.side) == (KEY, BrokerStatus.PENDING, Side.BUY)
    assert {leg.status for leg in (target, stop)} == {BrokerStatus.PENDING}
    assert (target.limit_price, stop.stop_price) == (D(70), D(55))
    assert {leg.client_order_id for leg in (target, stop)} == {
        "d7c1a1f0-0000-4000-8000-00000000a001",
        "d7c1a1f0-0000-4000-8000-00000000a002",
    }


async def test_an_order_of_several_legs_has_no_symbol_and_may_have_a_negative_price() -> None:
    order = await found(SPREAD)
    assert (order.symbol, order.side, order.order_type) == (None, None, OrderType.LIMIT)
    assert (order.limit_price, order.average_price, order.filled_quantity) == (D("-0.6"), D("-0.61"), D(2))


async def test_a_chain_of_replacements_is_followed_to_its_end() -> None:
    first, second, third = (f"0f6d4f55-61a4-4a35-9d0c-5c7f6a3e14a{number}" for number in range(3))
    chain = [
        {"id": first, "client_order_id": KEY, "status": "replaced", "replaced_by": second, "replaces": None},
        {"id": second, "client_order_id": "by-hand", "status": "replaced", "replaced_by": third, "replaces": first},
        {"id": third, "client_order_id": f"{KEY}-r2", "status": "pending_replace", "replaced_by": None, "replaces": second},
    ]
    links = [json.loads(EXTENDED) | link | {"limit_price": f"{60 + number}.10"} for number, link in enumerate(chain)]
    async with live() as here:
        here.twin.say("GET", "/v2/orders:by_client_order_id", 200, links[0])
        for link in links:
            here.twin.say("GET", f"/v2/orders/{link['id']}", 200, link)
        order = await here.found()
        here.twin.say("GET", "/v2/orders", 200, links[2:])
        (listed,) = await here.broker.open_orders()
    assert (order.client_order_id, order.broker_order_id, order.limit_price) == (KEY, third, D("62.10"))
    assert (order.status, order.replace_pending) == (BrokerStatus.WORKING, True)
    assert listed == order


@pytest.mark.parametrize("status", ["held", "pending_review", "done_for_day", "calculated", "suspended", "stopped", "tomorrows"])
async def test_no_status_loses_an_order_of_the_list(status: str) -> None:
    async with live() as here:
        rows = [json.loads(EXTENDED) | {"status": status, "time_in_force": "gtc"}, json.loads(TRAILING)]
        here.twin.say("GET", "/v2/orders", 200, rows)
        odd, other = await here.broker.open_orders()
    assert (odd.native_status, other.native_status) == (status, "new")


# --- trade updates -------------------------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 20, 15, 4, 6, 868182, tzinfo=UTC)


def event(name: str, order: str = TRAILING, **fields: str) -> str:
    """As a text frame; `fields` are JSON as it stands on the wire."""
    beside = "".join(f', "{field}": {value}' for field, value in fields.items())
    return f'{{"stream": "trade_updates", "data": {{"event": "{name}", "order": {order}{beside}}}}}'


def filled(quantity: str, **fields: object) -> str:
    return json.dumps(json.loads(TRAILING) | {"status": "partially_filled", "filled_qty": quantity} | fields)


async def pushed(here: Live, frame: str, count: int = 1) -> list[ExecutionReport]:
    await here.twin.updates.push(frame)
    return await here.next_reports(count)


TIMES = {"timestamp": '"2026-11-20T10:04:06.868182111-05:00"', "at": '"2026-11-20T15:04:06.9Z"', "event_id": '"01JD4Q7M0V"'}


@pytest.mark.parametrize("named", [{}, {"execution_id": "null"}, {"execution_id": '"7f6d4f55-0000-4a35-9d0c-5c7f6a3e0001"'}])
@pytest.mark.parametrize(("price", "quantity"), [('"58.900"', '"5"'), ("58.9", "5"), ('"58.9"', '"5.000000000"')])
async def test_a_fill_is_told_however_it_is_written(named: dict[str, str], price: str, quantity: str) -> None:
    async with live() as here:
        frame = event("partial_fill", filled("5"), price=price, qty=quantity, position_qty='"-5"', **named, **TIMES)
        (fill,) = await pushed(here, frame)
    assert fill == Execution(
        client_order_id=KEY,
        broker_order_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105",
        occurred_at=AT,
        execution_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105:5",
        quantity=D(5),
        price=D("58.9"),
    )


async def test_an_event_without_a_time_of_its_own_has_that_of_its_sending() -> None:
    async with live() as here:
        (report,) = await pushed(here, event("new", at='"2026-11-20T15:04:06.868182Z"'))
    assert (type(report), report.occurred_at) == (Accepted, AT)


@pytest.mark.parametrize("name", ["held", "pending_review", "calculated", "suspended", "stopped", "accepted_for_bidding"])
async def test_events_that_the_library_does_not_know_say_that_the_order_is_there(name: str) -> None:
    async with live() as here:
        (report,) = await pushed(here, event(name, **TIMES))
    assert (type(report), report.client_order_id, report.occurred_at) == (Accepted, KEY, AT)


async def test_the_end_of_a_day_and_a_refused_replace_are_told() -> None:
    async with live() as here:
        (ended,) = await pushed(here, event("done_for_day", **TIMES))
        assert isinstance(ended, OrderClosed)
        assert ended.cause is CloseCause.DONE_FOR_DAY
        (refused,) = await pushed(here, event("order_replace_rejected", **TIMES))
        assert isinstance(refused, ReplaceRejected)
        assert refused.client_order_id == KEY


async def test_busts_and_corrections_are_told_of_the_fill_that_they_name() -> None:
    async with live() as here:
        await pushed(here, event("partial_fill", filled("5"), price='"58.9"', qty='"5"', execution_id='"e-1"', **TIMES))
        named = {"execution_id": '"e-2"', "previous_execution_id": '"e-1"'}
        (corrected,) = await pushed(here, event("trade_correct", filled("4"), price='"58.8"', qty='"4"', **named, **TIMES))
        assert isinstance(corrected, ExecutionCorrected)
        assert (corrected.quantity, corrected.price) == (D(4), D("58.8"))
        (busted,) = await pushed(here, event("trade_bust", filled("0"), price='"0"', qty='"0"', execution_id='"e-2"', **TIMES))
        assert isinstance(busted, ExecutionBusted)
        assert busted.execution_id == corrected.execution_id


# --- activities ----------------------------------------------------------------------------------------------------------------

ACTIVITIES = """[
  {"activity_type": "FILL", "id": "20261120100406868::2f6d4f55-61a4-4a35-9d0c-5c7f6a3e2001", "cum_qty": "5", "leaves_qty": "7",
   "price": "58.9", "qty": "5", "side": "sell_short", "symbol": "KO", "transaction_time": "2026-11-20T15:04:06.868182Z",
   "order_id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105", "type": "partial_fill", "order_status": "partially_filled",
   "swap_rate": "1", "something_new": [1, {"two": 3.0}]},
  {"activity_type": "CFEE", "id": "20261120000000000::2f6d4f55-61a4-4a35-9d0c-5c7f6a3e2002", "date": "2026-11-20",
   "net_amount": "0", "description": "fee in kind", "symbol": "ETHUSD", "qty": "-0.000308641", "price": "3120.55",
   "status": "executed"},
  {"activity_type": "FEE", "id": "20261120000000000::2f6d4f55-61a4-4a35-9d0c-5c7f6a3e2003", "date": "2026-11-20",
   "net_amount": "-0.02", "description": "fee of a sale", "activity_sub_type": "TAF", "status": "executed"},
  {"activity_type": "FILL", "id": "20261120100407000::2f6d4f55-61a4-4a35-9d0c-5c7f6a3e2004", "cum_qty": 5.000000001,
   "leaves_qty": 0, "price": 58.9, "qty": 0.000000001, "side": "sell", "symbol": "KO", "transaction_time": null,
   "order_id": "0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105", "type": "fill"}
]"""


async def test_fills_are_read_beside_rows_of_another_kind() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/account/activities/FILL", 200, ACTIVITIES)
        told = await here.broker.executions_since(LONG_AGO)
        assert here.log.written == []
    assert told == [
        Execution(
            broker_order_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105",
            occurred_at=AT,
            execution_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105:5",
            quantity=D(5),
            price=D("58.9"),
        ),
        Execution(
            broker_order_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105",
            execution_id="0f6d4f55-61a4-4a35-9d0c-5c7f6a3e1105:5.000000001",
            quantity=D("0.000000001"),
            price=D("58.9"),
        ),
    ]


# --- positions and accounts ----------------------------------------------------------------------------------------------------

KO = """{"id": "c3f0a1d2-1111-4e92-8f24-0d0667f70004", "class": "us_equity", "exchange": "NYSE", "symbol": "KO",
  "name": "Coca-Cola Company Common Stock", "status": "active", "tradable": true, "marginable": true, "shortable": true,
  "easy_to_borrow": true, "fractionable": true, "maintenance_margin_requirement": 30, "margin_requirement_long": "30",
  "attributes": ["fractional_eh_enabled", "has_options"]}"""
ETHER = """{"id": "c3f0a1d2-1111-4e92-8f24-0d0667f70003", "class": "crypto", "exchange": "CRYPTO", "symbol": "ETH/USD",
  "name": "Ethereum / US Dollar", "status": "active", "tradable": true, "marginable": false, "shortable": false,
  "fractionable": true, "min_order_size": "0.00032", "min_trade_increment": 0.000000001, "price_increment": "0.1",
  "attributes": []}"""
POSITIONS = """[
  {"asset_id": "c3f0a1d2-1111-4e92-8f24-0d0667f70004", "symbol": "KO", "exchange": "NYSE", "asset_class": "us_equity",
   "asset_marginable": true, "avg_entry_price": "61.0450000000000001", "qty": "-7", "side": "short", "market_value": "-427.3",
   "cost_basis": "-427.315", "qty_available": "-7", "swap_rate": null, "usd": {"avg_entry_price": "61.045"}},
  {"asset_id": "c3f0a1d2-1111-4e92-8f24-0d0667f70003", "symbol": "ETHUSD", "exchange": "CRYPTO", "asset_class": "crypto",
   "asset_marginable": false, "avg_entry_price": "3120.55", "qty": "0.123148148", "side": "long", "qty_available": "0"},
  {"asset_id": "b2733398-0000-4e92-af24-0d0667f70001", "symbol": "KO261218P00062500", "exchange": "", "asset_class": "us_option",
   "avg_entry_price": null, "qty": "-2", "side": "short"},
  {"asset_id": "b2733398-0000-4e92-af24-0d0667f70002", "symbol": "KO1261218C00060000", "exchange": "", "asset_class": "us_option",
   "qty": "1", "side": "long"}
]"""
ADJUSTED = """{"id": "b2733398-0000-4e92-af24-0d0667f70002", "symbol": "KO1261218C00060000", "name": "KO1 Dec 18 2026 60 Call",
  "status": "active", "tradable": false, "expiration_date": "2026-12-18", "root_symbol": "KO1", "underlying_symbol": "KO",
  "underlying_asset_id": "c3f0a1d2-1111-4e92-8f24-0d0667f70004", "type": "call", "style": "american", "strike_price": "60",
  "multiplier": "50", "size": "150", "open_interest": null, "close_price": "0.05",
  "deliverables": [{"type": "equity", "symbol": "KO", "amount": "150", "allocation_percentage": "100"}]}"""


async def test_positions_with_every_field_odd_are_read() -> None:
    """An adjusted contract among them: its symbol has a digit, and its own multiplier."""
    async with live() as here:
        here.twin.say("GET", "/v2/positions", 200, POSITIONS)
        here.twin.say("GET", "/v2/assets/c3f0a1d2-1111-4e92-8f24-0d0667f70004", 200, KO)
        here.twin.say("GET", "/v2/assets/c3f0a1d2-1111-4e92-8f24-0d0667f70003", 200, ETHER)
        here.twin.say("GET", "/v2/options/contracts/KO1261218C00060000", 200, ADJUSTED)
        held = await here.broker.positions()
    assert [(each.instrument.key, each.quantity, each.average_price, each.instrument.multiplier) for each in held] == [
        ("NYSE:KO", D(-7), D("61.0450000000000001"), D(1)),
        ("CRYPTO:ETH/USD", D("0.123148148"), D("3120.55"), D(1)),
        ("OPRA:KO:2026-12-18:62.5:PUT", D(-2), None, D(100)),
        ("OPRA:KO1:2026-12-18:60:CALL", D(1), None, D(50)),
    ]


async def test_a_position_whose_symbol_nobody_understands_is_told_all_the_same() -> None:
    async with live() as here:
        row = json.loads(POSITIONS)[3] | {"symbol": "KO 261218 WHATEVER"}
        here.twin.say("GET", "/v2/positions", 200, [*json.loads(POSITIONS)[:1], row])
        here.twin.say("GET", "/v2/assets/c3f0a1d2-1111-4e92-8f24-0d0667f70004", 200, KO)
        held = await here.broker.positions()
    assert [(each.instrument.symbol, each.quantity) for each in held] == [("KO", D(-7)), ("KO 261218 WHATEVER", D(1))]


def account(**fields: object) -> dict[str, object]:
    return {
        "id": "c3f0a1d2-1111-4e01-9b84-a48ac5bb0001",
        "account_number": "PA3ODD0PAYLD",
        "status": "ACCOUNT_UPDATED",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": "-4210.5",
        "equity": "98765.43210000000001",
        "buying_power": "0",
        "bod_dtbp": 0,
        "admin_configurations": {},
        "user_configurations": None,
        "trading_blocked": False,
        "transfers_blocked": True,
        "account_blocked": False,
        "trade_suspended_by_user": False,
    } | fields


async def test_an_account_that_is_being_updated_is_read_and_no_block_is_told() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/account", 200, account())
        told = await here.broker.account()
        assert here.log.written == []
    assert (told.mode, told.currency) == (TradingMode.PAPER, "USD")


@pytest.mark.parametrize("flag", ["trading_blocked", "account_blocked", "trade_suspended_by_user"])
async def test_whatever_keeps_an_account_from_trading_is_told_to_people(flag: str) -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/account", 200, account(**{flag: True}))
        await here.broker.account()
        (line,) = here.log.written
    assert flag in line


# --- instruments ---------------------------------------------------------------------------------------------------------------


def asset(text: str, **fields: object) -> dict[str, object]:
    told: dict[str, object] = json.loads(text)
    return told | fields


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (asset(KO), ("NYSE:KO", D("0.0001"), D("1E-9"))),
        (asset(KO, fractionable=False, exchange=""), ("US:KO", D("0.0001"), D(1))),
        (asset(ETHER), ("CRYPTO:ETH/USD", D("0.1"), D("1E-9"))),
        (asset(ETHER, price_increment=None, min_trade_increment="0.01"), ("CRYPTO:ETH/USD", D("1E-9"), D("0.01"))),
        (asset(ETHER, symbol="ETH/BTC"), ("CRYPTO:ETH/BTC", D("0.1"), D("1E-9"))),
        (asset(KO, status="inactive"), None),
        (asset(KO, tradable=False), None),
        (asset(KO, **{"class": "crypto_perp", "symbol": "ETH-PERP"}), None),
        (asset(KO, **{"class": "us_option", "symbol": "KO261218P00062500"}), None),
    ],
)
async def test_assets_of_every_class_are_read(told: dict[str, object], expected: tuple[str, Decimal, Decimal] | None) -> None:
    """What is of another class than stocks and coins is not traded as if it were a stock."""
    async with live() as here:
        here.twin.say("GET", "/v2/assets/X", 200, told)
        found = await here.brokerage.instruments.resolve(InstrumentQuery("X"))
    assert (None if found is None else (found.key, found.tick_size, found.lot_size)) == expected


CONTRACT = """{"id": "b2733398-0000-4e92-af24-0d0667f70001", "symbol": "KO261218P00062500", "name": "KO Dec 18 2026 62.5 Put",
  "status": "active", "tradable": true, "ppind": true, "expiration_date": "2026-12-18", "root_symbol": "KO",
  "underlying_symbol": "KO", "type": "put", "style": "american", "strike_price": "62.5", "multiplier": "100", "size": "100",
  "open_interest": "0", "open_interest_date": "2026-11-19", "close_price": null, "close_price_date": null}"""


@pytest.mark.parametrize(
    ("root", "fields", "multiplier"),
    [
        ("KO", {}, D(100)),
        ("KO", {"multiplier": None, "size": "100"}, D(100)),
        ("KO", {"multiplier": 100, "size": "10"}, D(100)),
        ("KO", {"root_symbol": "KOW"}, D(100)),
        ("KO1", {"multiplier": "100", "size": "150"}, D(100)),
        ("KO1", {"multiplier": "50", "size": "150"}, D(50)),
        ("KO", {"status": "inactive", "tradable": False}, None),
    ],
)
async def test_what_a_contract_is_worth_is_told_by_its_multiplier_and_not_by_what_it_delivers(
    root: str, fields: dict[str, object], multiplier: Decimal | None
) -> None:
    query = InstrumentQuery(root, expiry=date(2026, 12, 18), strike=D("62.5"), right=OptionRight.PUT)
    async with live() as here:
        symbol = f"{root}261218P00062500"
        here.twin.say("GET", f"/v2/options/contracts/{symbol}", 200, asset(CONTRACT, symbol=symbol, **fields))
        found = await here.brokerage.instruments.resolve(query)
    assert (None if found is None else found.multiplier) == multiplier
    assert found is None or (found.key, found.asset_class) == (f"OPRA:{root}:2026-12-18:62.5:PUT", AssetClass.OPTION)


async def test_an_order_for_an_adjusted_contract_is_told_by_its_root() -> None:
    option = json.loads(EXTENDED) | {"symbol": "KO1261218C00060000", "asset_class": "us_option"}
    assert (await found(json.dumps(option))).symbol == "KO1"


# --- prices --------------------------------------------------------------------------------------------------------------------

QUOTED, TRADED = datetime(2026, 11, 20, 20, 59, 59, 123456, tzinfo=UTC), datetime(2026, 11, 20, 9, 0, 0, 500000, tzinfo=UTC)
OFFERS = (
    '"latestQuote": {"t": "2026-11-20T20:59:59.123456789Z", "ax": "V", "ap": %s, "as": 3, "bx": "V", "bp": %s, "bs": 1, "c": ["R"]}'
)
TRADE = '"latestTrade": {"t": "2026-11-20T04:00:00.5-05:00", "x": "D", "p": 61.0450, "s": 5, "c": ["@", "I"], "i": 71677, "z": "A"}'


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (
            f'{{{OFFERS % ("61.05", "61.04")}, {TRADE}, "minuteBar": null, "dailyBar": {{"t": "x"}}}}',
            Quote(Price(D("61.04"), QUOTED), Price(D("61.05"), QUOTED), Price(D("61.0450"), TRADED)),
        ),
        (f"{{{OFFERS % ('61.05', '0')}, {TRADE}}}", Quote(None, Price(D("61.05"), QUOTED), Price(D("61.0450"), TRADED))),
        (f"{{{OFFERS % ('0', '0')}, {TRADE}}}", Quote(last=Price(D("61.0450"), TRADED))),
        (f"{{{OFFERS % ('61.05', '61.04')}}}", Quote(Price(D("61.04"), QUOTED), Price(D("61.05"), QUOTED))),
        ('{"latestQuote": {"t": "0001-01-01T00:00:00Z", "ap": 0, "bp": 0}, "latestTrade": null}', None),
        ('{"latestTrade": {"t": "9999-12-31T23:59:59-05:00", "p": 61}}', None),
    ],
)
async def test_snapshots_with_every_field_odd_are_read(snapshot: str, expected: Quote | None) -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/stocks/snapshots", 200, f'{{"AAPL": {snapshot}}}')
        assert await here.brokerage.market_data.latest(AAPL) == expected
