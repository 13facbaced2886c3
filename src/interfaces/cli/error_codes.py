"""Which exit code each kind of error has."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

from liveorder.domain.errors import (
    BrokerError,
    DecisionRefused,
    InvalidInput,
    LeaseLost,
    LiveOrderError,
    NotAnswered,
    OrderNotFound,
    OutcomeUnknown,
    SettingsError,
    StoreError,
    StoreRefused,
    TradingIsHalted,
)
from liveorder.domain.signal import UnusableSignal
from liveorder.interfaces.cli.exit_codes import ExitCode

_CODES: tuple[tuple[type[LiveOrderError], ExitCode], ...] = (
    (InvalidInput, ExitCode.INVALID_INPUT),
    (UnusableSignal, ExitCode.INVALID_INPUT),
    (SettingsError, ExitCode.SETTINGS),
    (OrderNotFound, ExitCode.NOT_FOUND),
    (DecisionRefused, ExitCode.REFUSED),
    (StoreRefused, ExitCode.STORE_REFUSED),
    (LeaseLost, ExitCode.STORE_OWNED),
    (TradingIsHalted, ExitCode.HALTED),
    (NotAnswered, ExitCode.OUTCOME_UNKNOWN),
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
