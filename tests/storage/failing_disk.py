"""A disk that fails where it is told to: `failing_disk.c`, compiled by who needs it and preloaded into a process of its own."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_suffix(".c")
WRITE, SYNC, TRUNCATE = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Fault:
    """Of the calls of these kinds, `after` succeed and the next `times` fail (below zero: every one)."""

    kinds: int
    error: int
    after: int = 0
    times: int = 1
    writes_half: bool = False


FAULTS = {
    "disk full on write": Fault(WRITE, errno.ENOSPC),
    "disk full after half a write": Fault(WRITE, errno.ENOSPC, writes_half=True),
    "EIO on write": Fault(WRITE, errno.EIO),
    "EIO on sync": Fault(SYNC, errno.EIO),
    "EIO on truncate": Fault(TRUNCATE, errno.EIO),
}


class FailingDisk:
    """Inside the process into which it was preloaded."""

    def __init__(self, path: Path) -> None:
        """`path` and the files whose names it begins are watched."""
        self._library = ctypes.CDLL(None)
        self._library.disk_watch(str(path).encode())
        self._library.disk_calls.restype = ctypes.c_long

    def fail(self, fault: Fault) -> None:
        after, times = ctypes.c_long(fault.after), ctypes.c_long(fault.times)
        self._library.disk_fail(fault.kinds, after, times, fault.error, int(fault.writes_half))

    def mend(self) -> None:
        self.fail(Fault(0, 0))

    def record(self, path: Path) -> None:
        """Everything that is asked of the disk from here on, and everything said on standard output."""
        self._library.disk_record(str(path).encode())

    @property
    def calls(self) -> int:
        """Of the kinds that fail, since it was told to."""
        return int(self._library.disk_calls())


def compiled(folder: Path) -> Path:
    """The library. Without a C compiler the test is skipped, or fails where nothing may be missing."""
    compiler = shutil.which("cc")
    if compiler is None:
        reason = "no C compiler (cc) to build the failing disk with"
        if os.environ.get("LIVEORDER_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    library = folder / "failing_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def run_with(library: Path, module: str, **plan: Any) -> str:
    """What the module's process, with the disk under it, says to the plan."""
    command = [sys.executable, "-u", "-m", module, json.dumps(plan, default=_jsonable)]
    environment = os.environ | {"LD_PRELOAD": str(library)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=3600)
    return ran.stdout.decode()


def _jsonable(value: Any) -> Any:
    return asdict(value) if isinstance(value, Fault) else str(value)
