"""A venue as a process of its own, to be killed: ``python venue_process.py DATA_FILE [PORT]``. Says where it listens."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from liveorder.testing.venue.server import serve
from liveorder.testing.venue.settings import Fills, PriceSource, VenueSettings

PATIENCE_SECONDS = 20


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def running_venue(data: Path, port: int = 0) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The process and its port; killed at the end if it still runs."""
    command = [sys.executable, str(Path(__file__)), str(data), str(port)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            ready = await process.stdout.readline()
        yield process, int(ready.decode().rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def main() -> None:
    settings = VenueSettings(prices=PriceSource(volatility=0), fills=Fills(max_quantity=Decimal(6)))
    asyncio.run(serve(settings, WallClock(), data=Path(sys.argv[1]), port=int(sys.argv[2])))


if __name__ == "__main__":
    main()
