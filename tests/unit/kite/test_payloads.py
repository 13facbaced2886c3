"""Answers shaped as the vendor's own examples, every value odd that may be, read as they come over the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.execution_report import BrokerStatus, Execution, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OrderType, Product, Side
from liveorder.infrastructure.brokers.kite.charges import estimated_charges
from tests.unit.kite.canned import MORNING, Answer, Canned, broker_on, success

D = Decimal
TODAY = {"day": "2026-11-20"}
START = datetime(2026, 11, 20, tzinfo=UTC)
KEY = "Q7ODDPAYLOADKEY00001"

REJECTED = f"""{{
  "placed_by": "ZX9081", "order_id": "1984400000000000007", "exchange_order_id": null, "parent_order_id": null,
  "status": "REJECTED", "status_message": " Insufficient funds. Required margin is 73105.2 but available margin is 1.06. ",
  "status_message_raw": "RMS:Margin Exceeds", "order_timestamp": "2026-11-20 09:31:07", "exchange_update_timestamp": null,
  "exchange_timestamp": null, "variety": "regular", "modified": false, "exchange": "NSE", "tradingsymbol": "M&M-BE",
  "instrument_token": 519937, "order_type": "MARKET", "transaction_type": "BUY", "validity": "DAY", "validity_ttl": 0,
  "product": "MTF", "quantity": 23, "disclosed_quantity": 0, "price": 0, "trigger_price": 0, "average_price": 0,
  "filled_quantity": 0, "pending_quantity": 0, "cancelled_quantity": 0, "market_protection": -1, "meta": {{}},
  "tag": " {KEY} ", "guid": null
}}"""
ICEBERG = """{
  "placed_by": "ZX9081", "order_id": "1984400000000000031", "exchange_order_id": "1100000000009917", "parent_order_id": null,
  "status": "CANCELLED", "status_message": null, "status_message_raw": null, "order_timestamp": "2026-11-20 10:02:55",
  "exchange_update_timestamp": "2026-11-20 10:04:01", "exchange_timestamp": "2026-11-20 10:02:55", "variety": "iceberg",
  "modified": true, "auction_number": null, "exchange": "BSE", "tradingsymbol": "SBIN", "order_type": "LIMIT",
  "transaction_type": "SELL", "validity": "TTL", "validity_ttl": 2, "product": "CNC", "quantity": 1000.0,
  "disclosed_quantity": 0, "price": 463.15, "trigger_price": 0, "average_price": 463.2000000000000455, "filled_quantity": 3.33e2,
  "pending_quantity": 667, "cancelled_quantity": 667, "market_protection": 0, "tag": null,
  "meta": {"iceberg": {"leg": 1, "legs": 5, "leg_quantity": 200, "total_quantity": 1000, "remaining_quantity": 800}},
  "tags": ["", " house ", null], "guid": "10923Xt"
}"""
LEAD = """{
  "placed_by": "DEALER", "order_id": 1984400000000000042, "exchange_order_id": "620000000000013", "parent_order_id": "",
  "status": "trigger pending", "status_message": "", "order_timestamp": "2026-11-20T21:40:59+05:30",
  "exchange_update_timestamp": "2026-11-20 21:41:00.125", "exchange_timestamp": "0001-01-01 00:00:00", "variety": "regular",
  "exchange": "MCX", "tradingsymbol": "LEADMINI26DECFUT", "order_type": "SL", "transaction_type": "sell", "validity": "DAY",
  "product": "NRML", "quantity": 1, "price": "178.5", "trigger_price": 178.55, "average_price": null, "filled_quantity": null,
  "tag": "Q7ODDPAYLOADKEY00002", "tags": ["Q7ODDPAYLOADKEY00002", "TRADINGVIEW:9"], "something_new": [1, {"two": 3.0}]
}"""
TRADES = """[
  {"trade_id": 10000000, "order_id": "1984400000000000031", "exchange": "BSE", "tradingsymbol": "SBIN", "instrument_token": 779521,
   "product": "CNC", "average_price": 463.2, "quantity": 300, "exchange_order_id": "1100000000009917", "transaction_type": "SELL",
   "fill_timestamp": "2026-11-20 10:03:12", "order_timestamp": "10:02:55", "exchange_timestamp": null},
  {"trade_id": "00010000000", "order_id": "1984400000000000031", "exchange": "BSE", "tradingsymbol": "SBIN", "product": "CNC",
   "average_price": 463.2, "quantity": 3.3e1, "transaction_type": "SELL", "fill_timestamp": "",
   "order_timestamp": "10:02:55", "exchange_timestamp": "2026-11-20 10:03:12"}
]"""
POSITIONS = """{
  "net": [
    {"tradingsymbol": "LEADMINI26DECFUT", "exchange": "MCX", "instrument_token": 53496327, "product": "NRML", "quantity": 1,
     "overnight_quantity": 0, "multiplier": 1000, "average_price": 178.05, "close_price": 0, "last_price": 178.05, "value": -178050,
     "pnl": 0, "m2m": 0, "unrealised": 0, "realised": 0, "buy_quantity": 1, "buy_price": 178.05, "buy_value": 178050,
     "sell_quantity": 0, "sell_price": 0, "sell_value": 0, "day_buy_quantity": 1, "day_sell_quantity": 0},
    {"tradingsymbol": "GOLDGUINEA26NOVFUT", "exchange": "MCX", "product": "NRML", "quantity": 0, "overnight_quantity": 0,
     "multiplier": 1, "average_price": 0, "pnl": 801},
    {"tradingsymbol": "SBIN", "exchange": "NSE", "product": "CO", "quantity": -7, "overnight_quantity": null, "multiplier": 1,
     "average_price": 308.0, "pnl": -2155.9999999999995},
    {"tradingsymbol": "NIFTY26NOV24000PE", "exchange": "NFO", "product": "NRML", "quantity": -75.0, "overnight_quantity": -75,
     "multiplier": 1, "average_price": 88.0500000000000114}
  ],
  "day": [
    {"tradingsymbol": "LEADMINI26DECFUT", "exchange": "MCX", "product": "NRML", "quantity": 1, "multiplier": 1000}
  ]
}"""
HOLDINGS = """[
  {"tradingsymbol": "GOLDBEES", "exchange": "BSE", "instrument_token": 151064324, "isin": "INF204KB17I5", "product": "CNC",
   "price": 0, "quantity": 2, "used_quantity": 0, "t1_quantity": 0, "realised_quantity": 2, "authorised_quantity": 0,
   "authorised_date": "2026-11-20 00:00:00", "authorisation": {}, "opening_quantity": 2, "short_quantity": 0,
   "collateral_quantity": 0, "collateral_type": "", "discrepancy": false, "average_price": 40.67, "last_price": 42.47,
   "close_price": 42.28, "pnl": 3.5999999999999943, "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0}},
  {"tradingsymbol": "IDEA", "exchange": "NSE", "product": "CNC", "quantity": 0, "used_quantity": 5, "t1_quantity": 5,
   "opening_quantity": 10, "average_price": 8.466, "discrepancy": true, "mtf": {"quantity": 1000, "average_price": 100.0}},
  {"tradingsymbol": "NODATA", "exchange": "BSE", "product": "CNC", "quantity": null, "opening_quantity": 0, "average_price": null,
   "mtf": null}
]"""
MCX = """\
instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange
53496327,208970,LEADMINI26DECFUT,LEADMINI,0,2026-12-31,0,0.05,1,FUT,MCX-FUT,MCX
53496328,208971,LEADMINI27JANFUT,LEADMINI,0,2027-01-29,0,0.05,1,FUT,MCX-FUT,MCX
53496329,208972,ZINC27JANFUT,ZINC,0,2027-01-29,0,0.05,1,FUT,MCX-FUT,MCX
"""
HEAD = MCX.partition("\n")[0]


def on_wire(**answers: str) -> Canned:
    """An account with these lists, and with no instruments but those of MCX."""
    lists = {f"/instruments/{name}": Answer(HEAD, content_type="text/csv") for name in ("NSE", "BSE", "NFO", "BFO", "CDS")}
    lists["/instruments/MCX"] = Answer(MCX, content_type="text/csv")
    return broker_on({f"/{path.replace('_', '/')}": success(body) for path, body in answers.items()} | lists)


async def test_orders_with_every_field_odd_are_read() -> None:
    canned = on_wire(orders=f"[{REJECTED}, {ICEBERG}, {LEAD}]", trades=TRADES)
    rejected = await canned.broker.find(KEY, None, TODAY)
    assert isinstance(rejected, OrderSnapshot)
    assert (rejected.status, rejected.broker_order_id) == (BrokerStatus.REJECTED, "1984400000000000007")
    assert (rejected.client_order_id, rejected.limit_price, rejected.average_price) == (KEY, None, None)
    assert rejected.reason.startswith("Insufficient funds. Required margin is 73105.2")
    (lead,) = await canned.broker.open_orders()
    assert lead == OrderSnapshot(
        client_order_id="Q7ODDPAYLOADKEY00002",
        broker_order_id="1984400000000000042",
        occurred_at=datetime(2026, 11, 20, 16, 11, 0, 125000, tzinfo=UTC),
        status=BrokerStatus.WORKING,
        quantity=D(1),
        limit_price=D("178.5"),
        stop_price=D("178.55"),
        symbol="LEADMINI26DECFUT",
        exchange="MCX",
        side=Side.SELL,
        order_type=OrderType.STOP_LIMIT,
        product=Product.NRML,
        native_status="trigger pending",
    )


async def test_a_cancelled_order_has_what_its_trades_say() -> None:
    canned = on_wire(orders=f"[{ICEBERG}]", orders_1984400000000000031_trades=TRADES)
    found = await canned.broker.find(KEY, "1984400000000000031", TODAY)
    assert isinstance(found, OrderSnapshot)
    assert (found.status, found.client_order_id, found.filled_quantity) == (BrokerStatus.CANCELLED, None, D(333))
    assert (found.quantity, found.average_price) == (D(1000), D("463.2000000000000455"))
    assert [each.quantity for each in found.executions] == [D(300), D(33)]
    assert len({each.execution_id for each in found.executions}) == 2


async def test_trades_with_every_field_odd_are_read() -> None:
    canned = on_wire(orders=f"[{REJECTED}, {ICEBERG}]", trades=TRADES)
    told = await canned.broker.executions_since(START)
    assert [each.execution_id for each in told if isinstance(each, Execution)] == [
        "BSE:10000000:1984400000000000031",
        "BSE:00010000000:1984400000000000031",
    ]
    assert {each.occurred_at for each in told} == {datetime(2026, 11, 20, 4, 33, 12, tzinfo=UTC)}
    assert {each.client_order_id for each in told} == {None}


@pytest.mark.parametrize("half_a_row", ['{"status": "OPEN"}', '{"order_id": 1.5e18}', "null", '"no"'])
async def test_a_list_with_half_a_row_is_no_list(half_a_row: str) -> None:
    canned = on_wire(orders=f"[{REJECTED}, {half_a_row}]", trades="[]")
    assert await canned.broker.find("Q7ODDPAYLOADKEY00009", None, TODAY) is Absence.INCONCLUSIVE


async def test_positions_and_holdings_with_every_field_odd_are_read() -> None:
    canned = on_wire(portfolio_positions=POSITIONS, portfolio_holdings=HOLDINGS)
    positions = await canned.broker.positions()
    found = {each.name: (each.quantity, each.average_price, each.instrument.multiplier) for each in positions}
    assert found == {
        "MCX:LEADMINI26DECFUT:2026-12-31 NRML": (D(1), D("178.05"), D(1000)),
        "NSE:SBIN": (D(-7), D("308.0"), D(1)),
        "NFO:NIFTY26NOV24000PE NRML": (D(-75), D("88.0500000000000114"), D(1)),
        "BSE:GOLDBEES CNC": (D(2), D("40.67"), D(1)),
        "NSE:IDEA CNC": (D(10), D("8.466"), D(1)),
        "NSE:IDEA MTF": (D(1000), D("100.0"), D(1)),
    }


async def resolved(canned: Canned, symbol: str) -> Instrument | None:
    return await canned.parts.instruments.resolve(InstrumentQuery(symbol, "MCX"))


async def test_a_position_tells_the_size_of_its_contract_and_of_those_of_the_same_name() -> None:
    """What is held can then be closed, without a setting."""
    canned = on_wire(portfolio_positions=POSITIONS, portfolio_holdings="[]")
    assert await resolved(canned, "LEADMINI26DECFUT") is None
    await canned.broker.positions()
    for symbol, size in (("LEADMINI26DECFUT", 1000), ("LEADMINI27JANFUT", 1000), ("ZINC27JANFUT", None)):
        found = await resolved(canned, symbol)
        assert (None if found is None else found.multiplier) == size


@pytest.mark.parametrize(("settled", "warnings"), [("1000", 0), ("10", 1)])
async def test_a_setting_that_contradicts_kites_position_is_told_once(settled: str, warnings: int) -> None:
    canned = on_wire(portfolio_positions=POSITIONS, portfolio_holdings="[]")
    canned.broker._session.section = canned.broker._session.section.model_copy(update={"multipliers": {"LEADMINI": D(settled)}})
    for _ in range(2):
        (lead,) = [each for each in await canned.broker.positions() if each.instrument.exchange == "MCX"]
        assert lead.instrument.multiplier == D(settled)
    told = [line for line in canned.log.of("WARNING") if "LEADMINI" in line]
    assert len(told) == warnings
    assert all("counts as 10 units a lot, but Kite reports 1000" in line for line in told)


def segment(cash: str, live: str, *, enabled: bool = True) -> str:
    available = f'{{"adhoc_margin": 0, "cash": {cash}, "opening_balance": {cash}, "live_balance": {live}, "collateral": 0}}'
    utilised = '{"debits": 0, "span": 33.2507}'
    return f'{{"enabled": {json.dumps(enabled)}, "net": {live}, "available": {available}, "utilised": {utilised}}}'


async def money(equity: str, commodity: str) -> BrokerAccount:
    canned = on_wire(user_margins=f'{{"equity": {equity}, "commodity": {commodity}}}')
    return await canned.broker.account()


def told(account: BrokerAccount) -> list[tuple[str, str, str]]:
    assert {(each.currency, each.at) for each in account.figures} <= {("INR", MORNING)}
    return [(each.kind, each.part, f"{each.amount:f}") for each in account.figures]


@pytest.mark.parametrize(
    ("equity", "commodity", "cash"),
    [
        (segment("25000", "24966.7493"), segment("99999.9", "-1"), "24966.7493"),
        (segment("-0.01", "null"), segment("7", "7"), "-0.01"),
        (segment("0", "0"), segment("7", "7"), "0"),
        (segment("0", "0", enabled=False), segment("100661.7", "100661.7000000001"), "100661.7000000001"),
        ("null", segment("100661.7", "null"), "100661.7"),
        (segment("1", "1", enabled=False), segment("2", "2", enabled=False), None),
    ],
)
async def test_money_for_commodities_stands_apart(equity: str, commodity: str, cash: str | None) -> None:
    account = await money(equity, commodity)
    assert account.cash == (None if cash is None else Figure(FigureKind.CASH, D(cash), "INR", MORNING))


FULL = """{
  "enabled": true, "net": 139725.05000000002,
  "available": {
    "adhoc_margin": 0, "cash": 245431.6, "opening_balance": 245431.6, "live_balance": 99725.05000000002, "collateral": 40000,
    "intraday_payin": 0
  },
  "utilised": {
    "debits": 145706.55, "exposure": 38981.25, "m2m_realised": 761.7, "m2m_unrealised": 0, "option_premium": 0, "payout": 0,
    "span": 101989, "holding_sales": -1500.5, "turnover": 0, "liquid_collateral": 0, "stock_collateral": 40000, "delivery": 0
  }
}"""
"""Shaped as Kite's own: an account with pledged stock, a future and shares that were sold today."""


async def test_what_is_available_counts_what_is_pledged_and_cash_does_not() -> None:
    """To the last digit that came over the wire. Of equity Kite tells nothing: what is held is in none of its figures."""
    account = await money(FULL, segment("0", "0", enabled=False))
    assert told(account) == [
        ("cash", "", "99725.05000000002"),
        ("initial_margin", "", "145706.55"),
        ("available_funds", "", "139725.05000000002"),
        ("buying_power", "", "139725.05000000002"),
    ]
    assert account.equity is None


async def test_each_segment_has_a_buying_power_of_its_own() -> None:
    account = await money(FULL, segment("7000", "-12.5"))
    powers = [account.buying_power_for(exchange, AssetClass.OPTION, "INR") for exchange in ("NFO", "MCX")]
    assert [each.amount for each in powers if each is not None] == [D("139725.05000000002"), D("-12.5")]


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ('{"enabled": true}', []),
        ('{"enabled": true, "net": null, "available": null, "utilised": null}', []),
        ('{"enabled": true, "net": "12.5", "available": {"cash": ""}, "utilised": {"debits": -3}}', ["-3", "12.5", "12.5"]),
        ('{"net": 5, "available": {"live_balance": -0.5}}', ["-0.5", "5", "5"]),
        ('{"enabled": true, "net": "n/a", "available": {"cash": true, "live_balance": 1}}', ["1"]),
        ('{"enabled": true, "net": "NaN", "available": [], "utilised": {"debits": 1e400}}', ["1" + "0" * 400]),
    ],
)
async def test_a_figure_is_a_number_or_is_left_out(equity: str, expected: list[str]) -> None:
    assert [amount for _, _, amount in told(await money(equity, "null"))] == expected


async def test_the_token_is_tried_once_at_a_connection_and_not_with_every_look_at_the_money() -> None:
    canned = on_wire(user_margins=f'{{"equity": {FULL}}}', user_profile='{"user_id": "ZX9081"}')
    await canned.broker.account()
    await canned.broker.account()
    assert [canned.wire.count("/user/profile"), canned.wire.count("/user/margins")] == [0, 2]


async def test_the_gst_of_charges_is_a_table_of_its_own() -> None:
    gst = '{"igst": 0.386496, "cgst": 0, "sgst": 0, "total": 0.386496}'
    figures = f'"transaction_tax": 0, "transaction_tax_type": "ctt", "brokerage": 1.5e0, "stamp_duty": null, "gst": {gst}'
    named = '"order_id": 1984400000000000031, "exchange": "MCX", "tradingsymbol": "LEADMINI26DECFUT"'
    row = f'{{{named}, "charges": {{{figures}, "total": 1.8865}}}}'
    canned = on_wire(charges_orders=f"[{row}]", orders=f"[{ICEBERG}]")
    (estimate,) = await estimated_charges(canned.broker._session)
    assert (estimate.broker_order_id, estimate.total) == ("1984400000000000031", D("1.8865"))
    assert estimate.by_kind == {"brokerage": D("1.5"), "gst": D("0.386496")}
