"""Notices as lines of the log."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.notifier import Notice


class LogNotifier:
    """Tells the log, which keeps and escapes what it is told."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    @property
    def name(self) -> str:
        return "log"

    async def notify(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._log.write(
                notice.category,
                notice.sentence,
                notice_id=notice.notice_id,
                order_id=notice.order_id,
                signal_id=notice.signal_id,
                account_id=notice.account_id,
                strategy_name=notice.strategy_name,
                symbol=notice.symbol,
            )
