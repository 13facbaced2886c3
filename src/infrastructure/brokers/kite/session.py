"""One account's connection to Kite: the vendor's client without its unsafe features, called in threads, with its failures
sorted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kiteconnect import KiteConnect

from liveorder.application.gateway.admission import RateLimit
from liveorder.application.ports.brokerage import AccountAccess
from liveorder.domain.errors import BrokerAuthenticationError, OutcomeUnknown
from liveorder.infrastructure.blocking_calls import BlockingCalls
from liveorder.infrastructure.brokers.kite import tokens
from liveorder.infrastructure.brokers.kite.failures import complete_exceptions, error_of
from liveorder.infrastructure.brokers.kite.fields import UNREADABLE
from liveorder.infrastructure.http_session import one_try_session
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings.sections import Kite

T = TypeVar("T")

LONGEST_CALL_SECONDS = 7.0
"""The client's own time-out. The account's call time-out applies if it is shorter."""
_ORDERS_AT_ONCE, _QUESTIONS_AT_ONCE = 6, 4
"""Together, the number of connections that the client keeps. They are separate, so that a long list never delays an order."""


class Client(KiteConnect):  # type: ignore[misc]  # the library has no types
    """Returns answers as Kite sent them: exact numbers, and times as text. One unparsable time would otherwise lose the whole
    list.
    """

    def _format_response(self, data: Any) -> Any:
        return data

    def _parse_instruments(self, data: bytes) -> str:
        return data.decode()


def client_of(section: Kite, timeout_seconds: float) -> Client:
    """Make the client. Never with `pool` (retries), `debug` (logs the token), or disabled certificate checks."""
    complete_exceptions()
    key = section.api_key.get_secret_value() if section.api_key is not None else ""
    client = Client(key, root=section.root, timeout=timeout_seconds)
    client.reqsession = one_try_session(timeout_seconds)
    return client


def understood(read: Callable[..., T], *answers: Any) -> T:
    """Apply `read`. Raises `OutcomeUnknown` if the answers cannot be read: a partly understood list must not pass for a complete
    one.
    """
    try:
        return read(*answers)
    except UNREADABLE as error:
        raise OutcomeUnknown(f"kite: an answer could not be read ({type(error).__name__}: {error})") from None


class KiteSession:
    """Calls the client's methods by name. All raise `BrokerError`, and none of these errors references the HTTP request."""

    def __init__(self, section: Kite, access: AccountAccess, requests_per_second: float) -> None:
        self.section = section
        self._log, self._clock, self._account_id = access.log, access.clock, access.account_id
        self._client = client_of(section, min(LONGEST_CALL_SECONDS, access.call_timeout_seconds))
        self._orders = BlockingCalls("kite-orders", _ORDERS_AT_ONCE)
        self.questions = BlockingCalls("kite-questions", _QUESTIONS_AT_ONCE)
        self._pace = RateLimit(access.clock, requests_per_second, requests_per_second * 60, reserved_share=0.0)
        self._censor = Censor()
        self._alerted: set[str] = set()
        self.on_refused: Callable[[], None] = lambda: None
        """Called when Kite refuses a question because of the token."""

    def take_token(self) -> str:
        """Use the current access token from here on, and return it. Raises `BrokerAuthenticationError`."""
        token = tokens.current(self.section)
        if token.has_surely_ended(self._clock.now()):
            self._alert("the access token is of an earlier day and has ended: make a new one with `liveorder kite login`")
        self._client.set_access_token(token.value.get_secret_value())
        known = (token.value, self.section.api_key, self.section.api_secret)
        self._censor = Censor([secret for secret in known if secret is not None])
        return token.value.get_secret_value()

    async def order(self, method: str, **fields: str) -> Any:
        """Send a request that changes something. The engine limits its rate."""
        return await self._run(self._orders, method, **fields)

    async def ask(self, read: Callable[[Any], T], method: str, *arguments: Any) -> T:
        """Ask, at the rate that Kite allows, and return the answer as `read` understands it."""
        await self._pace.take()
        try:
            answer = await self._run(self.questions, method, *arguments)
        except BrokerAuthenticationError:
            self.on_refused()
            raise
        return understood(read, answer)

    def close(self) -> None:
        """Calls in flight finish on their own."""
        self._orders.close()
        self.questions.close()
        self._client.reqsession.close()

    async def _run(self, threads: BlockingCalls, method: str, *arguments: Any, **fields: Any) -> Any:
        try:
            return await threads.run(self._call, method, *arguments, **fields)
        except BrokerAuthenticationError as error:
            self._look_for_a_new_token()
            self._alert(str(error))
            raise

    def _call(self, method: str, *arguments: Any, **fields: Any) -> Any:
        """Runs in a thread. The error is raised outside the handler, so that it does not carry the client's exception, which leads
        to the token.
        """
        try:
            return getattr(self._client, method)(*arguments, **fields)
        except Exception as failure:  # noqa: BLE001 - after any exception of the client, the request may have been sent
            error = error_of(failure, self._censor)
        raise error

    def _look_for_a_new_token(self) -> None:
        """Pick up a token from a new login, without a restart. The next call uses it."""
        if self.section.access_token_file is not None:
            try:
                self.take_token()
            except BrokerAuthenticationError as error:
                self._alert(str(error))

    def connected(self) -> None:
        """Connected again: alerts may be logged again if they recur."""
        self._alerted.clear()

    def _alert(self, sentence: str) -> None:
        """Log a sentence once; a poll would repeat it twice a second."""
        if sentence not in self._alerted:
            self._alerted.add(sentence)
            self._log.write("ERROR", sentence, account_id=self._account_id)
