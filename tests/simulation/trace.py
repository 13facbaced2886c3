"""All that was seen of a history, in order, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds, self._digest = seconds, hashlib.sha256()
        self.lines: list[str] = []

    def note(self, who: str, what: str, exactly: bytes = b"") -> None:
        """`exactly` goes into the digest alone."""
        line = f"{self._seconds():10.3f}  {who:<8} {what}"
        self.lines.append(line)
        self._digest.update(line.encode() + exactly)

    @property
    def moment(self) -> int:
        """Grows with everything noted."""
        return len(self.lines)

    def digest(self) -> str:
        return self._digest.hexdigest()
