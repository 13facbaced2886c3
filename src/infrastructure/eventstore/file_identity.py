"""What tells a file from its copies: its inode and when that was born, since a deleted file's number is given away at once.

Asked for by name. A process must never open a SQLite database beside SQLite itself: closing any descriptor of a file takes every
POSIX lock from it that the process holds, and then another process deletes the write-ahead log that this one still writes.
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
"""What is known, 76 bytes of other things, seconds and nanoseconds of the birth; 256 bytes in all."""


def identity_of(path: Path) -> str:
    """The same for as long as the file lives, also under another name. Raises `OSError`."""
    born = _born(path)
    return f"inode {path.stat().st_ino}" + (f" born {born}" if born is not None else "")


def _born(path: Path) -> str | None:
    """None where the system or the file system does not say."""
    statx = getattr(ctypes.CDLL(None), "statx", None) if sys.platform == "linux" else None
    if statx is None:
        return None
    answer = ctypes.create_string_buffer(_STATX.size)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _BIRTH, answer) != 0:
        return None
    known, seconds, nanoseconds = _STATX.unpack(answer.raw)
    return f"{seconds}.{nanoseconds:09}" if known & _BIRTH else None
