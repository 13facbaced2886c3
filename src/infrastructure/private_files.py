"""Files and folders that are their owner's alone, from their first moment on and whatever the umask.

What is there already keeps its mode: `liveorder doctor` says what others may do with it.
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
    """As `open`, text in UTF-8. Raises `OSError`, also for a symbolic link: its author would choose what is written to."""
    encoding = None if "b" in mode else "utf-8"
    try:
        return open(path, mode, buffering, encoding, opener=_opened)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    raise OSError(errno.ELOOP, "is a symbolic link, and nothing is written through one; name the real place instead", str(path))


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, FILE_MODE)


def make_folder(path: Path) -> None:
    """With the folders above it that are missing. Raises `OSError`."""
    for folder in reversed((path, *path.parents)):
        if not folder.is_dir():
            folder.mkdir(FOLDER_MODE, exist_ok=True)


def sync(place: Path) -> None:
    """Make durable what a file holds, or which names a folder has. Raises `OSError`."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_empty_file(path: Path) -> None:
    """For SQLite, which gives its log and its index the mode of the file; nothing where something is already. Raises `OSError`.

    It is closed before it gets its name: `file_identity` says why nothing else may close a file that SQLite has open.
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
    """A name beside `path` that nobody else has."""
    return path.with_name(f".{path.name}.{uuid4().hex}")
