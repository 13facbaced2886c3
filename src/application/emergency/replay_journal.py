"""Recording the entries of the emergency journal in the store, as soon as the store can be written."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.emergency_journal import (
    EmergencyJournal,
    JournalEntry,
    JournalledCancel,
    JournalledHalt,
)
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.application.trading.waiting_orders import WaitingOrders
from liveorder.domain.errors import OrderNotFound
from liveorder.domain.trading_halt import EVERYTHING, HaltReason


class ReplayEmergencyJournal:
    """Replays the emergency journal and clears it."""

    def __init__(
        self, journal: EmergencyJournal, halts: TradingHalts, cancel: CancelOrder, waiting: WaitingOrders, log: ActivityLog
    ) -> None:
        self._journal, self._halts, self._cancel, self._log = journal, halts, cancel, log
        self._waiting = waiting

    async def book(self) -> str | None:
        """Record all entries; a halt among them ends what waits, as the kill does. It takes effect at once, whether or not the
        store is available.

        An unreadable part of the journal may be a halt. Its description is returned, and everything stays halted until a person
        moves the file away.
        """
        trouble, entries = self._journal.trouble(), self._journal.read()
        if trouble is not None:
            self._log.write("ERROR", f"Trading is halted: {trouble}")
            self._halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, trouble)
        halts = [entry for entry in entries if isinstance(entry, JournalledHalt)]
        for halt in halts:
            self._halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, f"{halt.detail} ({halt.actor}, emergency)")
        if not (entries or trouble) or not await self._halts.retry_durable():
            return trouble
        if halts:
            await self._waiting.end_all()
        for entry in entries:
            if isinstance(entry, JournalledCancel):
                await self._book_cancel(entry)
        self._clear(entries)
        return trouble

    def _clear(self, booked: Sequence[JournalEntry]) -> None:
        try:
            self._journal.clear(booked)
        except OSError as error:
            self._log.write("ERROR", f"The emergency journal is recorded but cannot be removed; remove it by hand: {error}")

    async def _book_cancel(self, entry: JournalledCancel) -> None:
        try:
            await self._cancel.book_journalled(entry)
        except (OrderNotFound, ValueError) as error:
            self._log.write(
                "ERROR", f"A journalled cancel belongs to no order of this store: {error}", order_id=str(entry.order_id)
            )
