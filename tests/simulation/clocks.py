"""The machine's clock of a simulation: people and time servers set it, so it jumps; its monotonic counter never does."""

from __future__ import annotations

from datetime import datetime, timedelta

from liveorder.infrastructure.clock import LoopClock


class JumpingClock(LoopClock):
    """Off by as much as it was made to jump in all."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.off_by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.off_by

    def jump(self, seconds: float) -> None:
        self.off_by += timedelta(seconds=seconds)
