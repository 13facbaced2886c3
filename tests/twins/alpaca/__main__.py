"""By hand: ``python -m tests.twins.alpaca --port 8900``; a service can then trade here with the settings that are printed."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.settings import VenueSettings, read_settings
from tests.twins.alpaca.server import COIN_FEES, COINS, KEY, SECRET, alpaca_twin

SETTINGS = """\
TRADING_MODE=PAPER
ALPACA_API_KEY={key}
ALPACA_SECRET_KEY={secret}
ALPACA_BASE_URL={address}
LIVEORDER_ALPACA__DATA_URL={data_address}
venue administration on port {admin}, end with Ctrl-C
"""


async def main(port: int, settings: VenueSettings, data: Path | None) -> None:
    async with (
        open_exchange(settings, data) as exchange,
        exchange.administered() as admin,
        alpaca_twin(exchange, port=port) as twin,
    ):
        told = SETTINGS.format(key=KEY, secret=SECRET, address=twin.address, data_address=twin.data_address, admin=admin)
        print(told, flush=True)  # noqa: T201 - what a person needs to use it
        await asyncio.get_running_loop().create_future()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.twins.alpaca", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--venue-settings", type=Path, help="TOML or JSON of the exchange behind it")
    parser.add_argument("--data", type=Path, help="what the exchange remembers; none: nothing")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    usual = VenueSettings(commission=COIN_FEES, catalogue_file=COINS)
    asyncio.run(main(given.port, read_settings(given.venue_settings) if given.venue_settings else usual, given.data))
