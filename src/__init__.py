"""liveorder: crash-safe order execution for live trading.

`from liveorder import Runner, Signal` is the way in for programs that embed it; names are loaded when they are first used.
"""

from typing import TYPE_CHECKING, Any

if __name__ != "liveorder":
    raise ImportError(f"this package is called liveorder and was imported as {__name__!r}")

if TYPE_CHECKING:
    from liveorder.application.reporting.read_models import ProjectionFailed as ProjectionFailed
    from liveorder.application.reporting.read_models import ViewsUnavailable as ViewsUnavailable
    from liveorder.application.reporting.views import FillView as FillView
    from liveorder.application.reporting.views import HistoryView as HistoryView
    from liveorder.application.reporting.views import OrderView as OrderView
    from liveorder.bootstrap import Brokerage as Brokerage
    from liveorder.bootstrap import EventMapper as EventMapper
    from liveorder.bootstrap import open_recorder as open_recorder
    from liveorder.bootstrap import project_order as project_order
    from liveorder.domain.errors import BrokerAuthenticationError as BrokerAuthenticationError
    from liveorder.domain.errors import BrokerConnectionError as BrokerConnectionError
    from liveorder.domain.errors import BrokerError as BrokerError
    from liveorder.domain.errors import BrokerRateLimitError as BrokerRateLimitError
    from liveorder.domain.errors import BrokerRefusal as BrokerRefusal
    from liveorder.domain.errors import BrokerTimeoutError as BrokerTimeoutError
    from liveorder.domain.errors import BrokerUnavailable as BrokerUnavailable
    from liveorder.domain.errors import DecisionRefused as DecisionRefused
    from liveorder.domain.errors import InsufficientBalanceError as InsufficientBalanceError
    from liveorder.domain.errors import InvalidInput as InvalidInput
    from liveorder.domain.errors import InvalidSymbolError as InvalidSymbolError
    from liveorder.domain.errors import LeaseLost as LeaseLost
    from liveorder.domain.errors import LiveOrderError as LiveOrderError
    from liveorder.domain.errors import OrderNotFound as OrderNotFound
    from liveorder.domain.errors import OrderRetryExhaustedError as OrderRetryExhaustedError
    from liveorder.domain.errors import OrderValidationError as OrderValidationError
    from liveorder.domain.errors import OutcomeUnknown as OutcomeUnknown
    from liveorder.domain.errors import RunnerClosed as RunnerClosed
    from liveorder.domain.errors import SettingsError as SettingsError
    from liveorder.domain.errors import StoppedBefore as StoppedBefore
    from liveorder.domain.errors import StoreError as StoreError
    from liveorder.domain.errors import StoreRefused as StoreRefused
    from liveorder.domain.errors import StoreUnavailable as StoreUnavailable
    from liveorder.domain.lifecycle import OrderStatus as OrderStatus
    from liveorder.domain.order.refusals import RiskManagementError as RiskManagementError
    from liveorder.domain.signal import Signal as Signal
    from liveorder.domain.signal import UnusableSignal as UnusableSignal
    from liveorder.domain.values import OrderType as OrderType
    from liveorder.domain.values import Side as Side
    from liveorder.interfaces.callbacks import Subscription as Subscription
    from liveorder.interfaces.runner import Runner as Runner
    from liveorder.interfaces.threaded_runner import ThreadedRunner as ThreadedRunner
    from liveorder.interfaces.tuning import tune_process as tune_process

__version__ = "0.2.0"

_HOMES = {
    "liveorder.application.reporting.read_models": ["ProjectionFailed", "ViewsUnavailable"],
    "liveorder.application.reporting.views": ["FillView", "HistoryView", "OrderView"],
    "liveorder.bootstrap": ["Brokerage", "EventMapper", "open_recorder", "project_order"],
    "liveorder.domain.errors": [
        "BrokerAuthenticationError",
        "BrokerConnectionError",
        "BrokerError",
        "BrokerRateLimitError",
        "BrokerRefusal",
        "BrokerTimeoutError",
        "BrokerUnavailable",
        "DecisionRefused",
        "InsufficientBalanceError",
        "InvalidInput",
        "InvalidSymbolError",
        "LeaseLost",
        "LiveOrderError",
        "OrderNotFound",
        "OrderRetryExhaustedError",
        "OrderValidationError",
        "OutcomeUnknown",
        "RunnerClosed",
        "SettingsError",
        "StoppedBefore",
        "StoreError",
        "StoreRefused",
        "StoreUnavailable",
    ],
    "liveorder.domain.lifecycle": ["OrderStatus"],
    "liveorder.domain.order.refusals": ["RiskManagementError"],
    "liveorder.domain.signal": ["Signal", "UnusableSignal"],
    "liveorder.domain.values": ["OrderType", "Side"],
    "liveorder.interfaces.callbacks": ["Subscription"],
    "liveorder.interfaces.runner": ["Runner"],
    "liveorder.interfaces.threaded_runner": ["ThreadedRunner"],
    "liveorder.interfaces.tuning": ["tune_process"],
}
_EXPORTS = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_EXPORTS]  # noqa: PLE0604 - the keys are text


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _EXPORTS:
        raise AttributeError(f"liveorder has no {name!r}; it exports {', '.join(_EXPORTS)}")
    return getattr(import_module(_EXPORTS[name]), name)
