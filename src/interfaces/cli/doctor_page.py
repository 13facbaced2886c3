"""Whether this installation can trade: a list of checks, each with its problem if there is one."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.text import Text

from liveorder.application.ports.order_store import LeaseState
from liveorder.application.reporting.figures import plural
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import PositionView, View
from liveorder.application.trading.adopt import ADOPTED
from liveorder.bootstrap import (
    CalendarCheck,
    FileCheck,
    Settings,
    check_brokers,
    check_calendars,
    check_doors,
    check_files,
    check_projections,
    open_reader,
    place_of_new_store,
)
from liveorder.domain.claim import IdempotencyClaim
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.position import PositionSide
from liveorder.domain.position_owner import FLATTEN
from liveorder.domain.values import TradingMode
from liveorder.interfaces.cli.screen import screen, shown

PRESSING_DAYS = 60
"""Days before a calendar's end from which it is urgent to upgrade."""


class Check(View):
    """One check. `detail` is the finding or the problem. A check with `is_pressing` is still healthy, but not for long."""

    name: str
    is_healthy: bool
    detail: str
    is_pressing: bool = False


class Diagnosis(View):
    """All checks, and the settings in force with secrets masked."""

    settings: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        return all(check.is_healthy for check in self.checks)


@dataclass
class _Found:
    """What the check of the store found, for the checks that follow it."""

    lease: LeaseState | None = None
    calendars: frozenset[str] = frozenset()
    second_orders: Sequence[IdempotencyClaim] = ()
    positions: Sequence[PositionView] = ()
    """Those that are open."""


async def diagnose(settings: Settings, config: Path | None) -> Diagnosis:
    """Run all checks. `config`: the settings file, if one was named.

    Never raises a `LiveOrderError`: an error is the result of its check.
    """
    found = _Found()
    checks = [
        await _checked("settings", lambda: _settings(settings)),
        await _checked("store", lambda: _store(settings, found)),
        *_second_orders(found.second_orders),
        *_nobodys(found.positions),
        *_calendars(settings, found.calendars),
        *_files(check_files(settings, config)),
        *_doors(settings),
        *await _projections(settings),
        *await _brokers(settings, found.lease),
    ]
    return Diagnosis(settings=settings.masked(), checks=tuple(_once(checks)))


def _once(checks: Sequence[Check]) -> Iterator[Check]:
    """Without those that fail for a reason that another one has given."""
    reasons: set[str] = set()
    for check in checks:
        if check.is_healthy or check.detail not in reasons:
            yield check
        if not check.is_healthy:
            reasons.add(check.detail)


async def _checked(name: str, check: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check(name=name, is_healthy=True, detail=await check())
    except LiveOrderError as error:
        return Check(name=name, is_healthy=False, detail=str(error))


async def _settings(settings: Settings) -> str:
    settings.check()
    accounts = ", ".join(f"{account.id} at {account.broker}" for account in settings.trading_accounts)
    return f"{settings.mode.value}, auto-trading {'on' if settings.auto_trading else 'off'}; {accounts}"


async def _store(settings: Settings, found: _Found) -> str:
    if (place := await place_of_new_store(settings)) is not None:
        return f"none yet at {place}: the first `liveorder run` makes it"
    async with open_reader(settings) as reader:
        found.lease = await reader.lease_state()
        report = await reader.store.check()
        found.calendars = report.calendars
        if report.problems:
            raise LiveOrderError("; ".join(report.problems))
        reader.compare(settings)
        found.second_orders = await reader.superseded()
        found.positions = await reader.views.positions(Query(is_open=True))
        owner = found.lease.owner if found.lease is not None and found.lease.is_held else None
        held = f"owned by {owner}" if owner else "no service runs"
        age = "" if reader.is_migrated else "; written by an earlier version, the next `liveorder run` migrates it"
        return f"whole: {plural(report.events, 'event')} in {plural(report.streams, 'stream')}; {held}{age}"


def _second_orders(claims: Sequence[IdempotencyClaim]) -> list[Check]:
    """Signals that became two orders under an earlier version. A person must look at each pair."""
    return [
        Check(
            name=f"signal {claim.signal_id} on {claim.account_id}",
            is_healthy=True,
            is_pressing=True,
            detail=f"became a second order, {claim.order_id}, in an upgrade of an earlier version: see both at the broker",
        )
        for claim in claims
    ]


def _nobodys(positions: Sequence[PositionView]) -> Iterator[Check]:
    """Open positions of no strategy that trades, with the transfers that mend them: first to whom they are held against."""
    for held in positions:
        if held.strategy_name not in (ADOPTED, FLATTEN):
            continue
        where, left, transfers = (held.account_id, held.instrument, held.currency), held.quantity, []
        for other in positions:
            is_there = (other.account_id, other.instrument, other.currency) == where and other.side is not held.side
            if is_there and left and other.strategy_name not in (ADOPTED, FLATTEN):
                units = min(left, other.quantity)
                transfers.append(_transfer(held, other.strategy_name, units))
                left -= units
        if left:
            transfers.append(_transfer(held, "STRATEGY", left))
        found = f"{held.side} {held.quantity:f} {held.instrument} on {held.account_id} is no strategy's own"
        detail = f"{found}: {'; '.join(transfers)}"
        yield Check(name=f"position of {held.strategy_name}", is_healthy=True, is_pressing=True, detail=detail)


def _transfer(held: PositionView, taker: str, units: Decimal) -> str:
    signed = units if held.side is PositionSide.LONG else -units
    named = ["--account", held.account_id, "--from", held.strategy_name, "--to", taker, "--quantity", f"{signed:f}"]
    return f"`{shlex.join(['liveorder', 'transfer', held.instrument, *named, '--evidence', 'WHY'])}`"


def _calendars(settings: Settings, ordered: Collection[str]) -> list[Check]:
    """Checks of the calendars of exchanges with listed sessions. A market that never closes needs none."""
    try:
        return [_calendar(found) for found in check_calendars(settings, ordered)]
    except LiveOrderError as error:
        return [Check(name="calendars", is_healthy=False, detail=str(error))]


def _calendar(found: CalendarCheck) -> Check:
    has_ended, is_pressing = found.days_left < 0, found.days_left <= PRESSING_DAYS
    detail = f"{'ended with' if has_ended else 'knows sessions until'} {found.last_session}"
    remedy = "; upgrade exchange_calendars and restart the service" if is_pressing else ""
    return Check(name=f"calendar {found.name}", is_healthy=not has_ended, detail=detail + remedy, is_pressing=is_pressing)


def _doors(settings: Settings) -> list[Check]:
    """Checks of the sources, publishers and notifiers in the settings. Nothing is opened."""
    return [
        Check(name=each.field, is_healthy=each.problem is None, detail=each.problem or each.shown) for each in check_doors(settings)
    ]


async def _projections(settings: Settings) -> list[Check]:
    """Checks of packages' projections. One that fails here is set aside by a running service too. What is wrong with the store
    or a package, another check says.
    """
    if not settings.projections:
        return []
    try:
        found = await check_projections(settings)
    except LiveOrderError:
        return []
    return [
        Check(name=f"projection {each.name}", is_healthy=each.problem is None, detail=each.problem or "level with the log")
        for each in found
    ]


def _files(found: FileCheck) -> Iterator[Check]:
    """Checks of file modes and links. Open modes may be intended, so they are only a warning; a link is an error."""
    yield _of_modes("files", found.open_files)
    yield _of_modes("folders", found.open_folders)
    for link in found.links:
        detail = f"{link} is a symbolic link, and nothing is written through one; name the real path in the settings"
        yield Check(name="links", is_healthy=False, detail=detail)


def _of_modes(name: str, paths: Sequence[Path]) -> Check:
    if not paths:
        return Check(name=name, is_healthy=True, detail="accessible by their owner only")
    command = f"chmod go-rwx {shlex.join(map(str, paths))}"
    return Check(name=name, is_healthy=True, detail=f"others can access some of them; `{command}` ends that", is_pressing=True)


async def _brokers(settings: Settings, lease: LeaseState | None) -> list[Check]:
    """Checks of the brokers. A venue inside a running service cannot be opened a second time."""
    is_busy = lease is not None and lease.is_held and settings.simulation.venue is None
    if is_busy and settings.mode is TradingMode.SIMULATION:
        return [Check(name="broker", is_healthy=True, detail="the simulated venue lives in the running service")]
    try:
        found = await check_brokers(settings)
    except LiveOrderError as error:
        return [Check(name="broker", is_healthy=False, detail=str(error))]
    except OSError as error:
        if settings.mode is TradingMode.SIMULATION and settings.simulation.venue_data is None:
            return []  # the venue lies beside the store, of which the same was said
        return [Check(name="broker", is_healthy=False, detail=str(error))]
    return [
        Check(
            name=f"broker of {check.account_id}",
            is_healthy=check.problem is None,
            detail=check.problem or f"{check.broker} answers",
        )
        for check in found
    ]


def print_diagnosis(found: Diagnosis) -> None:
    console = screen()
    console.print(shown("Settings in force", "bold"))
    for name, value in _leaves(found.settings):
        console.print(shown(f"  {name} = ", "dim").append_text(shown(value)), soft_wrap=True)
    console.print(shown("Checks", "bold"))
    for check in found.checks:
        console.print(_mark(check).append_text(shown(f"{check.name}: {check.detail}")), soft_wrap=True)


def _mark(check: Check) -> Text:
    if not check.is_healthy:
        return shown("  FAIL ", "bold red")
    return shown("  WARN ", "yellow") if check.is_pressing else shown("  ok   ", "green")


def _leaves(tables: dict[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """All set values, by their dotted names."""
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{within}{name}.")
        elif isinstance(value, list):
            for place, item in enumerate(value):
                yield from _leaves(item if isinstance(item, dict) else {"": item}, f"{within}{name}[{place}].")
        elif value is not None:
            yield within + name, value
