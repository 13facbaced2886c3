"""Listening for HTTP until the service ends, and who may ask.

Every request passes the same guard: its `Host` is on the list, it has no `Origin`, and what it raises is answered without details.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeAlias

from aiohttp import web

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.infrastructure.settings.http import ListenAddress

RETRY_SECONDS = 5.0
IDLE_SECONDS = 75.0
"""A connection without a request is closed after this."""
LINGER_SECONDS = 2.0
"""So long is the rest of a request read and dropped that was answered before its end."""
MAX_CONNECTIONS = 256
"""Further ones are closed at once, so that nobody takes the file descriptors that the store and the brokers need."""
MISDIRECTED = 421

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SILENT = logging.Logger("liveorder.http", level=logging.CRITICAL + 1)
"""For aiohttp, whose lines would quote requests."""


def problem(status: int, error: str, message: str, **more: Any) -> web.Response:
    """An answer that is no success. `error`: a short word for programs; `message`: for people."""
    return web.json_response({"error": error, "message": message, **more}, status=status)


class Listener:
    """Serves `routes` at `address`. `alert` is called once if the address cannot be had; then it is tried again for ever.

    `stopping` is set when it ends: handlers that wait for something else answer then.
    """

    def __init__(
        self,
        address: ListenAddress,
        hosts: Sequence[str],
        routes: Sequence[web.RouteDef],
        tls: ssl.SSLContext | None,
        clock: Clock,
        log: ActivityLog,
        alert: Callable[[str], Awaitable[object]],
        stopping: asyncio.Event,
        *,
        drain_seconds: float,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._address, self._routes, self._tls, self._clock, self._log = address, routes, tls, clock, log
        self._alert, self._stopping = alert, stopping
        own = {"localhost", "127.0.0.1", "::1"} if address.is_loopback else set[str]()
        self._hosts = {host.strip("[]") for host in (*hosts, address.host.lower(), *own)}
        self._drain_seconds, self._retry_seconds = drain_seconds, retry_seconds
        self.port = address.port
        """Where it listens, once it does."""
        self.is_listening = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen until the block ends; then take no more connections, and wait for answers that are under way."""
        app = web.Application(middlewares=[self._guarded])
        app.add_routes(self._routes)
        app.on_response_prepare.append(_sign)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            logger=_SILENT,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            shutdown_timeout=self._drain_seconds,
        )
        await runner.setup()
        listening = asyncio.create_task(self._listen(runner), name="http")
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            self.is_listening.clear()
            self._stopping.set()
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        """Returns once it listens."""
        host, port, is_first = self._address.host, self._address.port, True
        while True:
            try:
                await self._begin(_Site(runner, host, port, self._tls))
            except OSError as error:
                if is_first:
                    await self._warn(str(error.strerror or error))
                is_first = False
                await self._clock.sleep(self._retry_seconds)
            else:
                self.port = int(runner.addresses[0][1])
                scheme = "http" if self._tls is None else "https"
                self._log.write("HTTP", f"Listening at {scheme}://{replace(self._address, port=self.port)}")
                self.is_listening.set()
                return

    async def _begin(self, site: web.BaseSite) -> None:
        try:
            await site.start()
        except OSError:
            await site.stop()
            raise

    async def _warn(self, reason: str) -> None:
        """The log at least: the store may be away too."""
        try:
            await self._alert(reason)
        except Exception as error:  # noqa: BLE001 - an alert that cannot be stored must not end the attempts
            self._log.write("ERROR", f"HTTP cannot listen: {reason}; the alert was not stored: {type(error).__name__}: {error}")

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refused := self._refusal(request)) is not None:
            return refused
        try:
            return await handler(request)
        except web.HTTPException as error:
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            answer = problem(error.status, error.reason.lower().replace(" ", "_"), error.reason)
            answer.headers.update(headers)
            return answer
        except Exception as error:  # noqa: BLE001 - one request's failure must not end others, and its text may quote the request
            self._log.write("ERROR", f"HTTP: a request failed unexpectedly: {type(error).__name__}")
            return problem(500, "internal_error", "this request failed; see the log")

    def _refusal(self, request: web.Request) -> web.Response | None:
        """A page in somebody's browser must not reach it, neither directly nor by a name that leads here."""
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or _name_of(hosts[0]) not in self._hosts:
            return problem(MISDIRECTED, "unknown_host", "the Host of this request is not in http.hosts")
        if "Origin" in request.headers:
            return problem(403, "origin_refused", "requests of browsers are refused")
        return None


class _Site(web.BaseSite):
    """A `TCPSite` with a bounded number of connections."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(runner, ssl_context=tls)
        self._host, self._port = host, port

    @property
    def name(self) -> str:
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self._host, self._port, ssl=self._ssl_context)

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        return server() if len(server.connections) < MAX_CONNECTIONS else _Closed()


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _name_of(host: str) -> str:
    """Without port and brackets."""
    name, _, rest = host.lower().partition("]") if host.startswith("[") else host.lower().partition(":")
    return name.removeprefix("[") if not host.startswith("[") or rest[:1] in ("", ":") else ""


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    """No version of anything; and nothing here may be cached."""
    response.headers["Server"] = "liveorder"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
