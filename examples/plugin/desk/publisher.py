"""`csv:PATH`: a line of a CSV file for each confirmation. After a crash a line may come twice, under the same id."""

from __future__ import annotations

import asyncio
import csv
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from liveorder.plugins import Confirmation, DoorAccess

COLUMNS = ("message_id", "signal_id", "status", "filled_quantity", "average_price")


class CsvFile:
    """A `Publisher`."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = f"csv:{path.name}", path

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        await asyncio.to_thread(self._append, [{"message_id": each.message_id} | each.view.to_dict() for each in confirmations])

    def _append(self, rows: Sequence[dict[str, object]]) -> None:
        with self._path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            if file.tell() == 0:
                writer.writeheader()
            writer.writerows(rows)
            file.flush()
            os.fsync(file.fileno())


def publisher(access: DoorAccess) -> CsvFile:
    return CsvFile(Path(unquote(urlsplit(access.url).path)))
