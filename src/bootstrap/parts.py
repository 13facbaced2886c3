"""Parts made from settings: clock, log, store, calendars, emergency journal."""

from __future__ import annotations

import os
import socket
import sys
from collections import defaultdict
from datetime import date, datetime, time
from hashlib import sha256
from io import IOBase
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import InvalidInput, SettingsError, StoreRefused, StoreUnavailable
from liveorder.domain.position_owner import PositionOwner
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.calendars import ExchangeCalendars, span_of
from liveorder.infrastructure.clock import LoopClock, SystemClock
from liveorder.infrastructure.database_url import SqliteUrl, database_url
from liveorder.infrastructure.eventstore.identity import Expectation
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import create_store, sqlite_path, store_at, store_exists
from liveorder.infrastructure.private_files import make_folder, open_private
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings import Settings

if TYPE_CHECKING:
    from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
    from liveorder.infrastructure.logs import StructuredLog


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Load settings from file, `.env`, environment and overrides. Raises `SettingsError`."""
    return Settings.load(config, **overrides)


def write_settings_template(path: Path) -> None:
    """Write a settings file with every setting, its default and its unit. Raises `FileExistsError`."""
    from liveorder.infrastructure.settings.template import commented_toml

    with open_private(path, "x") as file:
        file.write(commented_toml())


def without_secrets(text: str) -> str:
    """The text with secrets masked, including those in addresses of databases and servers."""
    return Censor()(text)


def clock_of(settings: Settings, not_before: datetime | None = None) -> Clock:
    """The machine's clock. In a simulation, a clock that begins at `starts_at`, or where the last run ended: history does not go
    back.
    """
    starts_at = settings.simulation.starts_at
    if starts_at is None or settings.mode is not TradingMode.SIMULATION:
        return SystemClock()
    return LoopClock(max(starts_at, not_before or starts_at))


def log_of(settings: Settings, clock: Clock, console: TextIO | None = None) -> StructuredLog:
    from liveorder.infrastructure.logs import LogFiles, StructuredLog

    shown = console or (sys.stderr if settings.logs.console else None)
    logs = settings.logs
    files = LogFiles(logs.directory, logs.service_file, logs.signals_file, logs.keep_days, logs.keep_megabytes)
    return StructuredLog(clock, shown, files, settings.secrets)


def log_given(log: ActivityLog | Logger | LoggerAdapter[Any], settings: Settings) -> ActivityLog:
    """A log of an embedding program's own. One of the standard library gets what our own log would, with the same secrets masked.

    Raises `SettingsError` for what is neither.
    """
    if isinstance(log, Logger | LoggerAdapter):
        from liveorder.infrastructure.logs import StandardLog

        return StandardLog(log, SystemClock(), settings.secrets)
    if isinstance(log, type) or not callable(getattr(log, "write", None)) or isinstance(log, IOBase):
        raise SettingsError(
            f"log: a {type(log).__name__} is no log; give logging.getLogger(…), or an object with "
            "write(category, sentence, **fields)"
        )
    return log


async def open_store(settings: Settings) -> DatabaseOrderStore:
    """The store of these settings, created if missing; not opened yet.

    The store's own clock, by which the lease runs, is the machine's clock, even if a simulation has another date: other processes
    read the same lease.
    """
    accounts = settings.account_ids
    if not await store_exists(settings.store):
        if settings.store.startswith("sqlite"):
            _make_folder_of(sqlite_path(settings.store))
        await create_store(
            settings.store,
            clock=SystemClock(),
            namespace=settings.namespace,
            default_account=settings.signals_account,
            mode=settings.mode.value,
            account_ids=accounts,
            positions=settings.positions or PositionOwner.STRATEGY,
        )
    return store_at(settings.store, clock=SystemClock(), expectation=expectation_of(settings))


def _make_folder_of(store: Path) -> None:
    try:
        make_folder(store.parent)
    except OSError as error:
        raise _no_place(store, str(error.strerror)) from None


def _no_place(store: Path, why: str) -> StoreUnavailable:
    return StoreUnavailable(f"store: nothing can be made at {store} ({why}); name a place that this user may write to")


async def place_of_new_store(settings: Settings) -> str | None:
    """Where the first run makes the store, to show; None if there is one.

    Raises `StoreUnavailable` if it cannot be made there, and `StoreRefused` if what belongs to a store is there without it.
    """
    if await store_exists(settings.store):
        return None
    url = database_url(settings.store)
    if isinstance(url, SqliteUrl):
        _check_place(settings, url.path)
    return str(url)


def _check_place(settings: Settings, store: Path) -> None:
    views = database_url(settings.read_model_url)
    beside = [*([views.path] if isinstance(views, SqliteUrl) else []), journal_path(settings)]
    if left := [path for path in beside if path.exists()]:
        raise StoreRefused(f"there is no store at {store}, and {left[0]} is of one: it was moved or deleted; put it back")
    folder = next(parent for parent in store.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise _no_place(store, f"{folder} is {'not writable' if folder.is_dir() else 'no folder'}")


def expectation_of(settings: Settings) -> Expectation:
    """What the settings expect of the store."""
    return Expectation(settings.mode.value, settings.account_ids, settings.namespace, settings.signals_account)


def owner_name() -> str:
    """The owner's name of a store, for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def calendars_of(settings: Settings) -> ExchangeCalendars:
    """The trading calendars. Raises `SettingsError` for a special session of an unknown calendar, or for two of the same day."""
    special: defaultdict[str, dict[date, tuple[tuple[time, time], ...]]] = defaultdict(dict)
    for each in settings.special_sessions:
        if each.day in special[each.calendar]:
            raise SettingsError(f"special_sessions: {each.calendar} has two for {each.day}; keep one")
        special[each.calendar][each.day] = tuple(map(span_of, each.hours))
    try:
        return ExchangeCalendars(special, in_threads=True)
    except InvalidInput as error:
        raise SettingsError(f"special_sessions: {error}") from None


def journal_of(settings: Settings) -> FileEmergencyJournal:
    from liveorder.infrastructure.emergency_journal import FileEmergencyJournal

    return FileEmergencyJournal(journal_path(settings), _former_journal_path(settings))


def journal_path(settings: Settings) -> Path:
    """The journal's path: beside the store, or beside the read models' default if the store is on a server. It is unique for each
    store.
    """
    url = database_url(settings.store)
    if isinstance(url, SqliteUrl):
        path = url.path.resolve()
        return path.with_name(f"{path.name}-emergency.jsonl")
    return Path(f"var/postgresql-{sha256(url.place.encode()).hexdigest()[:12]}-emergency.jsonl")


def _former_journal_path(settings: Settings) -> Path:
    """The path before 0.2.0, which was shared by all stores of a server, and by all files of a folder that differ only in their
    suffix.
    """
    url = database_url(settings.store)
    return url.path.with_suffix(".emergency.jsonl") if isinstance(url, SqliteUrl) else Path("var/liveorder.emergency.jsonl")
