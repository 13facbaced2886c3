"""From any id of an order to the order: for the command line and for programs alike."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from liveorder.application.reporting.read_models import Views
from liveorder.application.reporting.views import OrderView
from liveorder.domain.errors import InvalidInput, OrderNotFound

MOST_CHOICES = 10
"""Orders that a message lists at most."""


async def find_order(views: Views, any_id: str, field: str) -> OrderView:
    """Find the order by its order, client, broker or signal id.

    One whose order id it is counts before those that have it as another id. Raises `OrderNotFound`, and `InvalidInput` of `field`
    if several orders share the id.
    """
    found = await views.find_orders(any_id)
    own = as_uuid(any_id)
    if own is not None and str(own) != any_id:  # in capitals, or without its hyphens
        found = [*found, *(order for order in await views.find_orders(str(own)) if order not in found)]
    return _only(any_id, [order for order in found if order.order_id == own] or found, field)


def as_uuid(text: str) -> UUID | None:
    """None where the text is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _only(any_id: str, found: Sequence[OrderView], field: str) -> OrderView:
    if not found:
        raise OrderNotFound(any_id)
    if len(found) > 1:
        first, more = found[:MOST_CHOICES], len(found) - MOST_CHOICES
        choices = ", ".join(f"{order.order_id} ({order.account_id} {order.symbol})" for order in first)
        choices += f" and {more} more" if more > 0 else ""
        raise InvalidInput(field, f"{any_id} is shared by {len(found)} orders", f"name one by its order id: {choices}")
    return found[0]
