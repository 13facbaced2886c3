"""Calls of the SDK's REST clients, in threads and each tried once, with exact numbers and sorted failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from requests import Session
from requests.exceptions import RequestException

from liveorder.application.gateway.admission import RateLimit
from liveorder.domain.errors import BrokerError
from liveorder.infrastructure.blocking_calls import BlockingCalls
from liveorder.infrastructure.brokers.alpaca import failures
from liveorder.infrastructure.http_session import error_of, one_try_session


def once_only(client: RESTClient, timeout_seconds: float) -> Session:
    """Switch off the client's own retries and endless waiting: it would repeat a POST on 429 and 504, and wait for an answer
    without limit.

    Returns its new session, which the caller closes.
    """
    client._retry = 0  # its setting `retry_attempts=0` is ignored
    client._session = one_try_session(timeout_seconds)
    return client._session


async def sorted_call(calls: BlockingCalls, call: Callable[..., Any], *arguments: Any) -> Any:
    """The call's answer. Raises the matching `BrokerError`, which holds no reference to the request."""
    try:
        return await calls.run(call, *arguments)
    except APIError as failure:
        error: BrokerError = failures.error_of(failure)
    except RequestException as failure:
        error = error_of(failure, "alpaca")
    raise error  # outside of the handlers: the SDK's exception holds the keys and must not be its context


class Rest:
    """The trading client. Orders and cancels have threads of their own, so that they never wait behind hanging questions.

    Questions keep to their own `pace`, so that they do not use up Alpaca's limit. The engine limits the rate of requests.
    """

    def __init__(self, client: RESTClient, asking: BlockingCalls, sending: BlockingCalls, pace: RateLimit) -> None:
        self._client, self._asking, self._sending, self._pace = client, asking, sending, pace

    async def get(self, path: str, **query: Any) -> Any:
        await self._pace.take()
        return await sorted_call(self._asking, self._client.get, path, query)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        return await sorted_call(self._sending, self._client.post, path, body)

    async def patch(self, path: str, body: dict[str, Any]) -> Any:
        return await sorted_call(self._sending, self._client.patch, path, body)

    async def delete(self, path: str) -> Any:
        return await sorted_call(self._sending, self._client.delete, path)
