"""Read models on SQLite and PostgreSQL, by URL."""

from __future__ import annotations

from sqlalchemy.engine import make_url

from liveorder.application.ports.clock import Clock
from liveorder.infrastructure.readmodels.place import Place
from liveorder.infrastructure.readmodels.sql_views import SqlViews


def views_at(url: str, *, clock: Clock, is_inline: bool = False) -> SqlViews:
    """`sqlite:///FILE`, a file of their own, or the URL of a PostgreSQL store, in whose database they have their own schema.

    Not yet open. `is_inline` runs the SQL on the event loop, for loops whose time is virtual.
    """
    return SqlViews(Place(url, is_inline), clock)


def views_url(store_url: str) -> str:
    """Where a store's read models are unless told otherwise: `orders.views.sqlite` beside `orders.sqlite`, or the same database."""
    url = make_url(store_url)
    if url.drivername != "sqlite" or not url.database:
        return store_url
    stem, dot, ending = url.database.rpartition(".")
    beside = f"{stem}.views.{ending}" if dot and "/" not in ending else f"{url.database}.views"
    return url.set(database=beside).render_as_string(hide_password=False)
