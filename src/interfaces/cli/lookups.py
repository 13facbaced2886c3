"""From any id of an order to the order."""

from __future__ import annotations

from liveorder.application.reporting.find_order import find_order
from liveorder.application.reporting.read_models import Views
from liveorder.application.reporting.views import OrderView
from liveorder.bootstrap import Settings, open_reader


async def the_order(views: Views, any_id: str) -> OrderView:
    """Find the order by any id. Raises `OrderNotFound`, and `InvalidInput` if several orders share the id."""
    return await find_order(views, any_id, "ID")


async def order_id_of(settings: Settings, any_id: str) -> str:
    """The order id for commands. Raises as `the_order`."""
    async with open_reader(settings) as reader:
        return str((await the_order(reader.views, any_id)).order_id)
