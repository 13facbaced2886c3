"""Read models on SQLite and PostgreSQL, by URL."""

from __future__ import annotations

from liveorder.application.ports.clock import Clock
from liveorder.infrastructure.database_url import database_url
from liveorder.infrastructure.readmodels.place import ViewsPlace
from liveorder.infrastructure.readmodels.sql_views import SqlViews


def views_at(url: str, *, clock: Clock, is_inline: bool = False) -> SqlViews:
    """`sqlite:///FILE`, a file of their own, or the URL of a PostgreSQL store, in whose database they have their own schema.

    Not yet open. Raises `SettingsError` for anything else.
    `is_inline` runs the SQL on the event loop, for loops whose time is virtual.
    """
    return SqlViews(ViewsPlace(database_url(url), is_inline), clock)
