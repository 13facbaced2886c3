"""Opening a store for queries, with or without a running service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import LeaseState, StoreIdentity
from liveorder.application.reporting.packaged import PackagedProjector
from liveorder.application.reporting.projections import READ_MODELS, named
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.reporting.projector import Progress, Projector
from liveorder.application.reporting.read_models import ProjectionFailed, Query, ViewsUnavailable
from liveorder.application.reporting.verification import Verification
from liveorder.bootstrap.parts import expectation_of
from liveorder.bootstrap.projections import packaged, projections, projector_of
from liveorder.domain.claim import IdempotencyClaim
from liveorder.domain.errors import StoreError
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
    """A store opened for queries, with its read models level with the log."""

    store: DatabaseOrderStore
    views: SqlViews
    projector: Projector
    identity: StoreIdentity
    settings: Settings
    clock: Clock

    async def report(self, name: str, **wanted: Any) -> Sequence[Any]:
        """The rows of a read model, by its name, filters and `newest`. Raises `InvalidInput` for an unknown one."""
        model = packaged(self.settings, name) if name in self.settings.projections else named(name)
        return await self.listed(model, Query.of(**wanted))

    async def listed(self, model: ReadModel[Any, Any], wanted: Query) -> Sequence[Any]:
        """The rows of a read model, also of a package's, which is opened for this call only. Raises `SettingsError` if the settings
        do not name it.
        """
        if model in READ_MODELS:
            return await self.views.listed(model, wanted)
        async with self.packaged(packaged(self.settings, model.name)) as projector:
            return await projector.listed(wanted)

    @asynccontextmanager
    async def packaged(self, model: ReadModel[Any, Any]) -> AsyncIterator[PackagedProjector]:
        projector = projector_of(self.settings, model, self.store, self.clock)
        projector.follow(self.identity.store_id)
        try:
            yield projector
        finally:
            await projector.close()

    def compare(self, settings: Settings) -> None:
        """Raises `StoreRefused` if a service with these settings would be refused."""
        refuse_another(expectation_of(settings), self.identity)

    @property
    def is_migrated(self) -> bool:
        """Whether the store has the present schema."""
        return self.identity.schema_version == SCHEMA_VERSION

    async def superseded(self) -> Sequence[IdempotencyClaim]:
        """Claims of orders that an earlier version made from a signal that already had one. Known once the store is migrated."""
        return await self.store.superseded() if self.is_migrated else ()

    async def lease_state(self) -> LeaseState | None:
        return await self.store.lease.state()


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[StoreReader]:
    """Open a store for queries, with or without a running service. Raises `StoreRefused` if there is no store."""
    async with _opened(settings) as reader:
        await reader.projector.catch_up()
        yield reader


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[StoreReader]:
    """With its read models as they were left."""
    clock = SystemClock()
    store = store_at(settings.store, clock=clock)
    views = views_at(settings.read_model_url, clock=clock)
    identity = await store.open()
    try:
        projector = Projector(store, views, clock, lambda error: None)
        projector.follow(identity.store_id)
        yield StoreReader(store, views, projector, identity, settings, clock)
    finally:
        await views.close()
        await store.close()


async def rebuild_views(settings: Settings, on_progress: Progress) -> int:
    """Rebuild all read models from the log. Returns the position reached. Sends nothing.

    Raises `ProjectionFailed` or `ViewsUnavailable` if a package's projection fails, once all others are rebuilt.
    """
    async with _opened(settings) as reader:
        position = await reader.projector.rebuild(on_progress)
        failures: list[StoreError] = []
        for model in projections(settings):
            try:
                async with reader.packaged(model) as projector:
                    await projector.rebuild(on_progress)
            except ViewsUnavailable as error:
                failures.append(error)
            except ProjectionFailed as error:
                failures.append(_of_package(model, error))
        if failures:
            raise failures[0]
        return position


async def verify_views(settings: Settings, on_progress: Progress) -> Verification:
    """Compare the read models with the log."""
    async with open_reader(settings) as reader:
        found = await reader.projector.verify(on_progress)
        for model in projections(settings):
            try:
                async with reader.packaged(model) as projector:
                    found = found.with_those_of(await projector.verify(on_progress))
            except ProjectionFailed as error:
                raise _of_package(model, error) from error
        return found


@dataclass(frozen=True)
class ProjectionCheck:
    """Whether the projection of an installed package can be brought level with the log. A service sets aside one that cannot."""

    name: str
    problem: str | None


async def check_projections(settings: Settings) -> list[ProjectionCheck]:
    """Bring each projection of the settings level with the log, as its list does. Raises `SettingsError`."""
    found = []
    async with open_reader(settings) as reader:
        for model in projections(settings):
            async with reader.packaged(model) as projector:
                try:
                    await projector.catch_up()
                    found.append(ProjectionCheck(model.name, None))
                except StoreError as error:
                    found.append(ProjectionCheck(model.name, str(error)))
    return found


def _of_package(model: ReadModel[Any, Any], error: ProjectionFailed) -> ProjectionFailed:
    return ProjectionFailed(
        f"the projection {model.name} of an installed package fails: {error}; mend the package or take it out of projections"
    )
