"""Reports as functions of the log. A new one is a file with a `ReadModel`, and its name in `READ_MODELS`."""

from typing import Any

from liveorder.application.reporting.projections.confirmations import EXECUTION_CONFIRMATIONS
from liveorder.application.reporting.projections.daily_summary import DAILY_SUMMARY
from liveorder.application.reporting.projections.fills import FILLS
from liveorder.application.reporting.projections.order_history import ORDER_HISTORY
from liveorder.application.reporting.projections.orders import ORDERS
from liveorder.application.reporting.projections.positions import POSITIONS
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.reporting.projections.signals import SIGNALS
from liveorder.domain.errors import InvalidInput
from liveorder.domain.wording import one_of

__all__ = [
    "DAILY_SUMMARY",
    "EXECUTION_CONFIRMATIONS",
    "FILLS",
    "ORDERS",
    "ORDER_HISTORY",
    "POSITIONS",
    "READ_MODELS",
    "SIGNALS",
    "named",
]

READ_MODELS: tuple[ReadModel[Any, Any], ...] = (
    ORDERS,
    ORDER_HISTORY,
    FILLS,
    POSITIONS,
    SIGNALS,
    EXECUTION_CONFIRMATIONS,
    DAILY_SUMMARY,
)
"""In the order in which they are projected: the positions book the fills, and the summary counts what they booked. What reads
`rows.replaced(FILLS)` stands behind POSITIONS. A projection of an installed package runs apart and sees its own rows alone."""


def named(name: object) -> ReadModel[Any, Any]:
    """Raises `InvalidInput` where there is none of that name."""
    by_name = {model.name: model for model in READ_MODELS}
    if not isinstance(name, str) or name not in by_name:
        raise InvalidInput("report", f"there is no {name!s:.60}", one_of(name, by_name))
    return by_name[name]
