"""`syslog://HOST:PORT`: each notice as a line to a syslog server, over TCP (RFC 6587, RFC 5424)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from liveorder.plugins import DoorAccess, Notice

SECONDS = 5.0
USER = 8
"""The facility of programs that are no part of the system, as it stands in a priority."""
WARNING, INFORMATION = 4, 6


class Syslog:
    """A `Notifier`. What cannot be sent is tried again by liveorder."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"syslog:{host}:{port}"
        self._host, self._port = host, port

    async def notify(self, notices: Sequence[Notice]) -> None:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(self._host, self._port)
            try:
                writer.writelines(_line(notice).encode() for notice in notices)
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()


def _line(notice: Notice) -> str:
    """Text from outside may stand in a sentence: what could end the line is escaped."""
    severity = WARNING if notice.category == "WARNING" and not notice.is_silent else INFORMATION
    text = notice.sentence.encode("unicode_escape").decode()
    about = f" (signal {notice.signal_id!a})" if notice.signal_id else ""
    return f"<{USER + severity}>1 {notice.recorded_at.isoformat()} - liveorder - {notice.event} - {text}{about}\n"


def notifier(access: DoorAccess) -> Syslog:
    parts = urlsplit(access.url)
    if parts.hostname is None:
        raise ValueError("names no server; write syslog://HOST:PORT")
    return Syslog(parts.hostname, parts.port or 601)
