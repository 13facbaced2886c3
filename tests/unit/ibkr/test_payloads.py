"""Messages shaped as the vendor's own, every value odd that may be, read as they come over the wire."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import OutcomeUnknown
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    Commission,
    Execution,
    OrderClosed,
    OrderSnapshot,
)
from liveorder.domain.values import AssetClass, OptionRight, OrderType, Side, TradingHours
from tests.unit.ibkr.canned import Canned, connected
from tests.unit.ibkr.scene import submission

D = Decimal
UNSET = "1.7976931348623157E308"
NO_INTEGER = "2147483647"
OURS = "DU7654321"
START = datetime(2026, 3, 1, tzinfo=UTC)

# --- messages ------------------------------------------------------------------------------------------------------------------

HOURS = "20260302:0930-20260302:1600;20260303:CLOSED"
TYPES = "ACTIVETIM,AD,ADJUST,ALERT,DAY,GTC,GTD,IOC,LMT,MKT,STP,STPLMT,TRAIL,WHATIF"
# Symbol, kind, last trading time, strike, right, exchange, currency, symbol there, market, class, id, minTick, multiplier …
SHARE = (
    f"10|#|WYLD|STK||0||SMART|USD|WYLD|NMS|NMS|80010001|0.01||{TYPES}|SMART,NYSE,IBUSOPT|1|0|WEYLAND \\u0026 SONS|NYSE||Industrial"
    f"|Machinery|Tools|US/Eastern|{HOURS}|{HOURS}|||1|ISIN|US0000000017|1|||26,26,239||COMMON|0.0001|0.0001|100"
)
LONDON = (
    f"10|#|GRNG|STK||0||SMART|GBP|GRNG|GRNG|SET1|80010002|0.0001||{TYPES}|SMART,LSE,CHIXUK|100|0|GRANGE PLC|LSE|||||"
    "Europe/London|||||0|1|||3001,3001,3001||COMMON|1|1|1"
)
WHEAT = (
    f"10|#|ZW|FUT|20270714-12:00:00-US/Central|0||CBOT|USD|ZW   JUL 27|ZW|ZW|80020002|0.0025|5000|{TYPES}|CBOT|100|56986342"
    f"|Wheat Futures||202707||||US/Central|{HOURS}|{HOURS}|||0|2147483647|ZW|IND|3002|20270714||{UNSET}|1|1"
)
PUT = (
    f"10|#|WYLD|OPT|20270319 16:00 US/Eastern|42.5|P|SMART|USD|WYLD  270319P00042500|WYLD|WYLD|80030003|0.01|100|{TYPES}"
    "|AMEX,SMART,CBOE|1|80010001|WEYLAND||202703|||||||||0|2|WYLD|STK|3004,3003,3004|20270319||1|1|1"
)
ON_FUTURE = (
    f"10|#|ES|FOP|20270319|6150.0|C|CME|USD|EW3H7 C6150|EW3|EW3|80040004|0.05|50|{TYPES}|CME|1|80049999|E-mini S\\u0026P 500|"
    "|202703||||US/Central|||||0|2147483647|ESH7|FUT|3005|20270319||1|1|1"
)
EURO = (
    f"10|#|EUR|CASH||0||IDEALPRO|USD|EUR.USD|EUR.USD|EUR.USD|80050005|0.00005||{TYPES}|IDEALPRO|1|0|European Monetary Union Euro|||"
    "|||US/Eastern|||||0|4|||239|||1|1|1"
)
ETHER = (
    f"10|#|ETH|CRYPTO||0||PAXOS|USD|ETH.USD|ETH|ETH|80060006|0.05||{TYPES}|PAXOS|1|0|Ethereum||||||US/Eastern|||||0|2147483647|||"
    "3006|||1e-06|1E-8|1e-08"
)
FOR_DIFFERENCE = (
    f"10|#|WYLD|CFD||0|?|SMART|USD|WYLDn|WYLD|CFD|80070007|0.01||{TYPES}|SMART|1|80010001|WEYLAND||||||US/Eastern|||||0|2147483647"
    "|WYLD|STK|26|||1|1|1"
)
RULES = {
    "26": "93|26|1|0.0|0.01",
    "239": "93|239|1|0|0.00005",
    "3001": "93|3001|3|0.0|1.0E-4|1.0|5.0E-4|5.0|0.001",
    "3002": "93|3002|2|-9999.0|0.0025|0.0|0.0025",
    "3003": "93|3003|2|0.0|0.01|3.0|0.05",
    "3004": "93|3004|1|0.0|1.0",
    "3005": "93|3005|2|0|0.05|5|0.25",
    "3006": "93|3006|1|0.0|0.05",
}
DETAILS = {
    "80010001": [SHARE],
    "80010002": [LONDON],
    "80020002": [WHEAT],
    "80030003": [PUT],
    "80040004": [ON_FUTURE],
    "80050005": [EURO],
    "80060006": [ETHER],
    "80070007": [FOR_DIFFERENCE],
    "WYLD": [SHARE, PUT, FOR_DIFFERENCE],
    "GRNG": [LONDON],
    "ZW": [WHEAT],
    "ES": [ON_FUTURE],
    "EUR": [EURO],
    "ETH": [ETHER],
}
IN_WHEAT = "80020002|ZW|FUT|20270714|0|?|5000|CBOT|USD|ZW   JUL 27|ZW"
IN_SHARES = "80010001|WYLD|STK||0|?||SMART|USD|WYLD|NMS"
IN_OPTIONS = "80040004|ES|FOP|20270319|6150.0|C|50|CME|USD|EW3H7 C6150|EW3"
IN_ETHER = "80060006|ETH|CRYPTO||0.0|0||PAXOS|USD|ETH.USD|ETH"
IN_COMBO = "28812380|WYLD|BAG||0|?||SMART|USD|WYLD|COMB"
_OPENED = {
    "orderId": "12",
    "contract": IN_SHARES,
    "action": "BUY",
    "totalQuantity": "10",
    "orderType": "LMT",
    "lmtPrice": "41.25",
    "auxPrice": "0.0",
    "tif": "DAY||DU7654321||0",  # with ocaGroup, account, openClose and origin
    "orderRef": "",
    "clientId": "1",
    "permId": "1940777001",
    "outsideRth": "0|0|0.0||",  # with hidden, discretionaryAmt, goodAfterTime and the deprecated sharesAllocation
    "advisor": "||||",
    "goodTillDate": "",
    "rule80A": "|||0||-1|0",
    "volatility orders": "0.0|0.0||||0|0|0|0|0|3|0|0||0|0||0|None||0||||?|0|0|",
    "continuousUpdate": "0|0",
    "trailStopPrice": UNSET,
    "trailingPercent": "||",
    "legs": "|0|0|0",
    "scale": "||" + UNSET,
    "hedgeType": "",
    "clearing": "0||IB|0|0",
    "algo": "",
    "solicited": "0",
    "whatIf": "0",
    "status": "PreSubmitted",
    "margins": "|".join([UNSET] * 9),
    "commissions": f"{UNSET}|{UNSET}|{UNSET}|",
    "warningText": "",
    "randomize": "0|0",
    "conditions": "0",
    "adjusted": "|".join(["None", *[UNSET] * 6, "0", "", "", ""]),
    "cashQty": "0.0",
    "rest": f"0|0|0|0|0|{NO_INTEGER}|0|{NO_INTEGER}|{NO_INTEGER}|{UNSET}|{UNSET}|{UNSET}",
}


def opened(**odd: str) -> str:
    assert set(odd) <= set(_OPENED)
    return "|".join(["5", *(_OPENED | odd).values()])


def status(order: str, state: str, filled: str, average: str, perm_id: str, client: str, held: str = "") -> str:
    return f"3|{order}|{state}|{filled}|0|{average}|{perm_id}|0|0.0|{client}|{held}|0.0"


def filled(name: str, contract: str = IN_SHARES, **odd: str) -> str:
    told = {
        "orderId": "12",
        "contract": contract,
        "execId": name,
        "time": "20260302 10:15:30 US/Eastern",
        "account": f"{OURS}|DRCTEDGE",
        "side": "BOT",
        "shares": "4",
        "price": "41.2",
        "permId": "1940777001",
        "clientId": "1",
        "cum": "0|4|41.2",
        "orderRef": "KEY1",
        "rest": "|||2",
    }
    assert set(odd) <= set(told)
    return "|".join(["11", "#", *(told | odd).values()])


# --- contracts -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            InstrumentQuery("WYLD", "NYSE"),
            {"key": "NYSE:WYLD", "asset_class": AssetClass.EQUITY, "tick_size": D("0.01"), "lot_size": D(1), "calendar": "XNYS"},
        ),
        (
            InstrumentQuery("GRNG", "LSE"),
            {"key": "LSE:GRNG", "currency": "GBP", "tick_size": D("0.01"), "multiplier": D("0.01"), "price_magnifier": D(100)},
        ),
        (
            InstrumentQuery("ZW", expiry=date(2027, 7, 14)),
            {"key": "CBOT:ZW:2027-07-14", "tick_size": D("0.25"), "tick_rules": (), "multiplier": D(50), "calendar": "CMES"},
        ),
        (
            InstrumentQuery("WYLD", expiry=date(2027, 3, 19), strike=D("42.5"), right=OptionRight.PUT),
            {"key": "SMART:WYLD:2027-03-19:42.5:PUT", "multiplier": D(100), "tick_size": D("0.01")},
        ),
        (
            InstrumentQuery("ES/EW3", "CME", AssetClass.FUTURE_OPTION),
            {"key": "CME:ES/EW3:2027-03-19:6150:CALL", "multiplier": D(50), "tick_size": D("0.05")},
        ),
        (InstrumentQuery("EUR/USD"), {"key": "IDEALPRO:EUR/USD", "tick_size": D("0.00005"), "lot_size": D(1), "multiplier": D(1)}),
        (InstrumentQuery("ETH/USD", "PAXOS"), {"key": "PAXOS:ETH/USD", "tick_size": D("0.05"), "lot_size": D("0.00000001")}),
        (
            InstrumentQuery("WYLD", asset_class=AssetClass.CFD),
            {"key": "SMART:WYLD:CFD:USD", "asset_class": AssetClass.CFD, "multiplier": D(1)},
        ),
    ],
)
async def test_contracts_of_every_kind_are_read(query: InstrumentQuery, expected: dict[str, Any]) -> None:
    canned = Canned(details=DETAILS, rules=RULES)
    async with connected(canned) as made:
        found = await made.instruments.resolve(query)
        assert found is not None
        assert {name: getattr(found, name) for name in expected} == expected
        assert not [line for line in canned.log.lines if "steps" in line]


async def test_steps_in_pence_come_from_a_rule_in_pounds() -> None:
    async with connected(Canned(details=DETAILS, rules=RULES)) as made:
        found = await made.instruments.resolve(InstrumentQuery("GRNG", "LSE"))
        assert found is not None
        assert [(rule.from_price, rule.tick_size) for rule in found.tick_rules] == [(D(100), D("0.05")), (D(500), D("0.1"))]


async def test_a_contract_that_cannot_be_read_leaves_no_other_as_the_only_one() -> None:
    """Its long name ends within an escape, over which the client library stumbles."""
    other = PUT.replace("80030003", "80030004").replace("|100|", "|10|").replace("WEYLAND", "WEYLAND \\x")
    query = InstrumentQuery("WYLD", expiry=date(2027, 3, 19), strike=D("42.5"), right=OptionRight.PUT)
    async with connected(Canned(details={"WYLD": [PUT, other]}, rules=RULES)) as made:
        with pytest.raises(OutcomeUnknown, match="could not read"):
            await made.instruments.resolve(query)


# --- orders --------------------------------------------------------------------------------------------------------------------

WHEAT_ORDER = opened(contract=IN_WHEAT, lmtPrice="561.25", auxPrice=UNSET, orderRef="KEY1", status="Submitted")
BY_HAND = opened(
    orderId="0",
    clientId="0",
    permId="1940777002",
    contract=IN_OPTIONS,
    action="SELL",
    totalQuantity="2.0",
    orderType="STP",
    lmtPrice=UNSET,
    auxPrice="11.75",
    tif="GTC||DU7654321|C|0",
)
COMBO = opened(
    orderId="-17",
    clientId="0",
    permId="1940777003",
    contract=IN_COMBO,
    totalQuantity="1",
    lmtPrice="-1.25",
    legs="|2|80030003|1|BUY|SMART|0|0||-1|80030004|1|SELL|SMART|0|0||-1|2|1.7976931348623157E308|-0.5|1|NonGuaranteed|1",
    conditions="1|1|a|1|200|80010001|SMART|0|0|0",
    algo="Adaptive|1|adaptivePriority|Normal",
)
FOR_MONEY = opened(
    orderId="0",
    clientId="0",
    permId="1940777004",
    contract=IN_ETHER,
    totalQuantity="0",
    orderType="MKT",
    lmtPrice="0.0",
    tif="IOC||DU7654321||0",
    cashQty="500.0",
)
WHAT_IF = opened(orderId="99", permId="0", whatIf="1", commissions=f"1.0|{UNSET}|{UNSET}|USD")
ELSEWHERE = opened(orderId="5", clientId="3", permId="1940777005", tif="DAY||DU1111111||0")
LIST = [
    WHEAT_ORDER,
    status("12", "Submitted", "3.0", "0.0", "1940777001", "1"),
    BY_HAND,
    status("0", "PreSubmitted", "0", "0.0", "1940777002", "0", "trigger"),
    COMBO,
    status("-17", "Inactive", "0", UNSET, "1940777003", "0", "locate,child"),
    FOR_MONEY,
    status("0", "PendingSubmit", "0.0", "0", "1940777004", "0"),
    WHAT_IF,
    ELSEWHERE,
]


async def test_open_orders_with_every_field_odd_are_read() -> None:
    async with connected(Canned(open_orders=LIST)) as made:
        told = {each.broker_order_id: each for each in await made.broker.open_orders()}
    assert sorted(told, key=str) == [f"194077700{number}" for number in (1, 2, 3, 4)]
    assert told["1940777001"] == OrderSnapshot(
        client_order_id="KEY1",
        broker_order_id="1940777001",
        status=BrokerStatus.WORKING,
        filled_quantity=D(3),
        quantity=D(10),
        limit_price=D("561.25"),
        symbol="ZW",
        exchange="CBOT",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        hours=TradingHours.REGULAR,
        native_status="Submitted",
    )
    assert told["1940777002"] == OrderSnapshot(
        broker_order_id="1940777002",
        status=BrokerStatus.WORKING,
        quantity=D(2),
        stop_price=D("11.75"),
        symbol="ES/EW3",
        exchange="CME",
        side=Side.SELL,
        order_type=OrderType.STOP,
        hours=TradingHours.REGULAR,
        native_status="PreSubmitted (trigger)",
    )
    assert told["1940777003"] == OrderSnapshot(
        broker_order_id="1940777003",
        status=BrokerStatus.UNKNOWN,
        quantity=D(1),
        limit_price=D("-1.25"),
        symbol="BAG WYLD",
        exchange="SMART",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        hours=TradingHours.REGULAR,
        native_status="Inactive (locate,child)",
    )
    assert told["1940777004"] == OrderSnapshot(
        broker_order_id="1940777004",
        status=BrokerStatus.PENDING,
        symbol="ETH/USD",
        exchange="PAXOS",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        hours=TradingHours.REGULAR,
        native_status="PendingSubmit",
    )


async def test_a_limit_of_zero_is_one_where_prices_can_be() -> None:
    """Oil, in 2020. Of a market order, and of a share, zero means none."""
    at_zero = opened(contract=IN_WHEAT, lmtPrice="0.0", orderRef="KEY1")
    async with connected(Canned(open_orders=[at_zero, opened(permId="1940777009", orderId="13", lmtPrice="0.0")])) as made:
        first, second = await made.broker.open_orders()
        assert (first.limit_price, second.limit_price) == (D(0), None)


async def test_order_ids_go_on_below_the_number_that_stands_for_none() -> None:
    """TWS takes no greater one. It is told of executions of orders by hand."""
    by_hand = filled("0001f4e8.6a1b0c2d.02.01", orderId=NO_INTEGER, clientId="0", orderRef="")
    async with connected(Canned(open_orders=LIST, executions=[by_hand]), client_id=0) as made:
        await made.broker.open_orders()
        await made.broker.executions_since(START)
        assert int(made.broker.prepare(submission()).reference["order_id"]) < 1000


async def test_a_total_without_a_price_is_told_without_one() -> None:
    """So that what is missing is booked at the order's own price, and not at nothing."""
    async with connected(Canned(open_orders=LIST[:2])) as made:
        (order,) = await made.broker.open_orders()
        assert (order.filled_quantity, order.average_price, order.executions) == (D(3), None, ())


_COMPLETED = {
    "contract": IN_WHEAT,
    "terms": f"SELL|0|STP LMT|560.75|561.0|GTC||{OURS}||0",
    "orderRef": "KEY7",
    "permId": "1940777040",
    "outsideRth": "0|0|0.0|",
    "advisor": "||||",
    "goodTillDate": "",
    "rule80A": "|||0||-1",
    "volatility orders": f"0.0|0.0||||0|0|0|{NO_INTEGER}|3|0|||None||0|0|0|",
    "continuousUpdate": f"0|0|{UNSET}||",
    "legs": f"0|0|0|||{UNSET}",
    "hedgeType": "",
    "clearing": "|IB|0|0",
    "algo": "",
    "status": "0|Cancelled|0|0",
    "conditions": "0",
    "trailStopPrice": f"{UNSET}|{UNSET}|0.0|0|0|",
    "filledQuantity": "0.0",
    "rest": "0|0||0|0|9223372036854775807|20260302 16:15:00 Europe/Zurich|Cancelled by Trader",
    "newer": f"{NO_INTEGER}|{NO_INTEGER}|{UNSET}|{UNSET}|{UNSET}",
}


def completed(shares: str) -> str:
    return "|".join(["101", *(_COMPLETED | {"filledQuantity": shares}).values()])


@pytest.mark.parametrize(("shares", "expected"), [("0.0", 0), ("3.0", 3), (UNSET, 0), ("", 0)])
async def test_an_order_that_ended_is_found_with_what_was_filled(shares: str, expected: int) -> None:
    async with connected(Canned(completed=[completed(shares)])) as made:
        found = await made.broker.find("KEY7", None, {"client_id": "1", "order_id": "4", "day": "2026-03-02"})
        assert isinstance(found, OrderSnapshot)
        assert (found.status, found.filled_quantity, found.quantity) == (BrokerStatus.CANCELLED, D(expected), None)
        assert (found.limit_price, found.stop_price, found.reason) == (D("560.75"), D(561), "Cancelled by Trader")


async def test_a_list_with_a_row_that_cannot_be_read_proves_nothing() -> None:
    canned = Canned(completed=[completed("none")])
    today = datetime.now(UTC).astimezone().date().isoformat()
    async with connected(canned) as made:
        assert await made.broker.find("KEY8", None, {"client_id": "1", "order_id": "4", "day": today}) is Absence.INCONCLUSIVE


async def test_states_are_told_as_they_are_pushed() -> None:
    canned = Canned()
    async with connected(canned):
        canned.push(opened(orderRef="KEY1"), status("12", "PreSubmitted", "0", "0", "1940777001", "1"))
        canned.push(status("12", "Submitted", "0.0", UNSET, "1940777001", "1"))
        canned.push(status("0", "Submitted", "0", "0", "1940777999", "0"))
        canned.push("4|2|12|202|Order Canceled - reason:||1772463600")
        canned.push(status("12", "Cancelled", "0", "0.0", "1940777001", "1"))
        *accepted, closed = await canned.until_told(3)
    assert accepted == [Accepted(client_order_id="KEY1", broker_order_id="1940777001")] * 2
    assert isinstance(closed, OrderClosed)


# --- fills ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("20260302 10:15:30 US/Eastern", datetime(2026, 3, 2, 15, 15, 30, tzinfo=UTC)),
        ("20260302-15:15:30", datetime(2026, 3, 2, 15, 15, 30, tzinfo=UTC)),
        ("20260302 16:15:30 MET", datetime(2026, 3, 2, 15, 15, 30, tzinfo=UTC)),
        ("20260302 23:15:30 Hongkong", datetime(2026, 3, 2, 15, 15, 30, tzinfo=UTC)),
        ("20260302 15:15:30 GB-Eire", datetime(2026, 3, 2, 15, 15, 30, tzinfo=UTC)),
        ("20260302 20:45:30 Asia/Calcutta", datetime(2026, 3, 2, 15, 15, 30, tzinfo=UTC)),
        ("20260302 10:15:30 Hora de verano", None),
    ],
)
async def test_a_fill_counts_whatever_zone_its_time_names(time: str, at: datetime | None) -> None:
    async with connected(Canned(executions=[filled("0001f4e8.6a1b0c2d.01.01", time=time)])) as made:
        (told,) = await made.broker.executions_since(START)
    assert isinstance(told, Execution)
    assert (told.occurred_at, told.quantity, told.price) == (at, D(4), D("41.2"))


async def test_fills_with_every_field_odd_are_read() -> None:
    rows = [
        filled("0001f4e8.6a1b0c2d.01.01", IN_WHEAT, shares="2.0", price="-0.25", orderRef="KEY1"),
        filled("0001f4e8.6a1b0c2d.02.01", IN_ETHER, orderId=NO_INTEGER, clientId="0", shares="0.12345678", orderRef="", permId="7"),
        filled("0001f4e8.6a1b0c2d.03.01", IN_OPTIONS, orderId="-17", clientId="0", orderRef="", permId="1940777003", side="SLD"),
        filled("0001f4e8.6a1b0c2d.04.01", account="DU1111111|ISLAND"),
        f"59|1|0001f4e8.6a1b0c2d.01.01|2.11|USD|{UNSET}|{UNSET}|",
        f"59|1|0001f4e8.6a1b0c2d.02.01|{UNSET}|USD|{UNSET}|{UNSET}|",
        "59|1|0001f4e8.6a1b0c2d.03.01|1.75|EUR|12.5|0.0|0",
    ]
    async with connected(Canned(executions=rows)) as made:
        told = await made.broker.executions_since(START)
    assert [(each.client_order_id, each.broker_order_id, each.quantity, each.price) for each in executions(told)] == [
        ("KEY1", "1940777001", D(2), D("-0.25")),
        (None, "7", D("0.12345678"), D("41.2")),
        (None, "1940777003", D(4), D("41.2")),
    ]
    charged = [(each.commission, each.commission_currency) for each in executions(told)]
    assert charged == [(D("2.11"), None), (None, None), (D("1.75"), "EUR")]


def executions(told: Any) -> list[Execution]:
    return [each for each in told if isinstance(each, Execution)]


async def test_a_rebate_and_a_free_trade_are_told_as_such() -> None:
    canned = Canned()
    async with connected(canned):
        canned.push(
            filled("0001f4e8.6a1b0c2d.01.01").replace("#", "-1"), f"59|1|0001f4e8.6a1b0c2d.01.01|-0.42|USD|{UNSET}|{UNSET}|"
        )
        canned.push(filled("0001f4e8.6a1b0c2d.02.01").replace("#", "-1"), "59|1|0001f4e8.6a1b0c2d.02.01|0.0||0|0|20260302")
        told = await canned.until_told(4)
    assert [each.commission for each in told if isinstance(each, Commission)] == [D("-0.42"), D(0)]


# --- positions and money -------------------------------------------------------------------------------------------------------


async def test_positions_with_every_field_odd_are_read() -> None:
    """Costs are in the currency, with the multiplier; where TWS describes a contract no more it is shown as it was told."""
    rows = [
        f"61|3|{OURS}|80020002|ZW|FUT|20270714|0.0||5000||USD|ZW   JUL 27|ZW|-3|28062.5",
        f"61|3|{OURS}|80010002|GRNG|STK||0|0|||GBP|GRNG|SET1|1250.0|4.125",
        f"61|3|{OURS}|80010001|WYLD|STK||0.0|?||NYSE|USD|WYLD|NMS|0.5|41.1999999",
        f"61|3|{OURS}|80030003|WYLD|OPT|20270319|42.5|P|100||USD|WYLD  270319P00042500|WYLD|-1|{UNSET}",
        f"61|3|{OURS}|80040004|ES|FOP|20270319|6150.0|C|50||USD|EW3H7 C6150|EW3|2|0.0",
        f"61|3|{OURS}|80050005|EUR|CASH||0|?|||USD|EUR.USD|EUR.USD|25000|1.085",
        f"61|3|{OURS}|80060006|ETH|CRYPTO||0|0|||USD|ETH.USD|ETH|1.00000001|3000.5",
        f"61|3|{OURS}|80070007|WYLD|CFD||0|?|||USD|WYLDn|CFD|7|41.0",
        f"61|3|{OURS}|80099999|OLDN|OPT|20260116|10|C|100||USD|OLDN  260116C00010000|OLDN|1|55.0",
        f"61|3|{OURS}|80010009|GONE|STK||0|?|||USD|GONE|NMS|0|0.0",
        "61|3|DU1111111|80010001|WYLD|STK||0|?|||USD|WYLD|NMS|9|1.0",
    ]
    async with connected(Canned(positions=rows, details=DETAILS, rules=RULES)) as made:
        held = await made.broker.positions()
    assert {each.instrument.key: (each.quantity, each.average_price) for each in held if each.instrument.asset_class != "CFD"} == {
        "CBOT:ZW:2027-07-14": (D(-3), D("561.25")),
        "LSE:GRNG": (D(1250), D("412.5")),
        "NYSE:WYLD": (D("0.5"), D("41.1999999")),
        "SMART:WYLD:2027-03-19:42.5:PUT": (D(-1), None),
        "CME:ES/EW3:2027-03-19:6150:CALL": (D(2), D(0)),
        "IDEALPRO:EUR/USD": (D(25000), D("1.085")),
        "PAXOS:ETH/USD": (D("1.00000001"), D("3000.5")),
        "SMART:OLDN:2026-01-16:10:CALL": (D(1), D("0.55")),
    }
    (difference,) = [each for each in held if each.instrument.asset_class is AssetClass.CFD]
    assert (difference.quantity, difference.average_price) == (D(7), D(41))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("NetLiquidation", "10.5", "USD"), ("TotalCashValue", "-2.25", "USD")], ("USD", "-2.25", "10.5")),
        (
            [("NetLiquidation", "9", "BASE"), ("NetLiquidation", "10.5", "USD"), ("TotalCashValue", "3", "USD")],
            ("USD", "3", "10.5"),
        ),
        ([("NetLiquidation", "8", "CHF"), ("NetLiquidation", "10.5", "USD"), ("TotalCashValue", "3", "USD")], ("USD", "3", "10.5")),
        ([("NetLiquidation", "8", "CHF"), ("TotalCashValue", "3", "EUR"), ("TotalCashValue", "4", "CHF")], ("CHF", "4", "8")),
        ([("NetLiquidation", "9", "BASE"), ("TotalCashValue", "3.5", "BASE")], ("USD", "3.5", "9")),
        ([("NetLiquidation", UNSET, "USD"), ("TotalCashValue", "", "USD")], ("USD", None, None)),
        ([("NetLiquidation", "N/A", "USD"), ("TotalCashValue", "Infinity", "USD")], ("USD", None, None)),
        ([("AccountType", "INDIVIDUAL", ""), ("NetLiquidation", "1E3", "USD")], ("USD", None, "1000")),
        ([], ("USD", None, None)),
    ],
)
async def test_account_values_come_in_several_currencies(
    rows: list[tuple[str, str, str]], expected: tuple[str, str | None, str | None]
) -> None:
    summary = [f"63|1|#|{OURS}|{tag}|{value}|{currency}" for tag, value, currency in rows]
    others = [f"63|1|#|DU1111111|NetLiquidation|777|{currency}" for currency in ("USD", "BASE", "JPY")]
    async with connected(Canned(summary=[*others, *summary])) as made:
        account = await made.broker.account()
    currency, cash, equity = expected
    told = [None if figure is None else figure.amount for figure in (account.cash, account.equity)]
    assert (account.currency, told) == (currency, [cash and D(cash), equity and D(equity)])


async def test_an_order_for_an_odd_contract_goes_out_as_tws_described_it() -> None:
    canned = Canned(details=DETAILS, rules=RULES)
    async with connected(canned) as made:
        option = await made.instruments.resolve(InstrumentQuery("ES/EW3", "CME", AssetClass.FUTURE_OPTION))
        contract = json.loads(made.broker.prepare(submission(instrument=option)).payload)["contract"]
    assert contract == {
        "conId": "80040004",
        "symbol": "ES",
        "secType": "FOP",
        "lastTradeDateOrContractMonth": "20270319",
        "strike": "6150",
        "right": "C",
        "multiplier": "50",
        "exchange": "CME",
        "currency": "USD",
        "localSymbol": "EW3H7 C6150",
        "tradingClass": "EW3",
    }
