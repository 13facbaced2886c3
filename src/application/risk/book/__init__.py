"""What the risk rules know: the ledger that the store keeps with its events, and the book in memory that follows it."""

from liveorder.application.risk.book.book import RiskBook
from liveorder.application.risk.book.entries import entries_between, entries_of
from liveorder.application.risk.book.kept_fills import Keeping, orders_of
from liveorder.application.risk.book.ledger import AccountLedger
from liveorder.application.risk.book.rows import SessionDay, day_key, holding_of, position_key

__all__ = [
    "AccountLedger",
    "Keeping",
    "RiskBook",
    "SessionDay",
    "day_key",
    "entries_between",
    "entries_of",
    "holding_of",
    "orders_of",
    "position_key",
]
