"""Every list finds its newest rows by whatever it can be narrowed to, without reading the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.read_model import Filter, ReadModel
from liveorder.application.reporting.read_models import Query
from liveorder.infrastructure.readmodels.reading import RowQueries
from liveorder.infrastructure.readmodels.tables import Tables


def narrowed() -> Iterator[Any]:
    for model in READ_MODELS:
        if not model.is_kept:
            yield pytest.param(model, None, id=model.name)
            yield from (pytest.param(model, each, id=f"{model.name} by {each.name}") for each in model.filters)


def _some_value(of: Filter) -> object:
    if of.takes is bool:
        return True
    if of.takes is date:
        return date(2026, 3, 2)
    if of.takes is UUID:
        return UUID(int=1)
    return next(iter(of.takes)) if isinstance(of.takes, type) and issubclass(of.takes, StrEnum) else "FILLED"


@pytest.mark.parametrize(("model", "by"), [*narrowed()])
def test_the_newest_rows_are_found_by_an_index(model: ReadModel[Any, Any], by: Filter | None) -> None:
    tables, engine = Tables(READ_MODELS, None), create_engine("sqlite://")
    wanted = Query.of(newest=5) if by is None else Query.of(newest=5, **{by.name: _some_value(by)})
    statement = RowQueries(tables)._selected(model, wanted).compile(engine, compile_kwargs={"literal_binds": True})
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        plan = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    engine.dispose()
    assert not any("TEMP B-TREE" in step for step in plan), plan
    assert by is None or not any(step.startswith("SCAN") for step in plan), plan
