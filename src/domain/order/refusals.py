"""What a signal that would be refused raises, where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.domain.errors import LiveOrderError
from liveorder.domain.order.events import Refused


class RiskManagementError(LiveOrderError):
    """`Runner.validate(signal, strict=True)`: it would be refused now. `refusals` are all reasons, as `validate` returns them."""

    def __init__(self, signal_id: str, refusals: Sequence[Refused]) -> None:
        reasons = "; ".join(f"{each.code}: {each.message}" for each in refusals)
        super().__init__(f"the signal {signal_id} would be refused: {reasons}")
        self.signal_id, self.refusals = signal_id, tuple(refusals)
