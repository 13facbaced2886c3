"""Notices as log lines. A notice repeats, under its id, the line logged when its event happened; after a crash it may be the first
line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from liveorder.application.outbox.notifier import Notice
from liveorder.application.ports.activity_log import REPEATED, ActivityLog

BELATED = "belated_notice"


class LogNotifier:
    """Writes notices to the log, which stores and escapes them.

    A notice recorded before `since`, the beginning of this run, comes from an earlier run that ended before logging it.
    """

    def __init__(self, log: ActivityLog, since: datetime) -> None:
        self._log, self._since = log, since

    @property
    def name(self) -> str:
        return "log"

    async def notify(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._log.write(
                notice.category,
                notice.sentence,
                event_type=REPEATED if notice.recorded_at >= self._since else BELATED,
                notice_id=notice.notice_id,
                order_id=notice.order_id,
                signal_id=notice.signal_id,
                account_id=notice.account_id,
                strategy_name=notice.strategy_name,
                symbol=notice.symbol,
                symbol_name=notice.symbol_name,
            )
