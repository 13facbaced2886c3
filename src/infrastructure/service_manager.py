"""What a service manager such as systemd is told: one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

MICROS = 1_000_000


class ServiceManager:
    """Tells, and never waits for an answer: a manager that is gone or does not read must not hold up trading.

    `watchdog_seconds`: how soon after the last `WATCHDOG=1` it ends us. None: it does not watch.
    """

    def __init__(self, address: str, watchdog_seconds: float | None = None) -> None:
        """`address`: a path, or `@name` of an abstract socket."""
        self.watchdog_seconds = watchdog_seconds
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def of_environment(cls, variables: Mapping[str, str] = os.environ) -> ServiceManager | None:
        """None if no manager wants to be told. A watchdog that is meant for another process is none of ours."""
        address = variables.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return None
        micros, process = variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", str(os.getpid()))
        is_ours = process == str(os.getpid()) and micros.isascii() and micros.isdigit() and int(micros) > 0
        return cls(address, int(micros) / MICROS if is_ours else None)

    def tell(self, **lines: str | int) -> None:
        """A value is cut at its first line break, which would begin a line of its own."""
        message = "\n".join(f"{name}={str(value).partition(chr(10))[0]}" for name, value in lines.items())
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), self._address)
