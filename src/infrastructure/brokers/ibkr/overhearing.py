"""Listening to the client library from the inside: to its messages, and to those that it could not read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

_EXECUTION, _TIME = 11, 15
"""The number of the message, and the place of the time in it."""


class UndecodedRows:
    """In place of the decoder's logger: counts the messages that the library could not read, which it logs and drops."""

    def __init__(self, decoder: Any) -> None:
        self.count = 0
        self._logger = decoder.logger
        decoder.logger = self

    def exception(self, text: str) -> None:
        self.count += 1
        self._logger.error(text)


def read_times(decoder: Any, moment_of: Callable[[str], datetime | None]) -> None:
    """Executions come with their time as `moment_of` reads it, in seconds since 1970: the library drops a row whose time it
    cannot read. 0 where it was not told.
    """
    decode = decoder.handlers[_EXECUTION]

    def decoded(fields: list[str]) -> None:
        if len(fields) > _TIME:
            moment = moment_of(fields[_TIME])
            fields = [*fields[:_TIME], f"{moment.timestamp():.0f}" if moment is not None else "0", *fields[_TIME + 1 :]]
        decode(fields)

    decoder.handlers[_EXECUTION] = decoded


def overhear(wrapper: Any, name: str, hear: Callable[..., None]) -> None:
    """`hear` is told every message of this name first, the library's wrapper after it."""
    tell = getattr(wrapper, name)

    def told(*message: Any) -> None:
        hear(*message)
        tell(*message)

    setattr(wrapper, name, told)
