"""What campaigns have in common on the command line: a line of progress now and then, and how they end when interrupted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

PROGRESS_SECONDS = 10.0
INTERRUPTED = 130


class Progress:
    """`line` is asked for what to show, with the seconds since the beginning."""

    def __init__(self, line: Callable[[float], str]) -> None:
        self._line = line
        self._began = self._shown_at = time.monotonic()

    def show(self) -> None:
        """Nothing where a line was shown just before."""
        now = time.monotonic()
        if now - self._shown_at >= PROGRESS_SECONDS:
            self._shown_at = now
            sys.stderr.write(f"{self._line(now - self._began)}\n")
            sys.stderr.flush()


def interrupted() -> int:
    """The exit code."""
    sys.stderr.write("interrupted\n")
    return INTERRUPTED
