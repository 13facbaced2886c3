"""The identity of a file: its inode and the inode's birth time, since the number of a deleted file is reused at once.

It is queried by path. A process must never open a SQLite database other than through SQLite: closing any descriptor of the file
releases all POSIX locks that the process holds on it, and then another process deletes the write-ahead log that this one still
writes.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

_AT_FDCWD = -100
_BIRTH = 0x800
"""Linux's STATX_BTIME."""
_STATX = struct.Struct("I 76x q I 164x")
"""The mask of known fields, 76 other bytes, seconds and nanoseconds of the birth time; 256 bytes in all."""


def identity_of(path: Path) -> str:
    """The identity, which stays the same while the file exists, also under another name. Raises `OSError`."""
    born = _born(path)
    return f"inode {path.stat().st_ino}" + (f" born {born}" if born is not None else "")


def _born(path: Path) -> str | None:
    """The birth time. None if the system or file system does not report it."""
    statx = getattr(ctypes.CDLL(None), "statx", None) if sys.platform == "linux" else None
    if statx is None:
        return None
    answer = ctypes.create_string_buffer(_STATX.size)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _BIRTH, answer) != 0:
        return None
    known, seconds, nanoseconds = _STATX.unpack(answer.raw)
    return f"{seconds}.{nanoseconds:09}" if known & _BIRTH else None
