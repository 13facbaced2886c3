"""The client library: ib_async, or ib_insync, whose maintained fork it is. An environment has one of the two.

Only what both have is used. Their `Trade` objects are not used: they hold states that no message reported.
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
logging.getLogger(NAME).addHandler(logging.NullHandler())  # without configured logging, every TWS code would go to stderr
RequestError: type[Exception] = LIBRARY.RequestError
"""A numbered request that TWS answered with an error. It has a `code` and a `message`."""
