"""Opening a venue from its settings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN, VenueCatalogue
from liveorder.testing.venue.chance import Chance
from liveorder.testing.venue.journal import Journal, NoJournal, SqliteJournal
from liveorder.testing.venue.quotes import QuoteFile, Quotes, RandomWalk
from liveorder.testing.venue.settings import PriceSource, VenueSettings
from liveorder.testing.venue.venue import Venue


def open_venue(settings: VenueSettings, now: datetime, data: Path | None = None) -> Venue:
    """Open a venue. `data` is the SQLite file of its state, created if missing; without it the venue is in memory only.

    Raises `SettingsError` for an invalid quotes or catalogue file, `StoreRefused` for a data file that is in use or invalid.
    """
    journal = NoJournal() if data is None else SqliteJournal(data)
    try:
        quotes = _quotes(settings.prices, settings.seed, _first_opened(journal, now))
        return Venue(settings, catalogue_of(settings), quotes, journal, now)
    except BaseException:
        journal.close()
        raise


def catalogue_of(settings: VenueSettings) -> VenueCatalogue:
    catalogue = BUILT_IN if settings.catalogue_file is None else BUILT_IN.with_file(settings.catalogue_file)
    return catalogue.always_open() if settings.hours == "always" else catalogue


def _first_opened(journal: Journal, now: datetime) -> datetime:
    """When the venue was first opened, so that the random walk continues after a restart as it would have without one."""
    opened = journal.notes().get("opened")
    if opened is not None:
        return datetime.fromisoformat(opened)
    journal.write_note("opened", now.isoformat())
    return now


def _quotes(prices: PriceSource, seed: int, origin: datetime) -> Quotes:
    if prices.file is not None:
        return QuoteFile(prices.file)
    return RandomWalk(prices.start_prices, prices.volatility, prices.step_seconds, origin, Chance(seed))
