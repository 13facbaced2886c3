"""Feeds a read model that an installed package brings, by itself: what goes wrong with it holds up neither trading nor others.

It has tables, a position and a thread of its own. Where its code raises, takes too long or falls further and further behind, it is
set aside until the next start, and one line says so. That it is ahead of the log does not show that the store lost its end: it is
emptied, and nothing is halted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.reporting.projections.draft import Changes, RowChanges
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.projector import Projector
from liveorder.application.reporting.read_models import (
    ProjectionFailed,
    Query,
    SetAside,
    ViewsBlocked,
    ViewsUnavailable,
    ViewsWriter,
)
from liveorder.application.reporting.views import View
from liveorder.domain.errors import InvalidInput, described

LIMIT_SECONDS = 60.0
"""For one batch of events: longer than a lock of the database is waited for."""
LARGE_GAP = 2_000
"""Events behind the log, from which it counts as behind."""
MOST_LOSSES = 5
"""So often in a row may a large gap have grown."""


class PackagedViews(ViewsWriter, Protocol):
    """One read model, to be written and listed."""

    async def listed(self, model: ReadModel[Any, View], wanted: Query) -> Sequence[View]: ...


class PackagedProjector(Projector):
    """Keeps one read model of a package level with the log, until it is set aside."""

    def __init__(
        self,
        model: ReadModel[Any, View],
        store: OrderStore,
        views: PackagedViews,
        clock: Clock,
        on_error: Callable[[Exception], None],
    ) -> None:
        self.model, self._rows = _guarded(model), views
        super().__init__(store, views, clock, on_error, models=[self.model])
        self._set_aside: SetAside | None = None
        self._position = self._gap = self._losses = 0

    async def close(self) -> None:
        await self._rows.close()

    async def listed(self, wanted: Query) -> Sequence[Any]:
        """Level with the log as it is now. Raises `ViewsUnavailable`, and `ProjectionFailed` where its views raise."""
        await self.catch_up()
        try:
            return await self._rows.listed(self.model, wanted)
        except (ProjectionFailed, ViewsUnavailable, InvalidInput):
            raise
        except Exception as error:
            raise ProjectionFailed(f"{self.model.name} cannot be listed: {described(error)}") from error

    async def catch_up(self) -> int:
        if self._set_aside is not None:
            raise self._set_aside
        try:
            return await super().catch_up()
        except (ProjectionFailed, ViewsBlocked) as error:
            self._set_aside = SetAside(f"the projection {self.model.name} is set aside until the next start: {error}")
            raise self._set_aside from error

    async def _advance(self) -> int:
        gap = await self._store.head() - self._position
        self._losses = self._losses + 1 if gap > max(self._gap, LARGE_GAP) else 0
        if self._losses >= MOST_LOSSES:
            raise ProjectionFailed(f"it is {gap} events behind, and further each time")
        self._gap = gap
        self._position = await super()._advance()
        return self._position

    async def _note_lost_end(self, position: int, head: int) -> None:
        """Whoever wrote a package may count as he likes."""


def _guarded(model: ReadModel[Any, View]) -> ReadModel[Any, View]:
    """The same, which raises `ProjectionFailed` for whatever its code raises: on a thread of its own nobody else interrupts it."""

    def project(batch: Batch, draft: RowChanges) -> None:
        try:
            model.project(batch, draft)
            _check(model, draft.changes())
        except ViewsUnavailable:
            raise
        except BaseException as error:
            first, last = batch.events[0].position, batch.events[-1].position
            raise ProjectionFailed(f"{described(error)}, in events {first} to {last}") from error

    def shown(*row: Any) -> View:
        assert model.shown is not None
        try:
            return model.shown(*row)
        except BaseException as error:
            raise ProjectionFailed(f"{model.name} cannot be listed: {described(error)}") from error

    return replace(model, project=project, shown=None if model.shown is None else shown)


def _check(model: ReadModel[Any, View], changes: Changes) -> None:
    for shape, rows, _ in changes:
        if shape.name != model.name:
            raise TypeError(f"it writes rows of {shape.name}")
        for row in rows:
            model.check(row)
        model.stored(rows)
