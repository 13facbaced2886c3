"""The current connection to TWS. It is re-established after a break, and callers can wait for it meanwhile."""

from __future__ import annotations

import asyncio

from liveorder.domain.errors import BrokerAuthenticationError, BrokerConnectionError, BrokerError
from liveorder.infrastructure.brokers.ibkr.known_orders import OrderIds, TwsOrders
from liveorder.infrastructure.brokers.ibkr.session import TwsAddress, TwsSession
from liveorder.infrastructure.brokers.ibkr.times import Times
from liveorder.infrastructure.brokers.ibkr.waiting import TwsFeed


class TwsConnection:
    """Shared by the adapters of one account. `account` is IB's account number. None: the login's only account."""

    def __init__(
        self, address: TwsAddress, account: str | None, times: Times, timeout_seconds: float, market_data_kind: int = 1
    ) -> None:
        self.address, self.timeout_seconds = address, timeout_seconds
        self.ids = OrderIds()
        self.feed: TwsFeed | None = None
        """The reports since the last successful connect. None once they have ended."""
        self._account, self._times, self._market_data_kind = account, times, market_data_kind
        self._session: TwsSession | None = None
        self._stands = asyncio.Event()
        self._making = asyncio.Lock()

    @property
    def session(self) -> TwsSession:
        """Raises `BrokerConnectionError` while there is none."""
        if self._session is None or not self._session.is_open:
            raise BrokerConnectionError("not connected to TWS")
        return self._session

    @property
    def orders(self) -> TwsOrders:
        """The orders that this connection reported. Empty while there is no connection."""
        return self._session.hearing.orders if self._session is not None else TwsOrders()

    @property
    def account(self) -> str:
        """IB's account number. Before the first connection: as the settings name it."""
        return self._account or ""

    @property
    def is_paper(self) -> bool:
        return self.account.startswith("D")

    def take_order_id(self) -> int:
        is_open = self._session is not None and self._session.is_open
        return self._session.take_order_id() if self._session is not None and is_open else self.ids.take()

    async def make(self) -> TwsSession:
        """Return a session that has answered. Raises `BrokerConnectionError` or `BrokerAuthenticationError`."""
        async with self._making:
            session = await self._opened()
            try:
                await self._prove(session)
            except BrokerError as error:
                why = explained(session, error)
                if isinstance(why, BrokerAuthenticationError):
                    self.close()  # nothing may be sent to the wrong account
                raise why from error
            self.feed = session.hearing.feed
            self._stands.set()
            return session

    async def _opened(self) -> TwsSession:
        """Keeps an open session, unless TWS reported read-only mode on it: that mode may have been switched off since."""
        before = self._session
        if before is not None and before.is_open and not before.hearing.is_read_only:
            return before
        self.close()
        self._session = await TwsSession.opened(self.address, self.ids, self._times, self.timeout_seconds)
        self._session.welcome(self._market_data_kind)
        return self._session

    async def _prove(self, session: TwsSession) -> None:
        """Check that TWS answers, is connected to IB, lets us trade and has the account. This also reads all live orders."""
        self._account = _one_of(session.accounts, self._account)
        session.hearing.account = self._account
        session.demand_link()
        await session.questions.open_orders()
        if session.hearing.is_read_only:
            raise BrokerAuthenticationError("read-only")

    async def awaited(self) -> TwsSession:
        """Wait for the session without limit. The caller sets the time-out."""
        while self._session is None or not self._session.is_open:
            self._stands.clear()
            await self._stands.wait()
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def explained(session: TwsSession, error: BrokerError) -> BrokerError:
    """The error that says why connecting failed."""
    if session.hearing.is_read_only:
        return BrokerAuthenticationError("TWS is in read-only mode; untick Read-Only API in its settings")
    return error if isinstance(error, BrokerAuthenticationError) else BrokerConnectionError(str(error))


def _one_of(accounts: list[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in accounts:
        raise BrokerAuthenticationError(f"account: this login has {', '.join(accounts)}, not {wanted}; set one of these")
    if wanted is None and len(accounts) != 1:
        raise BrokerAuthenticationError(f"account: this login has {', '.join(accounts)}; set the one to trade")
    return wanted or accounts[0]
