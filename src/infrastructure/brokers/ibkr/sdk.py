"""The client library: ib_async, or ib_insync, of which it is the maintained fork. An environment has one of the two.

Whichever it is, only what both have is used, and their `Trade` objects are not: they hold states that no message told.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

_MAINTAINED, _ARCHIVED = "ib_async", "ib_insync"


def _installed() -> Any:
    try:
        return import_module(_MAINTAINED)
    except ModuleNotFoundError as error:
        if error.name != _MAINTAINED:
            raise
    return import_module(_ARCHIVED)


LIBRARY: Any = _installed()
NAME: str = LIBRARY.__name__
logging.getLogger(NAME).addHandler(logging.NullHandler())  # where nobody set up logging, every code of TWS would go to stderr
RequestError: type[Exception] = LIBRARY.RequestError
"""A numbered request that TWS answered with an error: its `code` and `message`."""
