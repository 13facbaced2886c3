"""Interpreter settings for a process that only trades. A library must not change them: the embedding program may have its own."""

from __future__ import annotations

import gc
import sys

SWITCH_SECONDS = 1e-4
"""How long a thread waits for the interpreter. At the usual 5 ms, a busy event loop starves the store's thread."""
YOUNG_OBJECTS = 20_000
"""Allocations between two collections of cycles. Orders make hardly any, and at the usual 700 collecting takes a quarter of the
time.
"""


def tune_process() -> None:
    """Call once, after all imports."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
