"""The result of a run: orders, positions, profit and loss, refusals, and where everything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from liveorder.application.engine.service import RunSummary
from liveorder.application.reporting.figures import part, plural, short
from liveorder.application.reporting.projections.orders import order_type, why
from liveorder.application.reporting.read_models import Query, Views
from liveorder.application.reporting.views import OrderView, PositionView, SignalView, View
from liveorder.application.reporting.views.signals import DEAD_LETTER
from liveorder.bootstrap import Settings, venue_path
from liveorder.domain.lifecycle import OrderStatus
from liveorder.interfaces.cli.listings import (
    print_dead_letters,
    print_orders,
    print_positions,
    print_results,
)
from liveorder.interfaces.cli.results import results_of
from liveorder.interfaces.cli.screen import say, screen, shown
from liveorder.interfaces.cli.tables import print_pairs

NEWEST = 100
"""Maximum number of orders and dead letters that a run shows at its end."""


class RunOutcome(View):
    """A run's result. `placed` counts the orders that this run sent, `refused` those that it made and a rule refused. `orders` are
    the latest that it made or changed, `open_orders` all that are left open; positions and dead letters are the store's.
    """

    mode: str
    placed: int
    refused: int
    orders: tuple[OrderView, ...]
    positions: tuple[PositionView, ...]
    dead_letters: tuple[SignalView, ...]
    resting: tuple[UUID, ...]
    in_doubt: tuple[UUID, ...]
    stored: dict[str, str]
    waiting: tuple[UUID, ...] = ()
    open_orders: tuple[OrderView, ...] = ()
    lost_lease: bool = False
    was_interrupted: bool = False


async def outcome_of(views: Views, summary: RunSummary, settings: Settings) -> RunOutcome:
    own = [order for order_id in sorted(summary.orders) for order in await views.find_orders(str(order_id))]
    return RunOutcome(
        mode=settings.mode.value,
        placed=summary.placed,
        refused=summary.refused,
        orders=tuple(own),
        open_orders=tuple(await views.orders(Query(is_open=True, newest=NEWEST))),
        positions=tuple(await views.positions()),
        dead_letters=tuple(await views.signals(Query(status=DEAD_LETTER, newest=NEWEST))),
        resting=tuple(sorted(summary.resting)),
        in_doubt=tuple(sorted(summary.in_doubt)),
        waiting=tuple(sorted(summary.waiting)),
        stored=places(settings),
        lost_lease=summary.lost_lease,
    )


def places(settings: Settings) -> dict[str, str]:
    """Where everything is stored, with passwords masked."""
    masked = settings.masked()
    kept = {
        "orders": masked["store"],
        "reports": masked["read_model"],
        "logs": masked["logs"]["directory"],
    }
    if settings.mode.value == "SIMULATION":
        kept["simulated venue"] = masked["simulation"]["venue"] or venue_path(settings)
    return {name: str(place) for name, place in kept.items()}


def print_outcome(outcome: RunOutcome, *, in_full: bool) -> None:
    """Print the result: with `in_full` all tables, otherwise only what is left open."""
    if in_full:
        print_orders(outcome.orders, f"Orders ({outcome.mode})")
        print_positions(outcome.positions)
        print_results(results_of(outcome.positions))
        _print_refused(outcome.orders)
        print_dead_letters(outcome.dead_letters)
    _print_left_open("Resting at the broker", outcome.resting, outcome.open_orders)
    _print_left_open("Waiting, not sent yet (liveorder orders --waiting)", outcome.waiting, outcome.open_orders)
    _print_left_open("In doubt (liveorder doubts)", outcome.in_doubt, outcome.open_orders)
    if outcome.was_interrupted and in_full:
        say("Interrupted: nothing was sent after that; the next run goes on where this one ended.", "yellow")
    refused = f", {plural(outcome.refused, 'more was', 'more were')} refused and not sent" if outcome.refused else ""
    say(f"{plural(outcome.placed, 'order')} placed by this run{refused}. Everything is stored:", "bold")
    for name, place in outcome.stored.items():
        screen().print(shown(f"  {name:<16}", "dim").append_text(shown(place)), soft_wrap=True)


def _print_refused(orders: Sequence[OrderView]) -> None:
    refused = [order for order in orders if order.status in (OrderStatus.REJECTED, OrderStatus.CANCELLED)]
    items = [(short(order.signal_id), f"{order.side.value} {order.symbol}: {why(order)}") for order in refused]
    print_pairs("Not executed, and why", items)


def _print_left_open(title: str, order_ids: Sequence[UUID], orders: Sequence[OrderView]) -> None:
    by_id = {order.order_id: order for order in orders}
    print_pairs(title, [_left_open(order_id, by_id.get(order_id)) for order_id in order_ids])


def _left_open(order_id: UUID, order: OrderView | None) -> tuple[str, str]:
    """The line of an open order. One that is not among the latest is named by its id only."""
    if order is None:
        return str(order_id), ""
    filled = part(order.filled_quantity, order.quantity)
    return order.client_order_id, f"{order.side.value} {order.symbol} {order_type(order)}, {order.status.value} {filled}"
