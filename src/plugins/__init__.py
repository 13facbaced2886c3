"""The names that brokers, sources, publishers, notifiers and projections of your own are written with.

`from liveorder.plugins import DoorAccess`. What is exported here stays (docs/compatibility.md); the modules behind it may move.
"""

from liveorder.application.outbox.notifier import Manner, Notice, Notifier
from liveorder.application.outbox.publisher import Confirmation, Publisher
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import (
    Absence,
    Broker,
    BrokerPosition,
    BrokerRequest,
    CancelRequest,
    Prepared,
    ReplaceRequest,
    SubmitRequest,
)
from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery, Instruments, ListsSymbols
from liveorder.application.ports.market_data import MarketData
from liveorder.application.ports.plugin import BrokerPlugin, DoorAccess
from liveorder.application.ports.signal_source import Bookmarks, Settling, SignalSource, SourceMessage
from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import Styled
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.read_model import (
    BY_ACCOUNT,
    BY_SESSION,
    BY_STRATEGY,
    BY_SYMBOL,
    Batch,
    Filter,
    ReadModel,
    view_of,
)
from liveorder.application.reporting.views import FillView, OrderView, View, order_view
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind, figures
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    BrokerTimeoutError,
    BrokerUnavailable,
    DuplicateClientOrderId,
    InsufficientBalanceError,
    InvalidInput,
    InvalidSymbolError,
    LiveOrderError,
    OrderValidationError,
    OutcomeUnknown,
    SettingsError,
)
from liveorder.domain.events import Envelope, RecordedEvent
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CancelRejected,
    CloseCause,
    Commission,
    Execution,
    ExecutionBusted,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderRejected,
    OrderReplaced,
    OrderRestated,
    OrderSnapshot,
    OrderTriggered,
    ReplaceIsPending,
    ReplaceRejected,
    answering,
)
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.signal import MAX_SIGNAL_BYTES, Signal
from liveorder.domain.values import (
    AssetClass,
    Money,
    OptionRight,
    OrderRole,
    OrderType,
    Product,
    Side,
    TimeInForce,
    TradingHours,
    TradingMode,
)
from liveorder.infrastructure.blocking_calls import BlockingCalls

__all__ = [
    "BY_ACCOUNT",
    "BY_SESSION",
    "BY_STRATEGY",
    "BY_SYMBOL",
    "MAX_SIGNAL_BYTES",
    "Absence",
    "Accepted",
    "AccountAccess",
    "ActivityLog",
    "AssetClass",
    "Batch",
    "BlockingCalls",
    "Bookmarks",
    "Broker",
    "BrokerAccount",
    "BrokerAuthenticationError",
    "BrokerCapabilities",
    "BrokerConnectionError",
    "BrokerError",
    "BrokerPlugin",
    "BrokerPosition",
    "BrokerRateLimitError",
    "BrokerRefusal",
    "BrokerRequest",
    "BrokerStatus",
    "BrokerTimeoutError",
    "BrokerUnavailable",
    "Brokerage",
    "CancelIsPending",
    "CancelRejected",
    "CancelRequest",
    "Clock",
    "CloseCause",
    "Column",
    "Commission",
    "Confirmation",
    "DoorAccess",
    "DuplicateClientOrderId",
    "Envelope",
    "Execution",
    "ExecutionBusted",
    "ExecutionCorrected",
    "ExecutionReport",
    "Figure",
    "FigureKind",
    "FillView",
    "Filter",
    "Instrument",
    "InstrumentQuery",
    "Instruments",
    "InsufficientBalanceError",
    "InvalidInput",
    "InvalidSymbolError",
    "KeySupport",
    "ListsSymbols",
    "LiveOrderError",
    "Manner",
    "MarketData",
    "Money",
    "Notice",
    "NoticeEvent",
    "Notifier",
    "OptionRight",
    "OrderChange",
    "OrderClosed",
    "OrderRejected",
    "OrderReplaced",
    "OrderRestated",
    "OrderRole",
    "OrderSnapshot",
    "OrderStatus",
    "OrderTriggered",
    "OrderType",
    "OrderValidationError",
    "OrderView",
    "OutcomeUnknown",
    "Prepared",
    "Price",
    "Product",
    "Publisher",
    "Quote",
    "ReadModel",
    "RecordedEvent",
    "ReplaceIsPending",
    "ReplaceRejected",
    "ReplaceRequest",
    "RowChanges",
    "SettingsError",
    "Settling",
    "Side",
    "Signal",
    "SignalSource",
    "SourceMessage",
    "Styled",
    "SubmitRequest",
    "TickRule",
    "TimeInForce",
    "TradingHours",
    "TradingMode",
    "View",
    "answering",
    "figures",
    "order_view",
    "view_of",
]
