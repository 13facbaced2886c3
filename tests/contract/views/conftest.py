from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.event_stores import require_postgres
from tests.contract.views.sets import Ground, postgres_ground, remove, sqlite_ground


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    if request.param == "sqlite":
        yield sqlite_ground(tmp_path)
        return
    require_postgres()
    ground = postgres_ground()
    yield ground
    remove(ground)
