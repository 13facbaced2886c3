"""liveorder: crash-safe order execution for live trading.

`from liveorder import Runner, Signal` is the way in for programs that embed it; names are loaded when they are first used.
"""

from typing import TYPE_CHECKING, Any

if __name__ != "liveorder":
    raise ImportError(f"this package is called liveorder and was imported as {__name__!r}")

if TYPE_CHECKING:
    from liveorder.bootstrap import Brokerage as Brokerage
    from liveorder.bootstrap import EventMapper as EventMapper
    from liveorder.bootstrap import open_recorder as open_recorder
    from liveorder.bootstrap import project_order as project_order
    from liveorder.domain.signal import Signal as Signal
    from liveorder.interfaces.runner import Runner as Runner
    from liveorder.interfaces.threaded_runner import ThreadedRunner as ThreadedRunner

__version__ = "0.2.0"

_EXPORTS = {
    "Brokerage": "liveorder.bootstrap",
    "EventMapper": "liveorder.bootstrap",
    "Runner": "liveorder.interfaces.runner",
    "Signal": "liveorder.domain.signal",
    "ThreadedRunner": "liveorder.interfaces.threaded_runner",
    "open_recorder": "liveorder.bootstrap",
    "project_order": "liveorder.bootstrap",
}

__all__ = [
    "Brokerage",
    "EventMapper",
    "Runner",
    "Signal",
    "ThreadedRunner",
    "__version__",
    "open_recorder",
    "project_order",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _EXPORTS:
        raise AttributeError(f"liveorder has no {name!r}; it exports {', '.join(_EXPORTS)}")
    return getattr(import_module(_EXPORTS[name]), name)
