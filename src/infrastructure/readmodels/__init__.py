"""Read models on SQLite and PostgreSQL, by URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from liveorder.application.ports.clock import Clock
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.infrastructure.database_url import DatabaseUrl, SqliteUrl, database_url
from liveorder.infrastructure.readmodels.place import ViewsPlace
from liveorder.infrastructure.readmodels.sql_views import SqlViews


def views_at(url: str, *, clock: Clock, is_inline: bool = False) -> SqlViews:
    """`sqlite:///FILE`, a file of their own, or the URL of a PostgreSQL store, in whose database they have their own schema.

    Not yet open. Raises `SettingsError` for anything else.
    `is_inline` runs the SQL on the event loop, for loops whose time is virtual.
    """
    return SqlViews(ViewsPlace(database_url(url), READ_MODELS, is_inline), clock)


def views_apart(model: ReadModel[Any, Any], url: str, *, clock: Clock, limit_seconds: float) -> SqlViews:
    """One read model in a place of its own: beside the file of `views_at`, or in a schema of the same database.

    What takes longer than `limit_seconds` raises `ViewsBlocked`, and nothing waits for it any more.
    """
    place = ViewsPlace(_apart(database_url(url), model.name), [model], suffix=f"_views_{model.name}", limit_seconds=limit_seconds)
    return SqlViews(place, clock)


def file_apart(name: str, url: str) -> Path | None:
    """Where a read model of that name is, where that is a file."""
    apart = _apart(database_url(url), name)
    return apart.path if isinstance(apart, SqliteUrl) else None


def _apart(url: DatabaseUrl, name: str) -> DatabaseUrl:
    return SqliteUrl(url.path.with_name(f"{url.path.stem}-{name}{url.path.suffix}")) if isinstance(url, SqliteUrl) else url
