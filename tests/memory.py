"""Folders for stores that need not survive this machine: in memory where it offers that, since virtual time waits for no disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def memory() -> str | None:
    """Where such folders are made; None: where all temporary ones are."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of a name of its own within it


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=memory(), prefix="liveorder-test-") as folder:
        yield Path(folder)
