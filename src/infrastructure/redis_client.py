"""A client of a Redis server: one try for each command, since what a lost reply means is for the caller to say."""

from __future__ import annotations

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from liveorder.domain.errors import described
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings.redis_url import RedisUrl

CONNECT_SECONDS = 5.0
REPLY_SECONDS = 10.0
"""Longer than any command here blocks at the server. A connection that is silent for so long is given up."""

FAILURES = (RedisError, OSError, TimeoutError)
"""What a server that is away, or says no, raises."""


def client_of(url: RedisUrl) -> Redis:
    """Connects with the first command. Replies are bytes in the form of RESP 2.

    Bound each command by `asyncio.timeout`. The client's own bound for sending can swallow a cancellation before Python 3.12.
    """
    return Redis(
        host=url.host,
        port=url.port,
        db=url.database,
        username=url.username,
        password=url.password,
        ssl=url.is_encrypted,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=None,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,  # two requests less for each connection
    )


def failure(error: Exception, url: RedisUrl) -> str:
    """The error as text, without the password."""
    return Censor([SecretStr(url.password)] if url.password else [])(described(error))
