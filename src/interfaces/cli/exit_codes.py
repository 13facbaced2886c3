"""The exit codes of commands. Scripts may rely on them: a code never changes its meaning."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from enum import IntEnum

from liveorder.domain.errors import (
    BrokerError,
    DecisionRefused,
    InvalidInput,
    LeaseLost,
    LiveOrderError,
    OrderNotFound,
    OutcomeUnknown,
    SettingsError,
    StoreError,
    StoreRefused,
    TradingIsHalted,
)
from liveorder.domain.signal import UnusableSignal


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
    ExitCode.UNHEALTHY: "doctor: a check failed",
    ExitCode.INTERRUPTED: "interrupted before it was done",
}

_CODES: tuple[tuple[type[LiveOrderError], ExitCode], ...] = (
    (InvalidInput, ExitCode.INVALID_INPUT),
    (UnusableSignal, ExitCode.INVALID_INPUT),
    (SettingsError, ExitCode.SETTINGS),
    (OrderNotFound, ExitCode.NOT_FOUND),
    (DecisionRefused, ExitCode.REFUSED),
    (StoreRefused, ExitCode.STORE_REFUSED),
    (LeaseLost, ExitCode.STORE_OWNED),
    (TradingIsHalted, ExitCode.HALTED),
    (StoreError, ExitCode.STORE_UNAVAILABLE),
    (OutcomeUnknown, ExitCode.OUTCOME_UNKNOWN),
    (BrokerError, ExitCode.BROKER),
)
"""The first match counts."""


def code_of(error: type[LiveOrderError]) -> ExitCode:
    """The exit code for this kind of error."""
    return next((code for kind, code in _CODES if issubclass(error, kind)), ExitCode.REFUSED)


_WRONGLY_NAMED = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.EROFS,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.EADDRINUSE,
        errno.EADDRNOTAVAIL,
    }
)


def code_of_system(error: OSError) -> ExitCode:
    """For a path or an address that cannot be used, and for a disk or a machine that cannot now."""
    is_of_name = error.errno in _WRONGLY_NAMED or isinstance(error, socket.gaierror)
    return ExitCode.INVALID_INPUT if is_of_name else ExitCode.STORE_UNAVAILABLE


def code_named(name: str) -> ExitCode:
    """As `code_of`, by the error's name in an answer of another process."""
    return next((code_of(kind) for kind in _kinds(LiveOrderError) if kind.__name__ == name), ExitCode.REFUSED)


def _kinds(root: type[LiveOrderError]) -> Iterator[type[LiveOrderError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)


def as_text() -> str:
    """All codes with their meanings, one per line, for help and documentation."""
    return "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)
