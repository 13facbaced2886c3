"""Questions to TWS. Each ends at its own time-out at the latest, and raises `BrokerError`.

Three of them (open orders, completed orders, positions) carry no request number, so a late answer to an earlier question looks
like the answer to the present one. If such a question is not answered in time, no further answer on this connection can be
trusted. The connection is closed once no request is in flight on it, and the reader of its reports reconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from liveorder.domain.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, OutcomeUnknown
from liveorder.infrastructure.brokers.ibkr import account_figures, failures, sdk
from liveorder.infrastructure.brokers.ibkr.hearing import Hearing
from liveorder.infrastructure.brokers.ibkr.rows import Fields, TwsOrder

PATIENCE_SECONDS = 1.0
"""Maximum wait for a market rule. An order waits with it."""
PAUSE_SECONDS = 60.0
"""After a market rule was not answered, it is not requested again for this long."""


class TwsQuestions:
    """`ib` is the client library's object. `demand_link` raises if nothing can be asked."""

    def __init__(
        self,
        ib: Any,
        hearing: Hearing,
        timeout_seconds: float,
        demand_link: Callable[[], None],
        on_spoiled: Callable[[], None],
    ) -> None:
        self._ib, self._hearing, self._timeout = ib, hearing, timeout_seconds
        self._demand_link, self._on_spoiled = demand_link, on_spoiled
        self._turn, self._rule_turn, self._summary_turn = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self._rule_asked_at: dict[int, float] = {}
        """When each market rule was last requested, by the loop's clock."""
        self.is_spoiled = False
        """True if a later answer may belong to an earlier question."""

    async def open_orders(self) -> list[TwsOrder]:
        """Every live order of the login, whichever program or person placed it."""
        async with self._turn:
            with self._hearing.listing() as listed:
                await self._unnumbered(self._ib.reqAllOpenOrdersAsync)
        return [row for row in map(self._hearing.orders.get, listed) if row is not None]

    async def completed_orders(self) -> list[TwsOrder]:
        """The orders that ended on IB's present day."""
        async with self._turn:
            completed: list[TwsOrder] = []
            self._hearing.completed = completed
            await self._unnumbered(lambda: self._ib.reqCompletedOrdersAsync(False))
            return completed

    async def fetch_executions(self) -> None:
        """Request the executions since IB's midnight. They arrive where all executions are kept."""
        await self._asked(self._ib.reqExecutionsAsync)

    async def positions(self) -> list[Any]:
        """The library's positions of all accounts. Changes can arrive between the rows of the answer, so the last row of each
        counts.
        """
        async with self._turn:
            rows = await self._unnumbered(self._ib.reqPositionsAsync)
        return list({(each.account, each.contract.conId): each for each in rows}.values())

    async def contract_details(self, contract: Fields) -> list[Any]:
        """The library's contract details. Empty if TWS knows no such contract."""
        try:
            return list(await self._asked(lambda: self._ib.reqContractDetailsAsync(sdk.LIBRARY.Contract(**contract))))
        except UnknownContract:
            return []

    async def market_rule(self, number: int) -> list[Any]:
        """The library's price increments, requested once per connection. Empty if TWS does not report them."""
        rules, now = self._hearing.market_rules, asyncio.get_running_loop().time
        async with self._rule_turn:  # the library keeps one question for each rule
            if number not in rules and now() - self._rule_asked_at.get(number, -PAUSE_SECONDS) >= PAUSE_SECONDS:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(PATIENCE_SECONDS, self._timeout / 2)):
                        await self._asked(lambda: self._ib.reqMarketRuleAsync(number))
                self._rule_asked_at[number] = now()
        return rules.get(number, [])

    async def account_values(self, account: str) -> dict[tuple[str, str], str]:
        """Keyed by (tag, currency). One question at a time: the library keeps every row it ever received in one table."""
        client, wrapper = self._ib.client, self._ib.wrapper
        async with self._summary_turn:
            self._demand_link()
            number = client.getReqId()
            wrapper.acctSummary.clear()
            try:
                await self._asked(lambda: _summary(client, wrapper, number))
            finally:
                if client.isReady():
                    client.cancelAccountSummary(number)
            return {(each.tag, each.currency): each.value for each in wrapper.acctSummary.values() if each.account == account}

    async def _unnumbered(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """The caller holds the turn, so that all rows and the end mark belong to the one open question."""
        if self.is_spoiled:
            raise BrokerConnectionError("the connection to TWS is being closed: a question was not answered completely")
        self._demand_link()
        is_answered = False
        try:
            answer = await self._asked(ask)
            is_answered = True
        finally:
            if not is_answered:
                self.is_spoiled = True
                self._on_spoiled()
        return answer

    async def _asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        self._demand_link()
        try:
            async with asyncio.timeout(self._timeout):
                return await ask()
        except TimeoutError:
            raise BrokerTimeoutError(f"TWS did not answer completely within {self._timeout:g} s") from None
        except ConnectionError as error:
            raise BrokerConnectionError(f"the connection to TWS broke: {error}") from error
        except sdk.RequestError as error:
            raise _failure_of(error) from None


class UnknownContract(OutcomeUnknown):
    """TWS knows no contract of this description."""


def _failure_of(error: Any) -> BrokerError:
    kind = UnknownContract if error.code == failures.UNKNOWN_CONTRACT else OutcomeUnknown
    return kind(f"TWS {error.code}: {error.message}")


def _summary(client: Any, wrapper: Any, number: int) -> Awaitable[Any]:
    future: Awaitable[Any] = wrapper.startReq(number)
    client.reqAccountSummary(number, "All", ",".join((*account_figures.TAGS, "$LEDGER:ALL")))
    return future
