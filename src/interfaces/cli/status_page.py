"""The state of the store and its service, at a glance."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from liveorder.application.ports.order_store import HaltRow
from liveorder.application.reporting.figures import moment, plural
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import View
from liveorder.application.reporting.views.fields import Moment
from liveorder.application.reporting.views.signals import DEAD_LETTER
from liveorder.bootstrap import Settings, StoreReader
from liveorder.domain.connection_record import PREFIX, ConnectionRecord
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.position import PositionStatus
from liveorder.domain.trading_halt import HALT_STREAM, TradingHalt, covered_by
from liveorder.interfaces.cli.screen import screen, shown


class SourceView(View):
    """A source with a connection, as it was stored last: at each change, and every half minute."""

    name: str
    is_connected: bool
    at: Moment | None
    gaps: int
    """Times without a connection, after the first one."""
    gap_seconds: float
    """Of those that ended."""
    last_gap_from: Moment | None
    last_gap_until: Moment | None
    """None while it lasts."""
    loses_signals: bool
    """Whether what is sent in a gap is lost."""


class StatusView(View):
    """The state. `owner` is None if no service runs. `halts` are sentences; empty if trading is not halted."""

    store: str
    store_id: str
    mode: str
    accounts: tuple[str, ...]
    owner: str | None
    owner_until: Moment | None
    """When its lease ends unless it renews that: one that died owns the store until then."""
    epoch: int | None
    halts: tuple[str, ...]
    facts: int
    orders: dict[str, int]
    open_orders: int
    in_doubt: int
    needs_review: int
    open_positions: int
    dead_letters: int
    sources: tuple[SourceView, ...] = ()
    """Those that report their connection."""


async def status_of(reader: StoreReader, settings: Settings) -> StatusView:
    views, identity, lease = reader.views, reader.identity, await reader.lease_state()
    open_orders = await views.orders(Query(is_open=True))
    flags = Counter(flag for order in open_orders for flag in order.flags)
    return StatusView(
        store=settings.masked()["store"],
        store_id=str(identity.store_id),
        mode=identity.mode,
        accounts=tuple(identity.account_ids),
        owner=lease.owner if lease is not None and lease.is_held else None,
        owner_until=lease.expires_at if lease is not None and lease.is_held else None,
        epoch=lease.epoch if lease is not None else None,
        halts=await _halts(reader),
        facts=await reader.store.head(),
        orders=await _counts(reader),
        open_orders=sum(not order.status.is_closed for order in open_orders),
        in_doubt=flags["in_doubt"],
        needs_review=flags["needs_review"],
        open_positions=len(await views.positions(Query(status=PositionStatus.OPEN.value))),
        dead_letters=len(await views.signals(Query(status=DEAD_LETTER))),
        sources=tuple(_source(*each) for each in (await reader.store.checkpoints(PREFIX)).items()),
    )


def _source(name: str, stored: str) -> SourceView:
    record = ConnectionRecord.from_text(stored)
    return SourceView(
        name=name,
        is_connected=record.is_connected,
        at=record.at,
        gaps=record.gaps,
        gap_seconds=record.gap_seconds,
        last_gap_from=record.last_gap_from,
        last_gap_until=record.last_gap_until,
        loses_signals=not record.keeps,
    )


async def _halts(reader: StoreReader) -> tuple[str, ...]:
    """The standing halts, each with its detail from the log. A halt that the owner has not processed yet carries its own text."""
    logged = TradingHalt().evolve(item.event for item in await reader.store.stream(HALT_STREAM)).standing
    return tuple(_halt(row, logged[row.scope].detail if row.scope in logged else "") for row in await reader.store.halts())


def _halt(row: HaltRow, detail: str) -> str:
    note = f" ({detail})" if detail and detail not in row.reason else ""
    return f"{covered_by(row.scope)}: {row.reason} since {moment(row.at)} UTC{note}"


async def _counts(reader: StoreReader) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for summary in await reader.views.daily_summary():
        counts.update({status.value: count for status, count in summary.by_status.items()})
    return {status.value: counts[status.value] for status in OrderStatus}


def print_status(status: StatusView) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    halts = shown("; ".join(status.halts), "bold red") if status.halts else shown("not halted", "green")
    until = f", until {moment(status.owner_until)} UTC unless it renews that" if status.owner_until else ""
    owned = f"owned by {status.owner} (epoch {status.epoch}){until}"
    owner = shown(owned) if status.owner else shown("no service runs", "yellow")
    rows = {
        "store": shown(status.store),
        "mode": shown(status.mode, "bold"),
        "accounts": shown(", ".join(status.accounts)),
        "service": owner,
        "trading": halts,
        "orders": shown(", ".join(f"{count:,} {name}" for name, count in status.orders.items() if count) or "none"),
        "open": shown(f"{plural(status.open_orders, 'order')}, {plural(status.open_positions, 'position')}"),
        "to look at": shown(_to_look_at(status)),
        "log": shown(plural(status.facts, "event")),
    }
    if status.sources:
        rows["sources"] = Text("\n").join(shown(_connection(source)) for source in status.sources)
    for name, value in rows.items():
        grid.add_row(shown(name, "dim"), value)
    screen().print(grid)


def _connection(source: SourceView) -> str:
    state = "connected" if source.is_connected else "not connected"
    when = "" if source.at is None else f" ({moment(source.at)} UTC)"
    if not source.gaps or source.last_gap_from is None:
        return f"{source.name}: {state}{when}"
    until = "now" if source.last_gap_until is None else f"{moment(source.last_gap_until)} UTC"
    lost = "; what was sent in them is lost" if source.loses_signals else ""
    return (
        f"{source.name}: {state}{when}; {plural(source.gaps, 'gap')} of {source.gap_seconds:.0f} s in all, "
        f"the last from {moment(source.last_gap_from)} to {until}{lost}"
    )


def _to_look_at(status: StatusView) -> str:
    parts = {
        "in doubt (liveorder doubts)": status.in_doubt,
        "to review (liveorder orders)": status.needs_review,
        "dead letters (liveorder signals --status dead-letter)": status.dead_letters,
    }
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count) or "nothing"
