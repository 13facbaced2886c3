"""What the pages in `docs/reference` show besides their text: the docstrings of these classes and functions, in this order.

They are imported, so that moving one changes this file with all others, and losing one fails a test.
"""

from collections.abc import Sequence
from importlib import import_module
from itertools import accumulate
from types import ModuleType
from typing import Any

from liveorder import (
    Brokerage,
    EventMapper,
    OrderStatus,
    OrderType,
    RiskManagementError,
    Runner,
    Side,
    Signal,
    Subscription,
    ThreadedRunner,
    open_recorder,
    project_order,
    tune_process,
)
from liveorder.application.emergency.kill import StopReport
from liveorder.application.outbox import notifier, publisher
from liveorder.application.ports import broker, brokerage, instruments, market_data, plugin, signal_source
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.application.reporting import columns, figures, views
from liveorder.application.reporting.projections import draft, known_orders, read_model
from liveorder.application.reporting.read_models import ProjectionFailed, Query, ViewsUnavailable
from liveorder.domain import broker_account, broker_capabilities, errors, events, execution_report, notice_event, quotes
from liveorder.domain.order.events import Refused
from liveorder.domain.reconciliation import ReconciliationReport
from liveorder.domain.signal import UnusableSignal
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.certification import Certification
from liveorder.testing.stage import Stage


def classes_of(module: ModuleType, *but: type) -> list[type]:
    """Those that a module defines, or a package exports, as it has them from top to bottom."""
    exported = getattr(module, "__all__", None)
    named = vars(module) if exported is None else exported
    classes = [one for name in named if isinstance(one := getattr(module, name), type) and one not in but]
    return [one for one in classes if exported is not None or one.__module__ == module.__name__]


Documented = Any
"""A class or a function."""

SHOWN: dict[str, list[Documented]] = {
    "docs/reference/runner": [
        Runner,
        ThreadedRunner,
        Subscription,
        tune_process,
        Query,
        Refused,
        RecoveryReport,
        ReconciliationReport,
        StopReport,
    ],
    "docs/reference/signal": [Signal, Side, OrderType, OrderStatus],
    "docs/reference/views": classes_of(views, views.View),
    "docs/reference/ports": [
        *(Brokerage, *classes_of(brokerage, Brokerage)),
        *(*classes_of(broker), *classes_of(broker_capabilities), *classes_of(broker_account), *classes_of(execution_report)),
        *(*classes_of(market_data), *classes_of(quotes, quotes.Priced)),
        *(*classes_of(instruments), *classes_of(signal_source)),
        *(*classes_of(publisher), *classes_of(notice_event), *classes_of(notifier), *classes_of(plugin)),
        *(*classes_of(read_model), read_model.view_of, columns.Column, figures.Styled, draft.RowChanges, known_orders.OrderChange),
        *(events.RecordedEvent, events.Envelope, views.order_view),
    ],
    "docs/reference/errors": [*classes_of(errors), UnusableSignal, RiskManagementError, ViewsUnavailable, ProjectionFailed],
    "docs/reference/testing": [BrokerContract, Stage, Certification],
    "docs/reference/recorder": [open_recorder, EventMapper, project_order],
}
"""By page."""

PART = """
## {title}

```{{eval-rst}}
.. auto{kind}:: {name}
```
"""


def directives(page: str) -> str:
    """What is added to the text of a page, in MyST."""
    return "".join(
        PART.format(title=each.__name__, kind="class" if isinstance(each, type) else "function", name=public_name(each))
        for each in SHOWN.get(page, [])
    )


def public_name(documented: Documented) -> str:
    """The name by which a program imports it: of `liveorder`, `liveorder.plugins` or the outermost package that exports it."""
    packages = accumulate(documented.__module__.split("."), "{}.{}".format)
    named = (name for name in ("liveorder", "liveorder.plugins", *packages) if documented.__name__ in exported_by(name))
    return f"{next(named, documented.__module__)}.{documented.__qualname__}"


def exported_by(module: str) -> Sequence[str]:
    return getattr(import_module(module), "__all__", ())
