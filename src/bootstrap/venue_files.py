"""Where the simulated venue of a store is kept: beside the store, so that each store has its own.

Earlier versions kept one venue for all stores, in var/venue.db, or wherever `simulation.venue_data` said. A store that was made by
one of them goes on with that file, since its orders and positions are in there.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from liveorder.domain.errors import StoreRefused
from liveorder.infrastructure.database_url import SqliteUrl, database_url
from liveorder.infrastructure.eventstore.store_by_url import store_exists
from liveorder.infrastructure.private_files import make_empty_file, make_folder
from liveorder.infrastructure.settings import Settings
from liveorder.testing.venue.journal import SqliteJournal

_FORMER = Path("var/venue.db")


def venue_path(settings: Settings) -> Path:
    """The venue's file, which may not exist yet: the one that the settings name, else the store's own, else that of an earlier
    version.
    """
    if settings.simulation.venue_data is not None:
        return settings.simulation.venue_data
    own = _beside_the_store(settings)
    return next((path for path in (own, *_former_paths(settings)) if path.exists()), own)


def is_former(settings: Settings) -> bool:
    """Whether the venue is kept where an earlier version kept it."""
    return settings.simulation.venue_data is None and venue_path(settings) != _beside_the_store(settings)


async def reserve_venue(settings: Settings) -> Path | None:
    """Give a store that does not exist yet a venue of its own, before it is created: from then on no other venue is taken for its.

    A venue that traded for a store which is gone is renamed; returns its new name. Raises `StoreRefused` if that venue is in use.
    """
    simulation = settings.simulation
    if simulation.venue is not None or simulation.venue_data is not None or await store_exists(settings.store):
        return None
    path = _beside_the_store(settings)
    try:
        set_aside = _set_aside(path) if path.exists() else None
    except StoreRefused:
        if await store_exists(settings.store):
            return None  # another process has made both meanwhile
        raise
    make_folder(path.parent)
    make_empty_file(path)
    return set_aside


def _beside_the_store(settings: Settings) -> Path:
    url = database_url(settings.store)
    if isinstance(url, SqliteUrl):
        return url.path.with_name(f"{url.path.stem}-venue{url.path.suffix}")
    return Path(f"var/postgresql-{sha256(url.place.encode()).hexdigest()[:12]}-venue.db")


def _former_paths(settings: Settings) -> tuple[Path, ...]:
    """Where an earlier version may have kept it. A file that is not there yet had no earlier version."""
    url = database_url(settings.store)
    if not isinstance(url, SqliteUrl):
        return (_FORMER,)
    paths = (_FORMER, url.path.with_name(_FORMER.name)) if url.path.exists() else ()
    return tuple(path for path in paths if path != url.path)


def _set_aside(path: Path) -> Path | None:
    """Rename the file if it holds orders. Closing it has moved all of it into the one file."""
    journal = SqliteJournal(path)
    try:
        has_traded = journal.has_orders()
    finally:
        journal.close()
    if not has_traded:
        return None
    numbered = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in range(1, 1_000_000))
    free = next(each for each in numbered if not each.exists())
    return path.rename(free)
