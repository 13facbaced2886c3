"""What a process that does nothing but trade sets for itself. A library must not: an embedding program has reasons of its own."""

from __future__ import annotations

import gc
import sys

SWITCH_SECONDS = 1e-4
"""How long a thread that wants the interpreter waits for it: at the usual 5 ms a busy event loop starves the store's thread."""
YOUNG_OBJECTS = 20_000
"""Allocations between two looks for cycles. Orders make next to none, and at the usual 700 looking takes a quarter of the time."""


def tune_process() -> None:
    """Call it once, when everything is imported."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
