"""Read models on SQLite and PostgreSQL, by URL."""

from __future__ import annotations

from liveorder.application.ports.clock import Clock
from liveorder.infrastructure.readmodels.place import Place
from liveorder.infrastructure.readmodels.sql_views import SqlViews


def views_at(url: str, clock: Clock) -> SqlViews:
    """`sqlite:///FILE`, a file of their own, or `postgresql://…`, where they live in the schema `liveorder_views`."""
    return SqlViews(Place(url), clock)
