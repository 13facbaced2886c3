"""Files and folders accessible by their owner only, from creation on and regardless of the umask.

Existing ones keep their mode; `liveorder doctor` reports what others can access.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def open_private(path: Path, mode: str, *, buffering: int = -1) -> IO[Any]:
    """As `open`, with text in UTF-8. Raises `OSError`, also for a symbolic link, whose author would choose what is written to."""
    encoding = None if "b" in mode else "utf-8"
    try:
        return open(path, mode, buffering, encoding, opener=_opened)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    raise OSError(errno.ELOOP, "is a symbolic link, and nothing is written through one; name the real path instead", str(path))


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, FILE_MODE)


def make_folder(path: Path) -> None:
    """Make the folder and its missing parents. Raises `OSError`."""
    for folder in reversed((path, *path.parents)):
        if not folder.is_dir():
            folder.mkdir(FOLDER_MODE, exist_ok=True)


def sync(place: Path) -> None:
    """Sync a file's content or a folder's entries to disk. Raises `OSError`."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_empty_file(path: Path) -> None:
    """Make an empty file for SQLite, which copies its mode to its log and index. Does nothing if a file exists. Raises `OSError`.

    The file is closed before it gets its name: `file_identity` says why nothing else may close a file that SQLite has open.
    """
    if path.exists():
        return
    draft = draft_of(path)
    try:
        open_private(draft, "xb").close()
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def draft_of(path: Path) -> Path:
    """A unique name beside `path`."""
    return path.with_name(f".{path.name}.{uuid4().hex}")
