"""The simulated venue's catalogue as `Instruments`."""

from __future__ import annotations

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.ambiguity import ambiguous
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN, VenueCatalogue, VenueListing


class SimulatedInstruments:
    """An `Instruments` over listings, and their names. US stocks are found under the name or MIC of any US exchange, and SMART."""

    def __init__(self, catalogue: VenueCatalogue = BUILT_IN) -> None:
        self._by_symbol: dict[str, list[VenueListing]] = {}
        for listing in catalogue:
            self._by_symbol.setdefault(listing.instrument.symbol, []).append(listing)

    def symbols(self) -> list[str]:
        return sorted(self._by_symbol)

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        fitting = [listing.instrument for listing in self._by_symbol.get(query.symbol, ()) if _fits(query, listing)]
        if len(fitting) > 1:
            remedy = "give exchange, currency, or expiry, strike and right"
            raise ambiguous(query.symbol, (each.key for each in fitting), remedy)
        return fitting[0] if fitting else None


def _fits(query: InstrumentQuery, listing: VenueListing) -> bool:
    instrument = listing.instrument
    if query.exchange not in (None, instrument.exchange) and query.exchange not in listing.also_on:
        return False
    asked = (query.asset_class, query.currency, query.expiry, query.strike, query.right)
    has = (instrument.asset_class, instrument.currency, instrument.expiry, instrument.strike, instrument.right)
    return all(wanted in (None, value) for wanted, value in zip(asked, has, strict=True))
