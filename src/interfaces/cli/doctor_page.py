"""Whether this installation can trade: one check after the other, each with what is wrong if anything is."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from liveorder.application.ports.order_store import LeaseState
from liveorder.application.reporting.figures import plural
from liveorder.application.reporting.views import View
from liveorder.bootstrap import (
    CalendarCheck,
    FileCheck,
    Settings,
    check_brokers,
    check_calendars,
    check_doors,
    check_files,
    open_reader,
)
from liveorder.domain.claim import IdempotencyClaim
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.values import TradingMode
from liveorder.interfaces.cli.screen import screen, shown

PRESSING_DAYS = 60
"""Before a calendar's end: time to see to it, whatever else is going on."""


class Check(View):
    """`detail` is what was found, or the problem. What `is_pressing` is healthy still, and will not be for long."""

    name: str
    is_healthy: bool
    detail: str
    is_pressing: bool = False


class Diagnosis(View):
    """`settings` are those in force, secrets masked."""

    settings: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        return all(check.is_healthy for check in self.checks)


@dataclass
class _Found:
    """What a look at the store tells the checks that follow it."""

    lease: LeaseState | None = None
    calendars: frozenset[str] = frozenset()
    second_orders: Sequence[IdempotencyClaim] = ()


async def diagnose(settings: Settings, config: Path | None) -> Diagnosis:
    """`config`: the file that the settings are from, if one was named.

    Never raises a `LiveOrderError`: what fails is what it was asked for.
    """
    found = _Found()
    checks = [
        await _checked("settings", lambda: _settings(settings)),
        await _checked("store", lambda: _store(settings, found)),
        *_second_orders(found.second_orders),
        *_calendars(settings, found.calendars),
        *_files(check_files(settings, config)),
        *_doors(settings),
        *await _brokers(settings, found.lease),
    ]
    return Diagnosis(settings=settings.masked(), checks=tuple(checks))


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
    async with open_reader(settings) as reader:
        found.lease = await reader.lease_state()
        report = await reader.store.check()
        found.calendars = report.calendars
        if report.problems:
            raise LiveOrderError("; ".join(report.problems))
        reader.compare(settings)
        found.second_orders = await reader.superseded()
        owner = found.lease.owner if found.lease is not None and found.lease.is_held else None
        held = f"owned by {owner}" if owner else "no service runs"
        age = "" if reader.is_migrated else "; written by an earlier version, the next `liveorder run` migrates it"
        return f"whole: {plural(report.events, 'event')} in {plural(report.streams, 'stream')}; {held}{age}"


def _second_orders(claims: Sequence[IdempotencyClaim]) -> list[Check]:
    """Signals that became two orders under an earlier version: a person must look at each pair."""
    return [
        Check(
            name=f"signal {claim.signal_id} on {claim.account_id}",
            is_healthy=True,
            is_pressing=True,
            detail=f"became a second order, {claim.order_id}, in an upgrade of an earlier version: see both at the broker",
        )
        for claim in claims
    ]


def _calendars(settings: Settings, ordered: Collection[str]) -> list[Check]:
    """Of exchanges whose sessions are listed; where trading never closes there is nothing to run out."""
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
    """Of the sources, publishers and notifiers that the settings name. Nothing is opened."""
    return [
        Check(name=each.field, is_healthy=each.problem is None, detail=each.problem or each.shown) for each in check_doors(settings)
    ]


def _files(found: FileCheck) -> Iterator[Check]:
    """Others may have to read them; a link is no choice of the owner's that we can know of."""
    yield _of_modes("files", found.open_files)
    yield _of_modes("folders", found.open_folders)
    for link in found.links:
        detail = f"{link} is a symbolic link, and nothing is written through one; name the real place in the settings"
        yield Check(name="links", is_healthy=False, detail=detail)


def _of_modes(name: str, paths: Sequence[Path]) -> Check:
    if not paths:
        return Check(name=name, is_healthy=True, detail="their owner's alone")
    command = f"chmod go-rwx {shlex.join(map(str, paths))}"
    return Check(name=name, is_healthy=True, detail=f"others may use some of them; `{command}` ends that", is_pressing=True)


async def _brokers(settings: Settings, lease: LeaseState | None) -> list[Check]:
    """A venue that lives in a running service cannot be opened beside it; the service itself is connected to it."""
    is_busy = lease is not None and lease.is_held and settings.simulation.venue is None
    if is_busy and settings.mode is TradingMode.SIMULATION:
        return [Check(name="broker", is_healthy=True, detail="the simulated venue lives in the running service")]
    try:
        found = await check_brokers(settings)
    except LiveOrderError as error:
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
    """What is set to anything, by its dotted name."""
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{within}{name}.")
        elif isinstance(value, list):
            for place, item in enumerate(value):
                yield from _leaves(item if isinstance(item, dict) else {"": item}, f"{within}{name}[{place}].")
        elif value is not None:
            yield within + name, value
