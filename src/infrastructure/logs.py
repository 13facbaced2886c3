"""Log lines: for people on the console and in files, for machines in a daily file. External text can forge no line, and no
secret is shown.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Collection, Mapping, MutableMapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import structlog
from pydantic import SecretStr
from structlog.contextvars import bound_contextvars, merge_contextvars

from liveorder.application.ports.activity_log import REPEATED
from liveorder.application.ports.clock import Clock
from liveorder.domain.visible_text import visible
from liveorder.infrastructure.daily_file import CurrentFile, DailyFile, delete_old
from liveorder.infrastructure.secrecy import MASK, Censor, is_secret_name

MAX_TEXT_LENGTH = 8192
"""Maximum number of characters of one text in a line; the rest is cut."""

ORDERS = "orders"

_Record = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Which files there are in `directory`, and for how long. `service` and `signals`: names, None writes no such file."""

    directory: Path
    service: Path | None = None
    signals: Path | None = None
    keep_days: int | None = None
    keep_megabytes: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the names of files of earlier days begin with."""
        return (ORDERS, *(name.stem for name in (self.service, self.signals) if name is not None))


class StructuredLog:
    """The `ActivityLog` of a running service, on structlog.

    Console: ``2024-11-24 10:30:12 | [EXECUTION] | Order filled: 100 @ $235.15 | signal_id=sig_1 order_id=0193…``, times in UTC.

    Files: the same lines in `LogFiles.service`, and those of signals in `LogFiles.signals`; JSON objects with `timestamp`, `level`,
    `category`, `event_type`, `message` and every field, in `orders_YYYYMMDD.log`. Lines that repeat an earlier one go to the last
    only. If a file cannot be written, that is reported once on stderr, and the others and trading go on.
    """

    def __init__(
        self, clock: Clock, console: TextIO | None = None, files: LogFiles | None = None, secrets: Collection[SecretStr] = ()
    ) -> None:
        """`console` and `files`: None writes no such lines. `secrets` are masked wherever they appear."""
        self._clock, self._console, self._has_complained = clock, console, False
        self._files, self._day = files, date.min
        self._orders = None if files is None else DailyFile(files.directory, ORDERS)
        self._service = _current(files.directory, files.service) if files is not None else None
        self._signals = _current(files.directory, files.signals) if files is not None else None
        self._logger = structlog.wrap_logger(
            self,
            wrapper_class=structlog.BoundLogger,
            processors=[merge_contextvars, _gather_fields, self._stamp, _Harmless(Censor(secrets)), _as_one_argument],
        )

    def write(self, category: str, sentence: str, **fields: object) -> None:
        try:
            self._logger.info(sentence, category=category, fields=fields)
        except Exception as error:  # noqa: BLE001 - a value's own code may raise anything, and trading goes on
            self._complain(error)

    def about(self, **ids: object) -> AbstractContextManager[None]:
        """Lines written inside the block, also by tasks started there, carry these ids."""
        return bound_contextvars(**ids)

    def close(self) -> None:
        for file in (self._orders, self._service, self._signals):
            if file is not None:
                file.close()

    def info(self, record: _Record) -> None:
        """Called by structlog with the finished record."""
        is_new, line, day = record["event_type"] != REPEATED, _console_line(record), self._clock.now().date()
        if self._console is not None and is_new:
            _print(self._console, line)
        self._append(self._orders, day, json.dumps(record))
        if is_new:
            self._append(self._service, day, line)
        if is_new and "signal_id" in record:
            self._append(self._signals, day, line)
        if day != self._day:
            self._day = day
            self._delete_old()

    def _append(self, file: CurrentFile | DailyFile | None, day: date, line: str) -> None:
        """One file that cannot be written keeps no line from the others."""
        if file is None:
            return
        try:
            file.append(day, line.encode("utf-8", "backslashreplace") + b"\n")
        except OSError as error:
            self._complain(error)

    def _delete_old(self) -> None:
        """By the machine's clock: a simulation's may be years ahead."""
        files = self._files
        if files is None or not files.directory.is_dir():
            return
        try:
            delete_old(files.directory, files.names, datetime.now(UTC), files.keep_days, files.keep_megabytes)
        except OSError as error:
            self._complain(error)

    def _stamp(self, logger: object, method: str, record: _Record) -> _Record:
        stamp = {"timestamp": self._clock.now().isoformat(timespec="milliseconds")}
        return {**stamp, **record, **stamp}  # first in the line, and not to be overwritten

    def _complain(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            _print(sys.stderr, f"liveorder: log lines are being lost ({visible(str(error))}); trading goes on")


def _current(directory: Path, name: Path | None) -> CurrentFile | None:
    return None if name is None else CurrentFile(directory / name)


def _gather_fields(logger: object, method: str, record: _Record) -> _Record:
    """One flat record. The line's own fields come first, and a field of the same name cannot overwrite them."""
    sentence, category, fields = record.pop("event"), record.pop("category"), record.pop("fields")
    given = {name: value for name, value in {**record, **fields}.items() if value is not None}
    own = {
        "level": {"ERROR": "error", "WARNING": "warning"}.get(category, "info"),
        "category": category,
        "event_type": given.pop("event_type", "ERROR" if category == "ERROR" else category.lower().replace(" ", "_")),
        "message": sentence,
    }
    return own | {name: value for name, value in given.items() if name not in own}


class _Harmless:
    """Masks secrets, and turns everything else into JSON values and visible text."""

    def __init__(self, censor: Callable[[str], str]) -> None:
        self._censor = censor

    def __call__(self, logger: object, method: str, record: _Record) -> _Record:
        return self._mapping(record)

    def _mapping(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return {
            visible(str(name)): MASK if is_secret_name(str(name)) and value is not None else self._value(value)
            for name, value in values.items()
        }

    def _value(self, value: object) -> Any:
        match value:
            case None | bool() | int():
                return value
            case float() if math.isfinite(value):
                return value
            case Mapping():
                return self._mapping(value)
            case list() | tuple() | set() | frozenset():
                return [self._value(item) for item in value]
        return visible(self._censor(_text(value))[:MAX_TEXT_LENGTH])


def _text(value: object) -> str:
    match value:
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case date() | datetime():
            return value.isoformat()
    return str(value)


def _as_one_argument(logger: object, method: str, record: _Record) -> tuple[tuple[_Record], dict[str, Any]]:
    return (record,), {}


class StandardLog(StructuredLog):
    """The `ActivityLog` of a program that has its log lines in a logger of the standard library.

    A record's message is a console line without its time; its attribute `liveorder` is the object that our own file would hold. The
    level is ERROR, WARNING or INFO, and DEBUG for a line that repeats an earlier one. Handlers run on the service's event loop.
    """

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[Any], clock: Clock, secrets: Collection[SecretStr]) -> None:
        super().__init__(clock, secrets=secrets)
        self._standard = logger

    def info(self, record: _Record) -> None:
        level = logging.DEBUG if record["event_type"] == REPEATED else _LEVELS[record["level"]]
        self._standard.log(level, _line(record), extra={"liveorder": dict(record)})


_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}


_FOR_MACHINES = frozenset({"client_order_id", "broker_order_id", "execution_id", "event_id"})
"""Ids that the lines for people leave out: those of the signal and of the order find the rest."""


def _console_line(record: Mapping[str, Any]) -> str:
    return f"{record['timestamp'][:19].replace('T', ' ')} | {_line(record)}"


def _line(record: Mapping[str, Any]) -> str:
    ids = " ".join(f"{name}={value}" for name, value in record.items() if name.endswith("_id") and name not in _FOR_MACHINES)
    return f"[{record['category']}] | {record['message']}" + (f" | {ids}" if ids else "")


def _print(stream: TextIO, line: str) -> None:
    """Print a line. A closed pipe or a terminal with another encoding must not stop anything."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with suppress(OSError, ValueError):
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
