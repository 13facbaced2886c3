"""The twin by hand: `python -m tests.twins.kite --port 8710`, and a service can be run against it as if it were Kite."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.settings import VenueAccount
from tests.twins.kite import API_KEY, API_SECRET, REQUEST_TOKEN, USER_ID, kite_twin, venue_settings

SETTINGS = """\
trading_mode = "PAPER"
enable_auto_trading = true
default_currency = "INR"
default_exchange = "NSE"
default_product = "CNC"
[risk]
allow_closed_market = true
[kite]
api_key = "{api_key}"
api_secret = "{api_secret}"
access_token = "{access_token}"
root = "{root}"
"""


async def main(port: int, data: Path | None) -> None:
    """Until it is interrupted."""
    settings = venue_settings(VenueAccount(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000)))
    async with (
        open_exchange(settings, data) as exchange,
        exchange.administered() as its,
        kite_twin(exchange, settings, port) as twin,
    ):
        say(f"# Kite's twin. The request token of a login: {REQUEST_TOKEN}. The people of its exchange: 127.0.0.1:{its}\n")
        say(SETTINGS.format(api_key=API_KEY, api_secret=API_SECRET, access_token=twin.access_token, root=twin.address))
        await asyncio.get_running_loop().create_future()


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the server; 0 takes a free one")
    parser.add_argument("--data", type=Path, help="a file in which the exchange remembers everything")
    given = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(main(given.port, given.data))
