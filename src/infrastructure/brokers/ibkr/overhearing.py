"""Hooks into the client library: for its messages, and for messages that it could not decode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

_EXECUTION, _TIME = 11, 15
"""The message's number, and the index of the time in it."""


class UndecodedRows:
    """Replaces the decoder's logger, and counts the messages that the library could not decode. The library only logs and drops
    them.
    """

    def __init__(self, decoder: Any) -> None:
        self.count = 0
        self._logger = decoder.logger
        decoder.logger = self

    def exception(self, text: str) -> None:
        self.count += 1
        self._logger.error(text)


def read_times(decoder: Any, moment_of: Callable[[str], datetime | None]) -> None:
    """Replace the time of each execution by what `moment_of` reads, in seconds since 1970, or 0 if it cannot be read. Otherwise the
    library drops rows whose time it cannot read.
    """
    decode = decoder.handlers[_EXECUTION]

    def decoded(fields: list[str]) -> None:
        if len(fields) > _TIME:
            moment = moment_of(fields[_TIME])
            fields = [*fields[:_TIME], f"{moment.timestamp():.0f}" if moment is not None else "0", *fields[_TIME + 1 :]]
        decode(fields)

    decoder.handlers[_EXECUTION] = decoded


def overhear(wrapper: Any, name: str, hear: Callable[..., None]) -> None:
    """Call `hear` with every message of this name before the library's wrapper receives it."""
    original = getattr(wrapper, name)

    def both(*message: Any) -> None:
        hear(*message)
        original(*message)

    setattr(wrapper, name, both)
