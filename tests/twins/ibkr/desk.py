"""The venue and its words, as the parts of the twin share them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.testing.exchange import Exchange
from liveorder.testing.venue.orders import VenueOrder
from tests.twins.ibkr.listings import Listings
from tests.twins.ibkr.orders import OrderIds, Speech

READ_ONLY = "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
UNKNOWN = (322, "Error processing request.-'bW' : cause - {}")


class Desk:
    def __init__(self, exchange: Exchange, account: str, catalogue: VenueCatalogue, ids_file: Path | None, time_zone: str) -> None:
        self.exchange, self.account, self.zone = exchange, account, ZoneInfo(time_zone)
        self.listings = Listings(catalogue)
        self.ids = OrderIds(ids_file)
        self.speech = Speech(self.listings, self.ids, account, self.zone)

    async def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        return await self.exchange.ask(verb, account=self.account, **fields)

    def order(self, venue_id: str) -> VenueOrder:
        order = self.exchange.order(venue_id)
        assert order is not None
        return order
