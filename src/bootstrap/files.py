"""Who else can access the files of a service. Only names and modes are looked at, since SQLite's files must not be opened."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from liveorder.bootstrap.parts import journal_path
from liveorder.bootstrap.projections import files_of_projections
from liveorder.bootstrap.venue_files import venue_path
from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.database_url import SqliteUrl, database_url
from liveorder.infrastructure.logs import ORDERS
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.doors import publishers

_SQLITE_ENDINGS = ("", "-wal", "-shm")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class FileCheck:
    """Files and folders that others can read, write or list, and symbolic links, through which nothing is written."""

    open_files: tuple[Path, ...]
    open_folders: tuple[Path, ...]
    links: tuple[Path, ...]


def check_files(settings: Settings, config: Path | None) -> FileCheck:
    """Check the existing files. Changes nothing."""
    written = {*_logs(settings), *_of(settings.confirmations), *_published(settings), journal_path(settings)}
    databases = {Path(f"{path}{ending}") for path in _databases(settings) for ending in _SQLITE_ENDINGS}
    links = {path for path in written if path.is_symlink()}
    files = (written | databases | {*settings.files(config)}) - links
    folders = {path.parent for path in written | databases} | {settings.logs.directory}
    return FileCheck(
        open_files=tuple(sorted(path for path in files if _mode(path) & _OTHERS)),
        open_folders=tuple(sorted(path for path in folders if _is_own(path) and _mode(path) & _OTHERS)),
        links=tuple(sorted(links)),
    )


def _databases(settings: Settings) -> Iterator[Path]:
    for url in (database_url(settings.store), database_url(settings.read_model_url)):
        if isinstance(url, SqliteUrl):
            yield url.path
    yield from files_of_projections(settings)
    yield venue_path(settings)


def _logs(settings: Settings) -> Iterable[Path]:
    logs = settings.logs
    current = [logs.directory / name for name in (logs.service_file, logs.signals_file) if name is not None]
    return [
        *current,
        *(path for name in (ORDERS, *(each.stem for each in current)) for path in logs.directory.glob(f"{name}_*.log")),
    ]


def _of(path: Path | None) -> Iterable[Path]:
    return () if path is None else (path,)


def _published(settings: Settings) -> Iterable[Path]:
    """The files of file publishers."""
    for door in publishers(settings):
        with suppress(SettingsError):
            if door.scheme == "file":
                yield door.file()[0]


def _mode(path: Path) -> int:
    """The mode, or 0 if there is no such file."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _is_own(folder: Path) -> bool:
    """False for the working folder and its parents, and for shared folders such as /tmp."""
    here = Path.cwd()
    return folder.absolute() not in (here, *here.parents) and not _mode(folder) & stat.S_ISVTX
