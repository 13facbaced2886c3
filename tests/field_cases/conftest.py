"""As in `tests.engine`: time jumps. Only what starts real processes runs by the real clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.harness.virtual_time import VirtualLoop
from tests.memory import folder_in_memory


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"real": asyncio.new_event_loop} if item.path.name == "test_real_processes.py" else {"virtual": VirtualLoop}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with folder_in_memory() as folder:
        yield folder
