"""The exit codes of commands. Scripts may rely on them: a code never changes its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    INVALID_INPUT = 3
    SETTINGS = 4
    NOT_FOUND = 5
    REFUSED = 6
    STORE_REFUSED = 7
    STORE_UNAVAILABLE = 8
    STORE_OWNED = 9
    HALTED = 10
    BROKER = 11
    OUTCOME_UNKNOWN = 12
    NOT_FLAT = 13
    DIFFERS = 14
    UNHEALTHY = 15
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.UNEXPECTED: "a defect of liveorder; set LIVEORDER_TRACEBACK=1 to see where",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.INVALID_INPUT: "a value cannot be used; the message names the field and the remedy",
    ExitCode.SETTINGS: "a setting is missing, unknown or contradictory",
    ExitCode.NOT_FOUND: "no order has this id",
    ExitCode.REFUSED: "the order cannot take this step, or a risk rule or the broker said no",
    ExitCode.STORE_REFUSED: "the store must not be used: damaged, newer, or of another mode",
    ExitCode.STORE_UNAVAILABLE: "the store cannot be read or written now; nothing was sent",
    ExitCode.STORE_OWNED: "another process owns the store, or it was exchanged for another",
    ExitCode.HALTED: "trading is halted",
    ExitCode.BROKER: "the broker could not be reached, or refused",
    ExitCode.OUTCOME_UNKNOWN: "it may or may not have happened; look before doing it again",
    ExitCode.NOT_FLAT: "kill: trading is halted, and a broker still holds orders or positions, or could not be asked",
    ExitCode.DIFFERS: "reconcile, replay --verify: what was compared differs",
    ExitCode.UNHEALTHY: "doctor: a check failed; status --check: no service runs",
    ExitCode.INTERRUPTED: "interrupted before it was done",
}


def as_text() -> str:
    """All codes with their meanings, one per line, for help and documentation."""
    return "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)
