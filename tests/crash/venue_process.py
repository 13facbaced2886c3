"""A venue in a process of the fork server's, with a twin of a broker for each account where it is reached on a broker's wire."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from liveorder.testing.exchange import Exchange, open_exchange
from tests.crash.key_classes import venue_settings
from tests.crash.plans import VenuePlan
from tests.crash.wires import WIRES


def main(fields: dict[str, Any], line: socket.socket) -> None:
    asyncio.run(_main(VenuePlan(**fields), line))


async def _main(plan: VenuePlan, line: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=line)
    asyncio.get_running_loop().create_task(_end_with_line(reader))
    data = Path(plan.data)
    async with (
        open_exchange(venue_settings(plan.key_class, plan.accounts), data) as exchange,
        exchange.administered() as port,
        AsyncExitStack() as twins,
    ):
        addresses = {account: await _twin(twins, exchange, plan, account) for account in plan.accounts if plan.key_class in WIRES}
        started = {"event": "started", "pid": os.getpid(), "port": port, "addresses": addresses}
        writer.write(json.dumps(started).encode() + b"\n")
        await asyncio.get_running_loop().create_future()


async def _twin(twins: AsyncExitStack, exchange: Exchange, plan: VenuePlan, account: str) -> str:
    settings = venue_settings(plan.key_class, plan.accounts)
    serving = WIRES[plan.key_class].serving(exchange, settings, account, Path(plan.data).parent)
    return await twins.enter_async_context(serving)


async def _end_with_line(reader: asyncio.StreamReader) -> None:
    await reader.read()
    os._exit(1)
