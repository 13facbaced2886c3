"""The boundary at which a process is struck: just before or just after a commit, a call to the broker, or a hold on the lease.

Found from the wiring: the test's own composition wraps the ports, and the product knows nothing of it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from liveorder.application.ports.order_store import Commit

from tests.mortality import Mortality


class Fate(Mortality):
    """Names each boundary by what is stored or sent and how often that came before: `after append Acknowledged #1`.

    `fatal` is such a name, or `#3` for the third boundary of this life whatever it is; None for a life that only counts.
    """

    def __init__(self, fatal: str | None = None, blow: signal.Signals = signal.SIGKILL) -> None:
        super().__init__()
        self._struck_at, self._blow = fatal, blow
        self._counts: Counter[str] = Counter()

    def around(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def mortal(*args: Any, **kwargs: Any) -> Any:
            what = " ".join([name, *_contents(args)])
            self.boundary(f"before {what}")
            result = await call(*args, **kwargs)
            self.boundary(f"after {what}")
            return result

        return mortal

    def boundary(self, name: str) -> None:
        self._counts[name] += 1
        label = f"{name} #{self._counts[name]}"
        self.names.append(label)
        if self._struck_at in (label, f"#{len(self.names)}"):
            os.kill(os.getpid(), self._blow)


def _contents(args: tuple[Any, ...]) -> list[str]:
    if args and isinstance(args[0], Commit):
        return ["+".join(type(recorded.fact).__name__ for recorded in args[0].facts)]
    return []
