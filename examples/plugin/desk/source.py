"""`folder:PATH`: each file in a folder that ends in .json is one signal; `?once=true` ends when there is no more.

Write a file under another name first, and rename it when it is whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from liveorder.plugins import MAX_SIGNAL_BYTES, DoorAccess, SourceMessage


class Folder:
    """A `SignalSource`. What is in the store gets the ending .done; until then a restart reads it again, which does no harm."""

    def __init__(self, path: Path, access: DoorAccess, *, once: bool) -> None:
        self.name, self.finite = f"folder:{path.absolute()}", once
        self._path, self._access = path, access
        self._delivered: list[Path] = []

    async def messages(self) -> AsyncIterator[SourceMessage]:
        while True:
            for path in sorted(self._path.glob("*.json")):
                if path not in self._delivered:
                    self._delivered.append(path)
                    with path.open("rb") as file:
                        content = file.read(MAX_SIGNAL_BYTES + 1)
                    yield SourceMessage(self.name, path.name, content, receipt=path)
            if self.finite:
                return
            await self._access.clock.sleep(self._access.poll_seconds)

    async def acknowledge(self, message: SourceMessage) -> None:
        """This one, and all before it."""
        while self._delivered:
            path = self._delivered.pop(0)
            path.rename(path.with_suffix(".done"))
            if path == message.receipt:
                return


def source(access: DoorAccess) -> Folder:
    parts = urlsplit(access.url)
    return Folder(Path(unquote(parts.path)), access, once=parse_qs(parts.query).get("once") == ["true"])
