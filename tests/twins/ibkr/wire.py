"""The messages of TWS's socket protocol at server version 176, which every client library of the trade reads.

A message is a length and fields that end in NUL. What a field means is said by its place alone.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Mapping
from typing import Any

SERVER_VERSION = 176
UNSET = "1.7976931348623157E308"
"""How TWS writes a number that it does not tell."""
GARBLED = ("5", "not an order")
"""An openOrder that no client can read."""

CONTRACT = (
    "conId",
    "symbol",
    "secType",
    "lastTradeDateOrContractMonth",
    "strike",
    "right",
    "multiplier",
    "exchange",
    "primaryExchange",
    "currency",
    "localSymbol",
    "tradingClass",
)
_TOLD_CONTRACT = tuple(name for name in CONTRACT if name != "primaryExchange")
_PLACED = {
    "action": 16,
    "totalQuantity": 17,
    "orderType": 18,
    "lmtPrice": 19,
    "auxPrice": 20,
    "tif": 21,
    "account": 23,
    "orderRef": 26,
    "outsideRth": 33,
    "goodTillDate": 38,
    "trailingPercent": 70,
    "lmtPriceOffset": 93,
    "cashQty": 101,
}
"""Where in a placeOrder without legs, conditions and algorithms the client puts what."""

Fields = Mapping[str, str]


def framed(fields: Iterable[Any]) -> bytes:
    content = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(content)) + content


async def read_message(reader: asyncio.StreamReader) -> list[str]:
    """Raises `asyncio.IncompleteReadError` at the end."""
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return (await reader.readexactly(length)).decode().split("\0")[:-1]


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The client offers versions, the server names one."""
    await reader.readexactly(4)
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    await reader.readexactly(length)
    writer.write(framed([SERVER_VERSION, "20260101 00:00:00 UTC"]))


def contract_asked(fields: list[str], start: int) -> dict[str, str]:
    told = dict(zip(CONTRACT, fields[start : start + len(CONTRACT)], strict=True))
    return {name: text for name, text in told.items() if text not in ("", "0", "0.0")}


def order_placed(fields: list[str]) -> dict[str, str]:
    return {name: fields[place] for name, place in _PLACED.items() if fields[place]}


def open_order(ids: Fields, contract: Fields, order: Fields, status: str) -> list[str]:
    """`ids`: orderId, clientId, permId. Other fields are as TWS tells them of a plain order."""
    of = order.get
    return [
        *("5", ids["orderId"], *_contract(contract)),
        *(of("action", ""), of("totalQuantity", "0"), of("orderType", ""), of("lmtPrice", "0.0"), of("auxPrice", "0.0")),
        *(of("tif", ""), "", of("account", ""), "", "0", of("orderRef", ""), ids["clientId"], ids["permId"]),
        *(of("outsideRth", "0"), "0", "0", "", "", "", "", "", "", "", of("goodTillDate", ""), "", "", "", "0", "", "-1"),
        *("0", "", "", "", "", "", "", "0", "0", "0", "", "3", "0", "0", "", "0", "0", "", "0", "None", ""),
        *("0", "", "", "", "?", "0", "0", ""),  # what follows a deltaNeutralOrderType, which is the word None
        *("0", "0", UNSET, of("trailingPercent", UNSET), "", "", "", "0", "0", "0", "", "", "", "", "0", "", "IB", "0", "0", ""),
        *("0", "0", status, *[UNSET] * 9, "", "", "", "", "", "0", "0", "0"),
        *(
            "None",
            UNSET,
            UNSET,
            of("lmtPriceOffset", UNSET),
            UNSET,
            UNSET,
            UNSET,
            "0",
            "",
            "",
            "",
            of("cashQty", "0"),
            "0",
            "0",
            "0",
            "0",
        ),
        *("", str(2**31 - 1), "0", str(2**31 - 1), str(2**31 - 1), UNSET, UNSET, UNSET),
    ]


def completed_order(perm_id: str, contract: Fields, order: Fields, status: str, filled: str, reason: str) -> list[str]:
    """Of an order that ended: without its ids, and without its quantity."""
    of = order.get
    return [
        *("101", *_contract(contract), of("action", ""), "0", of("orderType", ""), of("lmtPrice", "0.0"), of("auxPrice", "0.0")),
        *(of("tif", ""), "", of("account", ""), "", "0", of("orderRef", ""), perm_id, of("outsideRth", "0"), "0", "0", ""),
        *("", "", "", "", "", of("goodTillDate", ""), "", "", "", "0", "", "-1", "", "", "", "", "", "0", "0", "0", "", "3", "0"),
        *("", "0", "None", "", "0", "0", "0", ""),
        *("0", "0", UNSET, of("trailingPercent", UNSET), "", "0", "0", "0", "", "", "", "", "", "IB", "0", "0", ""),
        *("0", status, "0", "0", "0", UNSET, UNSET, of("cashQty", "0"), "0", "0", "", filled, "0", "0", "", "0", "0"),
        *(str(2**63 - 1), "20260102 12:00:00 America/New_York", reason),
        *(str(2**31 - 1), str(2**31 - 1), UNSET, UNSET, UNSET),
    ]


def order_status(ids: Fields, status: str, filled: str, remaining: str, average: str) -> list[str]:
    order_id, client_id, perm_id = ids["orderId"], ids["clientId"], ids["permId"]
    return ["3", order_id, status, filled, remaining, average, perm_id, "0", "0", client_id, "", "0"]


def execution(number: int, ids: Fields, contract: Fields, told: Fields) -> list[str]:
    """`told`: execId, time, account, side, shares, price, cumQty, avgPrice, orderRef."""
    of = told.__getitem__
    return [
        *("11", str(number), ids["orderId"], *_contract(contract), of("execId"), of("time"), of("account"), contract["exchange"]),
        *(of("side"), of("shares"), of("price"), ids["permId"], ids["clientId"], "0", of("cumQty"), of("avgPrice")),
        *(of("orderRef"), "", "", "", "2"),
    ]


def commission(execution_id: str, amount: str, currency: str) -> list[str]:
    return ["59", "1", execution_id, amount, currency, UNSET, UNSET, "0"]


def error(number: int | str, code: int, text: str) -> list[str]:
    return ["4", "2", str(number), str(code), text, ""]


def position(account: str, contract: Fields, quantity: str, cost: str) -> list[str]:
    """Names no exchange, as TWS does not."""
    return ["61", "3", account, *_contract(dict(contract) | {"exchange": ""}), quantity, cost]


def contract_details(number: str, contract: Fields, told: Fields) -> list[str]:
    """`told`: minTick, sizeIncrement, priceMagnifier, validExchanges, marketRuleIds."""
    of, step = contract.get, told["sizeIncrement"]
    return [
        *("10", number, of("symbol", ""), of("secType", ""), of("lastTradeDateOrContractMonth", ""), of("strike", "0")),
        *(of("right", ""), of("exchange", ""), of("currency", ""), of("localSymbol", ""), "", of("tradingClass", "")),
        *(of("conId", "0"), told["minTick"], of("multiplier", ""), "", told["validExchanges"], told["priceMagnifier"]),
        *("0", "A long name", of("primaryExchange", ""), "", "", "", "", "US/Eastern", "", "", "", "", "0", "1", "", ""),
        *(told["marketRuleIds"], of("lastTradeDateOrContractMonth", ""), ""),
        *(step, step, step),
    ]


def market_rule(number: str, steps: Iterable[tuple[Any, Any]]) -> list[str]:
    """`steps`: from which price on, and how wide."""
    parts = [str(part) for step in steps for part in step]
    return ["93", number, str(len(parts) // 2), *parts]


def _contract(contract: Fields) -> list[str]:
    """A right that does not apply is a question mark."""
    blanks = {"conId": "0", "strike": "0", "right": "?"}
    return [contract.get(name) or blanks.get(name, "") for name in _TOLD_CONTRACT]
