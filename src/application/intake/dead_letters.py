"""Dead letters: messages that became no order, each kept once with its reason."""

from __future__ import annotations

from uuid import UUID

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.ports.signal_source import SourceMessage
from liveorder.application.recording import Cause, Recorder
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried, dead_letter_id, shown_line
from liveorder.domain.errors import InvalidInput
from liveorder.domain.events import PERSON
from liveorder.domain.order import LiveOrder
from liveorder.domain.resent_signal import SignalContentDiffers
from liveorder.domain.signal import Signal, UnusableSignal


class DeadLetters:
    """Stores dead letters. The same message read again adds nothing."""

    def __init__(self, store: OrderStore, recorder: Recorder, execute: ExecuteOrder, log: ActivityLog) -> None:
        self._store, self._recorder, self._execute, self._log = store, recorder, execute, log

    async def keep(self, message: SourceMessage, error: UnusableSignal, fingerprint: str | None = None) -> UUID:
        """Store the dead letter, if it is new. Returns its id. Raises the errors of `OrderStore.append`."""
        known = error if isinstance(error, SignalContentDiffers) else None
        event = SignalDeadLettered(
            source=message.source,
            offset=message.offset,
            line=shown_line(message.raw),
            reason=error.reason,
            signal_id=error.signal_id,
            fingerprint=fingerprint,
            known_order_id=str(known.known_order_id) if known is not None else None,
            known_fingerprint=known.known_fingerprint if known is not None else None,
            place=message.place,
        )
        stream = dead_letter_id(message.source, message.offset, message.raw, is_passing=error.is_passing)
        if await self._recorder.note(stream, 0, event, Cause(correlation_id=error.signal_id or str(stream))):
            self._log.write("DEAD LETTER", f"{message.source} at {event.where}: {error.reason}", signal_id=error.signal_id)
        return stream

    async def reason(self, dead_letter: UUID) -> str:
        """Why a stored one is unusable."""
        event = (await self._store.stream(dead_letter))[0].event
        assert isinstance(event, SignalDeadLettered)
        return event.reason

    async def retry(self, dead_letter: UUID, actor: str) -> LiveOrder:
        """Execute the message after all, on a person's behalf, and return its order. Raises `InvalidInput` and `UnusableSignal`."""
        recorded = await self._store.stream(dead_letter)
        if not recorded or not isinstance(recorded[0].event, SignalDeadLettered):
            raise InvalidInput("ID", f"{dead_letter} is not a dead letter", "see `liveorder signals --status dead-letter`")
        order = await self._execute.execute(_whole(recorded[0].event), operator=actor.removeprefix(PERSON))
        retried = SignalRetried(order_id=order.order_id, dead_letter_position=recorded[0].position)
        cause = Cause(actor, correlation_id=order.intent.signal_id)
        await self._recorder.note(dead_letter, 1, retried, cause)
        return order


def _whole(dead: SignalDeadLettered) -> Signal:
    """The original signal. Raises `UnusableSignal` if what was kept is none: never was one, or was shortened or escaped."""
    try:
        signal = Signal.parse(dead.line)
    except UnusableSignal as error:
        kept = f"as it was kept it cannot be used ({error.reason}): correct it and send it as a new message"
        raise UnusableSignal(kept, dead.signal_id) from None
    if dead.fingerprint not in (None, signal.fingerprint):
        raise UnusableSignal("the kept copy differs from the original: send it as a new message", dead.signal_id)
    return signal
