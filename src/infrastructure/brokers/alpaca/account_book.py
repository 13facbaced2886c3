"""Questions about the account at Alpaca: orders, fills, positions and money."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.brokerage import AccountAccess
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind
from liveorder.domain.errors import OutcomeUnknown
from liveorder.domain.execution_report import Execution, ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, TradingMode
from liveorder.infrastructure.brokers.alpaca.instruments import AlpacaInstruments
from liveorder.infrastructure.brokers.alpaca.rest import Rest
from liveorder.infrastructure.brokers.alpaca.translation import (
    UNREADABLE,
    Message,
    execution_of,
    filled,
    moment,
    number,
    own_key,
    row_of,
    rows_of,
    snapshot_of,
)

ORDERS_A_PAGE = 500
FILLS_A_PAGE = 100
MOST_PAGES = 1000
_FILL = "FILL"
_BLOCKS = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
_PAPER_ACCOUNT = "PA"
"""Prefix of the numbers of paper accounts."""


FIGURES: Mapping[str, tuple[FigureKind, str]] = {
    "equity": (FigureKind.EQUITY, ""),
    "cash": (FigureKind.CASH, ""),
    "initial_margin": (FigureKind.INITIAL_MARGIN, ""),
    "maintenance_margin": (FigureKind.MAINTENANCE_MARGIN, ""),
    "buying_power": (FigureKind.BUYING_POWER, ""),
    "non_marginable_buying_power": (FigureKind.BUYING_POWER, AssetClass.CRYPTO),
    "options_buying_power": (FigureKind.BUYING_POWER, AssetClass.OPTION),
    "regt_buying_power": (FigureKind.BUYING_POWER, "OVERNIGHT"),
    "daytrading_buying_power": (FigureKind.BUYING_POWER, "DAY_TRADING"),
}
"""By Alpaca's field name: the kind of figure, and the part of the account it is for. Coins and options are not bought on margin."""


class AlpacaQuestions:
    """Asks Alpaca. Each method raises `BrokerError`, or one of `UNREADABLE`."""

    def __init__(self, access: AccountAccess, rest: Rest, instruments: AlpacaInstruments) -> None:
        self._access, self._rest, self._instruments = access, rest, instruments

    async def account(self) -> BrokerAccount:
        asked_at = self._access.clock.now()
        row = row_of(await self._rest.get("/account"))
        if blocks := [flag for flag in _BLOCKS if row.get(flag)]:
            sentence = f"Alpaca takes no orders of this account: {', '.join(blocks)}"
            self._access.log.write("WARNING", sentence, account_id=self._access.account_id)
        currency = row.get("currency") or self._access.currency
        return BrokerAccount(self._access.account_id, _mode_of(row), currency, tuple(self._figures(row, currency, asked_at)))

    def _figures(self, row: Message, currency: str, at: datetime) -> Iterator[Figure]:
        for field, (kind, part) in FIGURES.items():
            try:
                if row.get(field) not in (None, ""):
                    yield Figure(kind, number(row[field]), currency, at, part)
            except UNREADABLE:
                sentence = f"Alpaca's {field} could not be read; the account goes without it"
                self._access.log.write("WARNING", sentence, account_id=self._access.account_id)

    async def positions(self) -> Sequence[BrokerPosition]:
        rows = rows_of(await self._rest.get("/positions"))
        return [_position(row, instrument) for row, instrument in zip(rows, await self._instruments.held(rows), strict=True)]

    # --- orders ----------------------------------------------------------------------------------------------------------------

    async def open_orders(self) -> Sequence[Message]:
        """Every live order at Alpaca, including replacements that are not accepted yet."""
        orders: dict[str, Message] = {}
        after: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            page = await self._page_of_orders(after)
            orders |= {order["id"]: order for order in page}
            if len(page) < ORDERS_A_PAGE:
                return [*orders.values()]
            after = _further(after, {"after": page[-1]["submitted_at"]})
        raise OutcomeUnknown("alpaca: the list of open orders does not end")

    async def _page_of_orders(self, after: dict[str, Any]) -> list[Message]:
        return rows_of(await self._rest.get("/orders", status="open", limit=ORDERS_A_PAGE, direction="asc", **after))

    async def snapshot(self, chain: Sequence[Message]) -> OrderSnapshot:
        """The snapshot of a chain. If an earlier order of the chain traded, it includes every fill of the chain."""
        if not any(filled(each) for each in chain[:-1]):
            return snapshot_of(chain)
        ids = {each["id"] for each in chain}
        began = moment(chain[0].get("submitted_at")) or datetime.fromtimestamp(0, UTC)
        fills = [fill async for fill in self._fills_since(began) if fill.broker_order_id in ids]
        return snapshot_of(chain, [replace(fill, client_order_id=own_key(chain[0])) for fill in fills])

    # --- fills -----------------------------------------------------------------------------------------------------------------

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return [fill async for fill in self._fills_since(since)]

    async def _fills_since(self, since: datetime) -> AsyncIterator[Execution]:
        """Fills, oldest first, page by page. Asks from one second earlier: Alpaca takes whole seconds and returns what came
        after.
        """
        after = (since.astimezone(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        query: dict[str, Any] = {"after": after, "direction": "asc", "page_size": FILLS_A_PAGE}
        for _ in range(MOST_PAGES):
            page = rows_of(await self._rest.get("/account/activities/FILL", **query))
            for row in page:
                if row.get("activity_type", _FILL) == _FILL:
                    yield execution_of(row)
            if len(page) < FILLS_A_PAGE:
                return
            query = _further(query, query | {"page_token": page[-1]["id"]})
        raise OutcomeUnknown("alpaca: the list of fills does not end")


def _position(row: Message, instrument: Instrument) -> BrokerPosition:
    """Some answers mark a short position by the quantity's sign, others by its side."""
    quantity = abs(number(row["qty"])) * (-1 if row["side"] == "short" else 1)
    average = number(row["avg_entry_price"]) if row.get("avg_entry_price") is not None else None
    return BrokerPosition(instrument, quantity, average)


def _mode_of(row: Message) -> TradingMode:
    """The mode by the account's number. The address proves nothing, because a proxy can have any address."""
    is_paper = str(row["account_number"]).startswith(_PAPER_ACCOUNT)
    return TradingMode.PAPER if is_paper else TradingMode.LIVE


def _further(query: dict[str, Any], following: dict[str, Any]) -> dict[str, Any]:
    """The query of the next page. Raises `OutcomeUnknown` if it is the same as this one."""
    if following == query:
        raise OutcomeUnknown("alpaca: the pages of a list repeat")
    return following
