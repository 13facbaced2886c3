"""Listening to the client library from the inside: to its messages, and to those that it could not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class UndecodedRows:
    """In place of the decoder's logger: counts the messages that the library could not read, which it logs and drops."""

    def __init__(self, decoder: Any) -> None:
        self.count = 0
        self._logger = decoder.logger
        decoder.logger = self

    def exception(self, text: str) -> None:
        self.count += 1
        self._logger.error(text)


def overhear(wrapper: Any, name: str, hear: Callable[..., None]) -> None:
    """`hear` is told every message of this name first, the library's wrapper after it."""
    tell = getattr(wrapper, name)

    def told(*message: Any) -> None:
        hear(*message)
        tell(*message)

    setattr(wrapper, name, told)
