"""A venue as a process of the nursery's."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

from liveorder.infrastructure.brokers.simulated.venue.server import serve
from liveorder.infrastructure.clock import SystemClock
from tests.crash.key_classes import venue_settings
from tests.crash.plans import VenuePlan


def main(fields: dict[str, Any], line: socket.socket) -> None:
    asyncio.run(_main(VenuePlan(**fields), line))


async def _main(plan: VenuePlan, line: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=line)
    asyncio.get_running_loop().create_task(_end_with_line(reader))

    def announce(text: str) -> None:
        port = int(text.strip().rpartition(":")[2])
        writer.write(json.dumps({"event": "started", "pid": os.getpid(), "port": port}).encode() + b"\n")

    await serve(venue_settings(plan.key_class, plan.accounts), SystemClock(), data=Path(plan.data), announce=announce)


async def _end_with_line(reader: asyncio.StreamReader) -> None:
    await reader.read()
    os._exit(1)
