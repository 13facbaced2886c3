"""A store opened for questions, beside a running service and without one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from liveorder.application.ports.order_store import LeaseState, StoreIdentity
from liveorder.application.reporting.projections import named
from liveorder.application.reporting.projector import Progress, Projector
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.verification import Verification
from liveorder.application.reporting.views import View
from liveorder.bootstrap.parts import expectation_of
from liveorder.domain.claim import IdempotencyClaim
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.identity import refuse_another
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.store_by_url import store_at
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from liveorder.infrastructure.settings import Settings


@dataclass(frozen=True)
class StoreReader:
    """A store opened for questions, with its read models level with the log."""

    store: DatabaseOrderStore
    views: SqlViews
    projector: Projector
    identity: StoreIdentity

    async def report(self, name: str, **wanted: Any) -> Sequence[View]:
        """Any list by the name of its read model, by its filters and `newest`. Raises `InvalidInput` for what there is none of."""
        return await self.views.listed(named(name), Query.of(**wanted))

    def compare(self, settings: Settings) -> None:
        """Raises `StoreRefused` where a service with these settings would be refused."""
        refuse_another(expectation_of(settings), self.identity)

    @property
    def is_migrated(self) -> bool:
        """Whether the store has the present schema."""
        return self.identity.schema_version == SCHEMA_VERSION

    async def superseded(self) -> Sequence[IdempotencyClaim]:
        """Of orders that an earlier version made of a signal which had one; known once the store is migrated."""
        return await self.store.superseded() if self.is_migrated else ()

    async def lease_state(self) -> LeaseState | None:
        return await self.store.lease.state()


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[StoreReader]:
    """Works beside a running service and without one. Raises `StoreRefused` where there is no store."""
    clock = SystemClock()
    store = store_at(settings.store, clock=clock)
    views = views_at(settings.read_model_url, clock=clock)
    identity = await store.open()
    try:
        projector = Projector(store, views, clock, lambda error: None)
        projector.follow(identity.store_id)
        await projector.catch_up()
        yield StoreReader(store, views, projector, identity)
    finally:
        await views.close()
        await store.close()


async def rebuild_views(settings: Settings, on_progress: Progress) -> int:
    """Make all read models anew from the log; the position reached. Nothing is sent and nobody is told."""
    async with open_reader(settings) as reader:
        return await reader.projector.rebuild(on_progress)


async def verify_views(settings: Settings, on_progress: Progress) -> Verification:
    """Compare the read models with what the log makes of them."""
    async with open_reader(settings) as reader:
        return await reader.projector.verify(on_progress)
