"""A service of an earlier version is paused, its store migrated, and the service let go: it may store and send nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_databases import lend_database, take_back_database, url_of_database
from tests.storage.old_versions import COMMITS
from tests.storage.paused import pause_migrate_go_on


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'orders.db'}"
        return
    database = lend_database()
    yield url_of_database(database)
    take_back_database(database)


@pytest.mark.parametrize("commit", [COMMITS[0], COMMITS[-1]])
def test_an_old_service_that_was_paused_while_its_store_was_migrated_stores_and_sends_nothing(
    commit: str, store: str, tmp_path: Path
) -> None:
    assert pause_migrate_go_on(commit, store, tmp_path) >= 20
