"""HTTP of a running service, from the settings."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from liveorder.application.engine.service import Service
from liveorder.application.recording import Cause
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.bootstrap.supervision import writer_answers
from liveorder.domain.errors import SettingsError
from liveorder.domain.not_listening import NotListening
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.http import Http, signing_secret

if TYPE_CHECKING:
    from liveorder.infrastructure.http.server import Listener

Listening: TypeAlias = Callable[[Service], AbstractAsyncContextManager[None]]


def listening(settings: Settings, *, is_asked_to: bool = True) -> Listening:
    """Listens as `[http]` says, for a service that owns its store, until the block ends.

    `is_asked_to`: false for a run that ends by itself, which does not listen. Raises `SettingsError` if the library is missing or a
    TLS file cannot be used.
    """
    if settings.http.listen is None or not is_asked_to:
        return lambda service: nullcontext()
    _demand_library()
    tls = _tls(settings.http)
    return lambda service: listener(settings, tls, service).serving()


def listener(settings: Settings, tls: ssl.SSLContext | None, service: Service, **options: Any) -> Listener:
    from liveorder.infrastructure.http.health import health_routes
    from liveorder.infrastructure.http.nonces import Nonces
    from liveorder.infrastructure.http.server import Listener
    from liveorder.infrastructure.http.signals import Receiving, SignalDoor, no_signals

    address = settings.http.address
    assert address is not None
    engine, recorder = service.engine, service.engine.recorder

    async def alert(reason: str) -> None:
        event = NotListening(address=str(address), reason=reason)
        await recorder.note(recorder.new_id(), 0, event, Cause(correlation_id="http"))

    def is_alive() -> bool:
        return writer_answers(engine)

    def is_ready() -> bool:
        return engine.ownership.is_ours and engine.dispatcher.is_taking_signals and is_alive()

    clock, stopping, secret = SystemClock(), asyncio.Event(), signing_secret(settings.http)
    routes = health_routes(is_alive, is_ready)
    if secret is None:
        routes += no_signals()
    else:
        receiving = Receiving(engine.intake.receive, engine.orders.get, engine.clock.now, stopping)
        nonces, log = Nonces(engine.store, clock), SparingLog(engine.log, engine.clock)
        routes += SignalDoor(secret, settings.http.trusted_proxies, nonces, receiving, clock, log).routes()
    return Listener(
        address,
        settings.http.hosts,
        routes,
        tls,
        clock,
        engine.log,
        alert,
        stopping,
        drain_seconds=settings.timeouts.drain_seconds,
        **options,
    )


def _demand_library() -> None:
    try:
        import aiohttp  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        raise SettingsError(f"http.listen needs {error.name}, which is not installed; pip install 'liveorder[http]'") from error


def _tls(http: Http) -> ssl.SSLContext | None:
    if http.tls_certificate is None or http.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(http.tls_certificate, http.tls_key, password=_no_password)
    except (ssl.SSLError, ValueError):
        reason = "not a certificate and its key in PEM, without a password"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    else:
        return context
    raise SettingsError(f"http.tls_certificate, http.tls_key: {reason}; name files that this user may read")


def _no_password() -> str:
    """Or a terminal would be asked for one."""
    raise ValueError
