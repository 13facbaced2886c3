"""Ways in which a store cannot be written for a while: real ones, of real files, mounts, locks and connections."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from liveorder.infrastructure.eventstore.postgres_schema import lock_key
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path
from tests.contract.event_stores import PostgresSite, Proxy, require_postgres
from tests.crash.processes import Process
from tests.crash.store_factories import create

SMALLEST_FILE_BYTES = 2048
"""Room for a line or two of the emergency journal, and for no page of SQLite's."""


class StoreFault(Protocol):
    """A store and one way in which it fails. `says` is in the service's error while it does."""

    url: str
    says: str

    @abstractmethod
    async def inject(self, service: Process) -> None: ...

    @abstractmethod
    async def clear(self, service: Process) -> None: ...


class NoRoom(StoreFault):
    """The kernel refuses every write that would make a file larger; as with a quota."""

    says = "cannot be written"

    def __init__(self, url: str) -> None:
        self.url = url

    async def inject(self, service: Process) -> None:
        self._limit(service, SMALLEST_FILE_BYTES)

    async def clear(self, service: Process) -> None:
        self._limit(service, resource.RLIM_INFINITY)

    def _limit(self, service: Process, size: int) -> None:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class FullDisk(StoreFault):
    """A file system of its own, and a file that takes what is left of it."""

    says = "database or disk is full"

    def __init__(self, url: str) -> None:
        self.url = url
        self._filler = sqlite_path(url).with_name("filler")

    async def inject(self, service: Process) -> None:
        descriptor = os.open(self._filler, os.O_CREAT | os.O_WRONLY)
        try:
            while os.write(descriptor, b"x" * 4096):
                pass
        except OSError:
            os.close(descriptor)

    async def clear(self, service: Process) -> None:
        self._filler.unlink()


class Locked(StoreFault):
    """Another process has the file for itself."""

    says = "database is locked"

    def __init__(self, url: str) -> None:
        self.url = url
        self._other = sqlite3.connect(sqlite_path(url), isolation_level=None, timeout=30)

    async def inject(self, service: Process) -> None:
        self._other.execute("BEGIN EXCLUSIVE")

    async def clear(self, service: Process) -> None:
        self._other.execute("COMMIT")
        self._other.close()


class BrokenConnection(StoreFault):
    """Cut while a commit is on its way, and every new one as well."""

    says = "cannot be"

    def __init__(self, url: str, proxy: Proxy) -> None:
        self.url, self._proxy = url, proxy

    def lose_next_reply(self) -> None:
        self._proxy.fault = "reply"

    @property
    def has_lost_it(self) -> bool:
        return not self._proxy.fault

    async def inject(self, service: Process) -> None:
        self._proxy.fault = "broken"
        await self._proxy.cut_all()

    async def clear(self, service: Process) -> None:
        self._proxy.fault = ""


class LockedByAnother(StoreFault):
    """Another session holds what makes transactions take turns."""

    says = "lock timeout"

    def __init__(self, url: str) -> None:
        self.url = url
        self._other = psycopg.connect(url, autocommit=True)

    async def inject(self, service: Process) -> None:
        self._other.execute("SELECT pg_advisory_lock(%s)", (lock_key("liveorder"),))

    async def clear(self, service: Process) -> None:
        self._other.close()


# --- making them ---------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _on_file(folder: Path, account: str, make: Callable[[str], StoreFault]) -> AsyncIterator[StoreFault]:
    url = f"sqlite:///{folder / 'orders.db'}"
    await create(url, account)
    yield make(url)


@asynccontextmanager
async def _on_small_disk(folder: Path, account: str) -> AsyncIterator[StoreFault]:
    with small_disk(folder) as disk:
        async with _on_file(disk, account, FullDisk) as fault:
            yield fault


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Needs the right to mount; without it the test is skipped, and the one whose files may not grow stands for it."""
    disk = folder / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "liveorder-test", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not mount a small file system here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def remount(disk: Path, how: str) -> None:
    """`ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


@asynccontextmanager
async def _on_server(account: str, *, through_proxy: bool) -> AsyncIterator[StoreFault]:
    require_postgres()
    site = PostgresSite()
    server = urlsplit(site.url)
    proxy = Proxy(server.hostname or "127.0.0.1", server.port or 5432)
    try:
        await create(site.url, account)
        if not through_proxy:
            yield LockedByAnother(site.url)
            return
        user = f"{server.username}@" if server.username else ""
        yield BrokenConnection(urlunsplit(server._replace(netloc=f"{user}127.0.0.1:{await proxy.start()}")), proxy)
    finally:
        await proxy.close()
        await site.remove()


STORE_FAULTS: dict[str, Callable[[Path, str], AbstractAsyncContextManager[StoreFault]]] = {
    "sqlite: no file may grow": lambda folder, account: _on_file(folder, account, NoRoom),
    "sqlite: disk full": _on_small_disk,
    "sqlite: locked": lambda folder, account: _on_file(folder, account, Locked),
    "postgres: connection broken": lambda folder, account: _on_server(account, through_proxy=True),
    "postgres: locked": lambda folder, account: _on_server(account, through_proxy=False),
}
