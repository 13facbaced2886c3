"""What each broker says of its account's money: asked at every connection and reconciliation, and when it is needed younger.

Asking is all that happens here: a question that fails is logged, changes nothing and stops nothing. What was reported before it
stands, as old as it is, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.clock import Clock
from liveorder.application.reporting.views import AccountView, account_view
from liveorder.application.risk.book import RiskBook
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.domain.broker_account import BrokerAccount, FigureKind, figures
from liveorder.domain.errors import BrokerError, InvalidInput

PATIENCE_SECONDS = 2.0
"""So long an order waits for a figure before it is refused for want of money, or sent for the broker to judge."""


LOOK_SECONDS = 5.0
"""A program that looks at the money again and again is shown none that is older, and asks no more often."""


def with_equity(account: BrokerAccount, equity: Decimal | None, now: datetime) -> BrokerAccount:
    """The account with the equity that the settings name in place of the broker's, if they name one."""
    if equity is None:
        return account
    others = tuple(each for each in account.figures if each.kind is not FigureKind.EQUITY)
    return replace(account, figures=(*figures(now, account.currency, equity=equity), *others))


class AccountFigures:
    """Of every account. An answer is taken into the risk book, which subtracts what our orders take after it."""

    def __init__(self, gateways: Mapping[str, Gateway], risk: RiskBook, clock: Clock, log: SparingLog) -> None:
        self._gateways, self._risk, self._clock, self._log = gateways, risk, clock, log
        self._turns = {account_id: asyncio.Lock() for account_id in gateways}
        self._asked: dict[str, float] = {}
        """When each was asked last, by the monotonic clock, answered or not."""
        self.problems: dict[str, str] = {}
        """Why the last question failed, where it did."""

    async def hear(self, account_id: str, answer: Awaitable[BrokerAccount]) -> BrokerAccount:
        """Put a question whose answer tells the account, and take that in. Raises what the broker raises."""
        funds = self._risk.funds(account_id)
        question = funds.ask(self._clock.now())
        self._asked[account_id] = self._clock.monotonic()
        account = await answer
        funds.report(question, account, self._gateways[account_id].broker.capabilities.money_lag_seconds)
        self.problems.pop(account_id, None)
        return account

    def latest(self, account_id: str) -> BrokerAccount | None:
        """As reported last, however long ago; with the equity that the settings name, which is never old."""
        account = self._risk.funds(account_id).account
        return None if account is None else with_equity(account, self._gateways[account_id].terms.equity, self._clock.now())

    async def at_most(self, account_id: str, seconds: float, patience_seconds: float | None = None) -> BrokerAccount | None:
        """As reported at most so many seconds ago, asked for if need be, as far as the pace allows and the broker answers in time.

        Who asks together shares the answer. None while nothing was ever reported.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds), self._turns[account_id]:
                if self._is_due(account_id, seconds):
                    await self._ask(account_id)
        return self.latest(account_id)

    async def shown(self, account_id: str, seconds: float = LOOK_SECONDS) -> AccountView:
        """For people and programs, no older where it can be had. Raises `InvalidInput` for an account that is not traded."""
        if (gateway := self._gateways.get(account_id)) is None:
            raise InvalidInput("account_id", f"{account_id} is not traded here", f"name one of {', '.join(self._gateways)}")
        account = await self.at_most(account_id, seconds)
        return account_view(account_id, gateway.broker.name, account, self._clock.now(), self.problems.get(account_id))

    async def look_again(self, account_id: str) -> None:
        """Before an order is refused for want of money: asked as late as the pace allows, and not waited for long."""
        await self.at_most(account_id, 0.0, PATIENCE_SECONDS)

    async def _ask(self, account_id: str) -> None:
        gateway = self._gateways[account_id]
        try:
            await gateway.ask(self.hear(account_id, gateway.broker.account()))
        except BrokerError as error:
            self.problems[account_id] = str(error)
            self._log.write("BROKER", f"The account's money could not be asked for: {error}", account_id=account_id)

    def _is_due(self, account_id: str, seconds: float) -> bool:
        asked = self._asked.get(account_id)
        since = float("inf") if asked is None else self._clock.monotonic() - asked
        can = self._gateways[account_id].broker.capabilities
        return self._risk.funds(account_id).is_to_be_asked(self._clock.now(), since, seconds, can)
