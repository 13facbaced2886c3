"""`POST /signals`: one signed signal becomes an order or a dead letter; the answer comes once that is durable.

A 2xx means durable, a 4xx that this request becomes no order, a 503 that nothing is known to be stored: the same request, repeated
with its nonce, gets the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aiohttp import web
from pydantic import SecretStr

from liveorder.application.intake.intake import DeadLettered
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.application.reporting.views import order_view
from liveorder.domain.errors import OrderNotFound, StoppedBefore, StoreError
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import MAX_SIGNAL_BYTES
from liveorder.infrastructure.http.bodies import Unreadable, json_body
from liveorder.infrastructure.http.client_address import Network, client_address
from liveorder.infrastructure.http.nonces import NonceReused, Nonces
from liveorder.infrastructure.http.server import problem
from liveorder.infrastructure.http.signing import NotSigned, SignedHeaders

SOURCE = "http"
ANSWER_SECONDS = 10.0
"""A sender gets its answer within this, if only that it must ask again."""
AT_ONCE = 128
"""Requests whose body is read, or that wait for their answer; this many times 64 KiB are held in memory at most."""


@dataclass(frozen=True)
class Receiving:
    """What a request for a signal leads to."""

    receive: Callable[[SourceMessage], Awaitable[LiveOrder | DeadLettered]]
    order: Callable[[UUID], Awaitable[LiveOrder]]
    trading_now: Callable[[], datetime]
    """By the clock that signals are judged by, which a simulation has of its own."""
    stopping: asyncio.Event


class SignalDoor:
    """`clock`: the machine's, by which senders sign. `log`: a sparing one."""

    def __init__(
        self,
        secret: SecretStr,
        trusted_proxies: Sequence[Network],
        nonces: Nonces,
        receiving: Receiving,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._secret, self._trusted, self._nonces, self._receiving = secret, trusted_proxies, nonces, receiving
        self._clock, self._log, self._under_way = clock, log, 0

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/signals", self._post), web.get("/orders/{order_id}", self._get_order, allow_head=False)]

    async def _post(self, request: web.Request) -> web.Response:
        if self._under_way >= AT_ONCE:
            return _again("busy", f"{AT_ONCE} signals are under way")
        self._under_way += 1
        try:
            signed = SignedHeaders.of(request.headers, self._now())
            body = await json_body(request, MAX_SIGNAL_BYTES)
            signed.check(body, self._secret)
            await self._nonces.take(signed.nonce, body, signed.valid_until)
            return await self._answered(signed, body)
        except NotSigned as error:
            return self._unsigned(request, error)
        except Unreadable as error:
            return error.answer
        except NonceReused:
            return problem(409, "nonce_reused", "this nonce belongs to another body; give each request a nonce of its own")
        except (StoreError, StoppedBefore) as error:
            self._log.write("WARNING", f"HTTP: a signal was not stored, and its sender must send it again: {error}")
            return _again("not_stored", "it is not stored")
        finally:
            self._under_way -= 1

    async def _answered(self, signed: SignedHeaders, body: bytes) -> web.Response:
        age = max(self._now() - signed.timestamp, 0.0)
        published_at = self._receiving.trading_now() - timedelta(seconds=age)
        message = SourceMessage(SOURCE, signed.nonce, body, published_at, place=f"nonce {signed.nonce}")
        receiving = asyncio.ensure_future(self._receiving.receive(message))
        stopping = asyncio.ensure_future(self._receiving.stopping.wait())
        try:
            await asyncio.wait({receiving, stopping}, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                return _answer(receiving.result())
            return _again("not_known_yet", "whether it is stored is not known yet")
        finally:
            receiving.cancel()
            stopping.cancel()

    async def _get_order(self, request: web.Request) -> web.Response:
        """Signed as a signal is, with the path in place of the body."""
        try:
            SignedHeaders.of(request.headers, self._now()).check(request.path.encode(), self._secret)
            order = await self._receiving.order(UUID(request.match_info["order_id"]))
        except NotSigned as error:
            return self._unsigned(request, error)
        except (OrderNotFound, ValueError):
            return problem(404, "not_found", "there is no such order")
        except StoreError:
            return _again("not_known_yet", "the store cannot be read")
        return web.json_response(text=order_view(order).to_json())

    def _unsigned(self, request: web.Request, error: NotSigned) -> web.Response:
        address = client_address(request, self._trusted)
        self._log.write("WARNING", f"HTTP: a request without a valid signature was refused: {error.error}", address=address)
        return problem(401, error.error, str(error))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def no_signals() -> list[web.RouteDef]:
    """Without a secret none are taken."""

    async def refuse(request: web.Request) -> web.Response:
        return problem(404, "no_secret", "signals are not taken here: neither http.secret nor http.secret_file is set")

    return [web.post("/signals", refuse)]


def _answer(result: LiveOrder | DeadLettered) -> web.Response:
    if isinstance(result, LiveOrder):
        intent, address = result.intent, f"/orders/{result.order_id}"
        order = {"order": address, "order_id": str(result.order_id), "signal_id": intent.signal_id, "account_id": intent.account_id}
        return web.json_response(order, status=202, headers={"Location": address})
    if result.is_passing:
        return _again("not_now", result.reason, dead_letter=str(result.dead_letter))
    return problem(422, "unusable", result.reason, dead_letter=str(result.dead_letter))


def _again(error: str, message: str, **more: str) -> web.Response:
    answer = problem(503, error, f"{message}; send the same request again, with its nonce", **more)
    answer.headers["Retry-After"] = "1"
    return answer
