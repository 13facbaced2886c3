"""The connection to TWS that stands now: made, made again after it broke, and waited for by those who ask meanwhile."""

from __future__ import annotations

import asyncio

from liveorder.domain.errors import BrokerAuthenticationError, BrokerConnectionError, BrokerError
from liveorder.infrastructure.brokers.ibkr.known_orders import OrderIds, TwsOrders
from liveorder.infrastructure.brokers.ibkr.session import TwsAddress, TwsSession
from liveorder.infrastructure.brokers.ibkr.times import Times
from liveorder.infrastructure.brokers.ibkr.waiting import TwsFeed


class TwsConnection:
    """Shared by the adapters of one account. `account` is IB's number of it; None: the only one of the login."""

    def __init__(
        self, address: TwsAddress, account: str | None, times: Times, timeout_seconds: float, market_data_kind: int = 1
    ) -> None:
        self.address, self.timeout_seconds = address, timeout_seconds
        self.ids = OrderIds()
        self.feed: TwsFeed | None = None
        """What is pushed since the last connect that worked; None once it ended."""
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
        """What this connection was told of them; nothing while there is none."""
        return self._session.hearing.orders if self._session is not None else TwsOrders()

    @property
    def account(self) -> str:
        """IB's number of the account; as the settings name it, before the first connection."""
        return self._account or ""

    @property
    def is_paper(self) -> bool:
        return self.account.startswith("D")

    def take_order_id(self) -> int:
        is_open = self._session is not None and self._session.is_open
        return self._session.take_order_id() if self._session is not None and is_open else self.ids.take()

    async def make(self) -> TwsSession:
        """A connection that answers. Raises `BrokerConnectionError` or `BrokerAuthenticationError`."""
        async with self._making:
            session = await self._opened()
            try:
                await self._prove(session)
            except BrokerError as error:
                why = explained(session, error)
                if isinstance(why, BrokerAuthenticationError):
                    self.close()  # nothing may be sent to an account that is not the one that is meant
                raise why from error
            self.feed = session.hearing.feed
            self._stands.set()
            return session

    async def _opened(self) -> TwsSession:
        """One that still stands is kept, unless TWS called itself read-only on it: that may be over."""
        before = self._session
        if before is not None and before.is_open and not before.hearing.is_read_only:
            return before
        self.close()
        self._session = await TwsSession.opened(self.address, self.ids, self._times, self.timeout_seconds)
        self._session.welcome(self._market_data_kind)
        return self._session

    async def _prove(self, session: TwsSession) -> None:
        """TWS answers, has its own connection, lets us trade, and has the account. What lives is known from here on."""
        self._account = _one_of(session.accounts, self._account)
        session.hearing.account = self._account
        session.demand_link()
        await session.questions.open_orders()
        if session.hearing.is_read_only:
            raise BrokerAuthenticationError("read-only")

    async def awaited(self) -> TwsSession:
        """The session, once it is there. For ever, while it is not: the caller sets the time."""
        while self._session is None or not self._session.is_open:
            self._stands.clear()
            await self._stands.wait()
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def explained(session: TwsSession, error: BrokerError) -> BrokerError:
    """Why no connection came about."""
    if session.hearing.is_read_only:
        return BrokerAuthenticationError("TWS is in read-only mode; untick Read-Only API in its settings")
    return error if isinstance(error, BrokerAuthenticationError) else BrokerConnectionError(str(error))


def _one_of(accounts: list[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in accounts:
        raise BrokerAuthenticationError(f"account: this login has {', '.join(accounts)}, not {wanted}; set one of these")
    if wanted is None and len(accounts) != 1:
        raise BrokerAuthenticationError(f"account: this login has {', '.join(accounts)}; set the one that is meant")
    return wanted or accounts[0]
