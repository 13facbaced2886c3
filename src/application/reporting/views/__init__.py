"""What readers see of orders, fills, positions and signals: frozen, printable, and a function of the log alone.

A view made from a stream (`order_view`) and one read from a read model are equal, so a reader may take either: the first for what
it wrote a moment ago, the second for lists.
"""

from liveorder.application.reporting.views.accounts import AccountView, FigureView, PartFigureView, account_view
from liveorder.application.reporting.views.confirmations import ConfirmationView, confirmation_view, is_confirmable
from liveorder.application.reporting.views.doubts import DoubtView, doubt_view
from liveorder.application.reporting.views.fields import View
from liveorder.application.reporting.views.fills import BookedFillView, FillView
from liveorder.application.reporting.views.history import HistoryView, history_view
from liveorder.application.reporting.views.orders import OrderView, as_of, order_view, session_date
from liveorder.application.reporting.views.positions import (
    AccountPositionView,
    PositionView,
    account_position_view,
    position_view,
)
from liveorder.application.reporting.views.signals import SignalView, dead_letter_view, signal_view
from liveorder.application.reporting.views.summaries import DailySummaryView
from liveorder.application.reporting.views.verdicts import RefusalView, VerdictView, verdict_view

__all__ = [
    "AccountPositionView",
    "AccountView",
    "BookedFillView",
    "ConfirmationView",
    "DailySummaryView",
    "DoubtView",
    "FigureView",
    "FillView",
    "HistoryView",
    "OrderView",
    "PartFigureView",
    "PositionView",
    "RefusalView",
    "SignalView",
    "VerdictView",
    "View",
    "account_position_view",
    "account_view",
    "as_of",
    "confirmation_view",
    "dead_letter_view",
    "doubt_view",
    "history_view",
    "is_confirmable",
    "order_view",
    "position_view",
    "session_date",
    "signal_view",
    "verdict_view",
]
