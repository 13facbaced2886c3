"""Every row, by the path of its field."""

from __future__ import annotations

from tests.effects import rows_of_accounts, rows_of_brokers, rows_of_risk, rows_of_settings, rows_of_signals, rows_of_the_venue
from tests.effects.observing import Effect

ROWS: dict[str, Effect] = {
    **rows_of_settings.ROWS,
    **rows_of_risk.ROWS,
    **rows_of_accounts.ROWS,
    **rows_of_brokers.ROWS,
    **rows_of_the_venue.ROWS,
    **rows_of_signals.ROWS,
}

WAITING = {"telegram.bot_token", "telegram.chat_id"}
"""Nothing reads these yet. They are taken all the same, because what they belong to, telegram.enabled, is refused."""
