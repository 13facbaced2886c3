"""A TWS to try things on: paper account, no login.

    python -m tests.twins.ibkr --port 7497
    IBKR_HOST=127.0.0.1 IBKR_PORT=7497 TRADING_MODE=PAPER liveorder run ...

Orders trade against a random walk. The admin port is the venue's own: `VenueControl(Tcp("127.0.0.1", PORT, clock))` lays faults.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.settings import START_PRICES, PriceSource, VenueAccount, VenueSettings
from tests.twins.ibkr.server import ACCOUNT, CATALOGUE, tws_twin

PRICES = START_PRICES | {"EUR/USD": Decimal("1.1"), "ES": Decimal(6000)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=7497, help="where API clients connect")
    parser.add_argument("--admin-port", type=int, default=0, help="where the venue is controlled; 0 takes a free one")
    parser.add_argument("--data", type=Path, help="SQLite file that the venue lives in; none: it forgets")
    return parser.parse_args()


async def serve(port: int, admin_port: int, data: Path | None) -> None:
    settings = VenueSettings(
        accounts=(VenueAccount(account_id=ACCOUNT),), catalogue_file=CATALOGUE, prices=PriceSource(start_prices=PRICES)
    )
    ids_file = data.with_suffix(".ids") if data is not None else None
    async with (
        open_exchange(settings, data) as exchange,
        exchange.administered(admin_port) as admin,
        tws_twin(exchange, port, ids_file=ids_file) as twin,
    ):
        print(f"TWS at 127.0.0.1:{twin.port}, account {ACCOUNT}, no credentials; venue admin at 127.0.0.1:{admin}", flush=True)  # noqa: T201 - a program's output
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    told = arguments()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(told.port, told.admin_port, told.data))
