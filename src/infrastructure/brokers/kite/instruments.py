"""Kite's instruments: one list per exchange, fetched when first needed and again after each morning."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.ambiguity import ambiguous
from liveorder.infrastructure.brokers.kite.dump import COUNTED_IN_LOTS, DumpListing, edition, fits, instrument_of, listings
from liveorder.infrastructure.brokers.kite.orders import EXCHANGES
from liveorder.infrastructure.brokers.kite.session import KiteSession, understood

ALSO_CALLED = {"XNSE": "NSE", "XBOM": "BSE"}


@dataclass(frozen=True)
class KiteCatalogue:
    """One exchange's list, by trading symbol. Derivatives are also listed under their underlying."""

    edition: date
    by_name: Mapping[str, list[DumpListing]]


class KiteInstruments:
    """An `Instruments`. If today's list cannot be fetched, yesterday's stays in use. Without any list, `resolve` raises
    `BrokerError`, so that a signal waits instead of being rejected as invalid.
    """

    def __init__(self, session: KiteSession, clock: Clock, log: ActivityLog) -> None:
        self._session, self._clock, self._log = session, clock, log
        self._catalogues: dict[str, KiteCatalogue] = {}
        self._fetching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sizes: dict[tuple[str, str], Decimal] = {}
        """Sizes of contracts, as positions report them."""
        self._warned: set[str] = set()

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        exchange = ALSO_CALLED.get(query.exchange or "", query.exchange)
        if exchange is not None and exchange not in EXCHANGES:
            return None
        catalogues = await asyncio.gather(*(self._catalogue(each) for each in ([exchange] if exchange else EXCHANGES)))
        candidates = [listing for catalogue in catalogues for listing in catalogue.by_name.get(query.symbol, ())]
        fitting = [listing for listing in candidates if fits(query, listing)]
        if len(fitting) > 1:
            names = (f"{each.exchange}:{each.tradingsymbol}" for each in fitting)
            raise ambiguous(query.symbol, names, "give exchange, or expiry, strike and right, or the trading symbol")
        return self._instrument(fitting[0]) if fitting else None

    async def listed(self, exchange: str, tradingsymbol: str) -> Instrument:
        """The instrument of a position. A minimal one if the list does not have it: delisted or expired instruments can still be
        held.
        """
        known = await self.resolve(InstrumentQuery(symbol=tradingsymbol, exchange=exchange))
        size = self._sizes.get((exchange, tradingsymbol), Decimal(1))
        return known or Instrument(symbol=tradingsymbol, exchange=exchange, currency="INR", multiplier=size)

    def learn_sizes(self, sizes: Mapping[tuple[str, str], Decimal]) -> None:
        """Record the sizes of contracts that were held today, by exchange and symbol."""
        self._sizes |= sizes

    def _instrument(self, listing: DumpListing) -> Instrument | None:
        """Also None for a contract whose size nobody reported or configured."""
        if listing.exchange not in COUNTED_IN_LOTS:
            return instrument_of(listing, Decimal(1))
        reported, configured = self._reported_size(listing), self._session.section.multipliers.get(listing.name)
        name, remedy = f"{listing.exchange}:{listing.name}", f"kite.multipliers, as {{{listing.name} = 100}} for 100 units a lot"
        if (size := configured or reported) is None:
            self._warn(f"{name} is not traded: its contract's size is in no list of Kite's; set it in {remedy}")
            return None
        if configured is not None and reported not in (None, configured):
            self._warn(f"{name} counts as {configured:f} units a lot, but Kite reports {reported:f}; correct {remedy}")
        return instrument_of(listing, size)

    def _reported_size(self, listing: DumpListing) -> Decimal | None:
        """The contract's own reported size, or else the one that all contracts of the same name share."""
        own = self._sizes.get((listing.exchange, listing.tradingsymbol))
        listed = self._catalogues[listing.exchange].by_name.get(listing.name, ())
        same = {self._sizes.get((each.exchange, each.tradingsymbol)) for each in listed} - {None}
        return own or (same.pop() if len(same) == 1 else None)

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            self._log.write("WARNING", sentence)

    async def _catalogue(self, exchange: str) -> KiteCatalogue:
        async with self._fetching[exchange]:
            wanted, known = edition(self._clock.now()), self._catalogues.get(exchange)
            if known is not None and known.edition == wanted:
                return known
            try:
                self._catalogues[exchange] = await self._fetch(exchange, wanted)
            except BrokerError as error:
                if known is None:
                    raise
                self._log.write(
                    "WARNING", f"The list of {exchange} is of {known.edition}, and no newer one could be fetched: {error}"
                )
                return known
            return self._catalogues[exchange]

    async def _fetch(self, exchange: str, wanted: date) -> KiteCatalogue:
        text = await self._session.ask(str, "instruments", exchange)
        return await self._session.questions.run(understood, _read, text, wanted)


def _read(text: str, wanted: date) -> KiteCatalogue:
    """Tens of thousands of rows, so this runs in a thread, not on the event loop."""
    by_name: defaultdict[str, list[DumpListing]] = defaultdict(list)
    for listing in listings(text):
        by_name[listing.tradingsymbol].append(listing)
        if listing.is_derivative:
            by_name[listing.name].append(listing)
    return KiteCatalogue(wanted, dict(by_name))
