"""Messages that became no order, kept once each with their reason."""

from __future__ import annotations

from liveorder.application.execute_order import SignalContentDiffers
from liveorder.application.orders import Cause, Orders
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.order_store import Commit, OrderStore
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.domain.dead_letter import SignalDeadLettered, dead_letter_id, shown_line
from liveorder.domain.errors import VersionConflict
from liveorder.domain.signal import UnusableSignal


class DeadLetters:
    """Writes them to the log; the same message read again adds nothing."""

    def __init__(self, store: OrderStore, orders: Orders, log: EventLog) -> None:
        self._store, self._orders, self._log = store, orders, log

    async def keep(self, message: SourceMessage, error: UnusableSignal, fingerprint: str | None = None) -> bool:
        """True when it is new. Raises the errors of `OrderStore.append`."""
        known = error if isinstance(error, SignalContentDiffers) else None
        fact = SignalDeadLettered(
            source=message.source,
            offset=message.offset,
            line=shown_line(message.raw),
            reason=error.reason,
            signal_id=error.signal_id,
            fingerprint=fingerprint,
            known_order_id=str(known.known_order_id) if known is not None else None,
            known_fingerprint=known.known_fingerprint if known is not None else None,
        )
        stream = dead_letter_id(message.source, message.offset, message.raw)
        recorded = self._orders.enveloped(stream, 0, [fact], Cause(correlation_id=error.signal_id or str(stream)))
        try:
            await self._store.append(Commit(facts=tuple(recorded)))
        except VersionConflict:
            return False
        self._log.write("DEAD LETTER", f"{message.source} at {message.offset}: {error.reason}", signal_id=error.signal_id)
        return True
