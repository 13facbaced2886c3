"""Async tests here run on a loop whose time jumps: a day of trading takes milliseconds, and takes the same course each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], VirtualLoop]]:
    return {"virtual": VirtualLoop}
