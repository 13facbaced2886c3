"""What a service imports or makes of its classes when it first needs it, for the fork server to have before it forks.

Without it each process of a campaign does that work anew, and it takes as long as the rest of a short life.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TypeVar

from pydantic import BaseModel

from liveorder.domain.record import Record
from liveorder.domain.record_form import form_of
from tests.crash.composition import MAPPER

LATE_MODULES = (
    "liveorder.infrastructure.eventstore.postgres",
    "liveorder.infrastructure.eventstore.sqlite",
    "psycopg",
    "psycopg_pool",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
T = TypeVar("T")


def make_ready() -> None:
    for module in LATE_MODULES:
        import_module(module)
    MAPPER.make_ready()
    for record in _kinds_of(Record):
        form_of(record)
    for model in _kinds_of(BaseModel):
        if model.__module__.startswith("liveorder.") and not model.__pydantic_complete__:
            model.model_rebuild()


def _kinds_of(base: type[T]) -> Iterator[type[T]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds_of(kind)
