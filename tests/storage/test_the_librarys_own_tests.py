"""What `eventsourcing` asks of a recorder by its own tests, asked of a store of ours on both databases.

Streams here count from 1. The library's tests of concurrency count from 0, so theirs are counted up by one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import TestCase
from unittest.mock import Mock, patch

from eventsourcing.persistence import StoredEvent

from liveorder import open_recorder
from liveorder.bootstrap import EventRecorder
from liveorder.infrastructure.eventstore.sqlite import Placement
from tests.contract.event_stores import PostgresSite, Site, SQLiteSite, create, require_postgres

with patch.dict(sys.modules, {"eventsourcing.cipher": Mock()}):  # it needs a package that no recorder does
    from eventsourcing.tests.persistence import (
        ApplicationRecorderTestCase,
        NonInterleavingNotificationIDsBaseCase,
        ProcessRecorderTestCase,
        TrackingRecorderTestCase,
    )


class _Opens(TestCase):
    """Each test on a store of its own."""

    def site(self, folder: Path) -> Site:
        raise NotImplementedError

    def create_recorder(self) -> Any:
        folder = self._entered(tempfile.TemporaryDirectory())
        site = self.site(Path(folder))
        self.addCleanup(lambda: asyncio.run(site.remove()))
        asyncio.run(create(site))
        return self._entered(open_recorder(site.url))

    def _entered(self, context: AbstractContextManager[Any]) -> Any:
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value


class _OnSqlite(_Opens):
    def site(self, folder: Path) -> Site:
        return SQLiteSite(folder, Placement.THREAD)


class _OnPostgres(_Opens):
    def site(self, folder: Path) -> Site:
        require_postgres()
        return PostgresSite()


class _CountsFromOne(_Opens):
    def create_recorder(self) -> Any:
        recorder = super().create_recorder()
        recorder.insert_events = _counted_up(recorder.insert_events)
        return recorder


def _counted_up(insert: Callable[..., list[int]]) -> Callable[..., list[int]]:
    def insert_events(stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        if stored_events and stored_events[0].originator_version == 0:
            stored_events = [replace(each, originator_version=each.originator_version + 1) for each in stored_events]
        return insert(stored_events, **kwargs)

    return insert_events


class TestApplicationRecorderOnSqlite(_CountsFromOne, _OnSqlite, ApplicationRecorderTestCase[EventRecorder]):
    test_performance = None  # type: ignore[assignment]  # it prints, and asserts nothing

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestApplicationRecorderOnPostgres(_CountsFromOne, _OnPostgres, ApplicationRecorderTestCase[EventRecorder]):
    test_performance = None  # type: ignore[assignment]  # it prints, and asserts nothing

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestTrackingRecorderOnSqlite(_OnSqlite, TrackingRecorderTestCase):
    pass


class TestTrackingRecorderOnPostgres(_OnPostgres, TrackingRecorderTestCase):
    pass


class TestProcessRecorderOnSqlite(_OnSqlite, ProcessRecorderTestCase):
    test_performance = None  # type: ignore[assignment]  # it prints, and asserts nothing


class TestProcessRecorderOnPostgres(_OnPostgres, ProcessRecorderTestCase):
    test_performance = None  # type: ignore[assignment]  # it prints, and asserts nothing


class TestPositionsOnSqlite(_CountsFromOne, _OnSqlite, NonInterleavingNotificationIDsBaseCase):
    insert_num = 512


class TestPositionsOnPostgres(_CountsFromOne, _OnPostgres, NonInterleavingNotificationIDsBaseCase):
    insert_num = 512


del ApplicationRecorderTestCase, TrackingRecorderTestCase, ProcessRecorderTestCase, NonInterleavingNotificationIDsBaseCase
