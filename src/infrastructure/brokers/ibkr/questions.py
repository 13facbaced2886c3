"""Questions to TWS. Each has an end, its own time-out at the latest, and raises `BrokerError`.

Three of them (open orders, completed orders, positions) bear no number, so their answers cannot be told from late answers to
the same question asked before. Where one was not answered in time, this connection's questions are worth nothing any more: it is
given up as soon as no request is under way on it, and the reader of its reports connects again.
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
"""How long a market rule is waited for: an order waits with it."""
PAUSE_SECONDS = 60.0
"""One that was not told is not asked for again before that."""


class TwsQuestions:
    """`ib` is the library's. `demand_link` raises where nothing can be asked."""

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
        """By the loop's clock; of each market rule."""
        self.is_spoiled = False
        """An answer may come that is an earlier question's."""

    async def open_orders(self) -> list[TwsOrder]:
        """Every live order of the login, by whichever program or hand it was placed."""
        async with self._turn:
            with self._hearing.listing() as listed:
                await self._unnumbered(self._ib.reqAllOpenOrdersAsync)
        return [row for row in map(self._hearing.orders.get, listed) if row is not None]

    async def completed_orders(self) -> list[TwsOrder]:
        """Those that ended on IB's present day."""
        async with self._turn:
            told: list[TwsOrder] = []
            self._hearing.completed = told
            await self._unnumbered(lambda: self._ib.reqCompletedOrdersAsync(False))
            return told

    async def fetch_executions(self) -> None:
        """Those since IB's midnight, to where all executions are kept."""
        await self._asked(self._ib.reqExecutionsAsync)

    async def positions(self) -> list[Any]:
        """The library's, of all accounts. Changes come between the rows of the answer: the last word of each counts."""
        async with self._turn:
            told = await self._unnumbered(self._ib.reqPositionsAsync)
        return list({(each.account, each.contract.conId): each for each in told}.values())

    async def contract_details(self, contract: Fields) -> list[Any]:
        """The library's. Empty for what TWS does not know."""
        try:
            return list(await self._asked(lambda: self._ib.reqContractDetailsAsync(sdk.LIBRARY.Contract(**contract))))
        except UnknownContract:
            return []

    async def market_rule(self, number: int) -> list[Any]:
        """The library's steps of price, asked for once in a connection. Empty where TWS does not tell them."""
        rules, now = self._hearing.market_rules, asyncio.get_running_loop().time
        async with self._rule_turn:  # the library keeps one question for each rule
            if number not in rules and now() - self._rule_asked_at.get(number, -PAUSE_SECONDS) >= PAUSE_SECONDS:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(PATIENCE_SECONDS, self._timeout / 2)):
                        await self._asked(lambda: self._ib.reqMarketRuleAsync(number))
                self._rule_asked_at[number] = now()
        return rules.get(number, [])

    async def account_values(self, account: str) -> dict[tuple[str, str], str]:
        """By tag and currency. One question at a time: the library keeps every row that it was ever told in one table."""
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
        """In its turn, which the caller has taken: rows and ends are those of the one question that is open."""
        if self.is_spoiled:
            raise BrokerConnectionError("the connection to TWS is being given up: a question was not answered to its end")
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
            raise BrokerTimeoutError(f"TWS did not answer to the end within {self._timeout:g} s") from None
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
