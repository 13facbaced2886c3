"""From any id of an order to the order."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.reporting.read_models import Views
from liveorder.application.reporting.views import OrderView
from liveorder.bootstrap import Settings, open_reader
from liveorder.domain.errors import InvalidInput, OrderNotFound


async def the_order(views: Views, any_id: str) -> OrderView:
    """Find the order by any id. Raises `OrderNotFound`, and `InvalidInput` if several orders share the id."""
    return _only(any_id, await views.find_orders(any_id))


async def order_id_of(settings: Settings, any_id: str) -> str:
    """The order id for commands. Raises as `the_order`."""
    async with open_reader(settings) as reader:
        return str((await the_order(reader.views, any_id)).order_id)


def _only(any_id: str, found: Sequence[OrderView]) -> OrderView:
    if not found:
        raise OrderNotFound(any_id)
    if len(found) > 1:
        choices = ", ".join(f"{order.order_id} ({order.account_id} {order.symbol})" for order in found)
        raise InvalidInput("ID", f"{any_id} is shared by {len(found)} orders", f"name one by its order id: {choices}")
    return found[0]
