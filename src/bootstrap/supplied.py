"""What an embedding program supplies itself: brokers in the place of those of the settings, parts beside a built-in broker, and
sources, publishers and notifiers beside those that the settings name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from liveorder.application.outbox.messages import ALERTS, Notices
from liveorder.application.outbox.notifier import Manner, Notifier
from liveorder.application.outbox.publisher import Publisher
from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.ports.signal_source import SignalSource
from liveorder.domain.errors import SettingsError
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.wording import one_of
from liveorder.infrastructure.settings import Settings

ByAccount: TypeAlias = Mapping[str, Any]
SuppliedNotifier: TypeAlias = Notifier | tuple[Notifier, Mapping[str, str]]
"""A notifier, alone or with `events` as in the settings: `(phone, {"fill": "on", "partial": "silent"})`."""

_PORTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "market_data": ("MarketData", ("latest",)),
    "instruments": ("Instruments", ("resolve",)),
    "sources": ("SignalSource", ("name", "finite", "messages", "acknowledge")),
    "publishers": ("Publisher", ("name", "publish")),
    "notifiers": ("Notifier", ("name", "notify")),
}
"""By argument: the protocol that an object has to satisfy, and what it must have for that."""


@dataclass(frozen=True)
class Supplied:
    """`market_data` and `instruments`: one object for every account whose `Brokerage` is not supplied, or several by account."""

    brokers: Mapping[str, Brokerage] | None = None
    market_data: MarketData | Mapping[str, MarketData] | None = None
    instruments: Instruments | Mapping[str, Instruments] | None = None
    sources: Sequence[SignalSource] = ()
    publishers: Sequence[Publisher] = ()
    notifiers: Sequence[SuppliedNotifier] = ()

    def check(self, settings: Settings) -> None:
        """Raises `SettingsError` for what is none of these, or belongs to an account that has no use for it."""
        for name in ("market_data", "instruments"):
            self._check_parts(settings, name)
        for name in ("sources", "publishers", "notifiers"):
            given = getattr(self, name)
            if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
                raise SettingsError(f"{name}: a {type(given).__name__} is not a list; give [{_PORTS[name][0]}, …]")
            for number, each in enumerate(given):
                _demand(f"{name}[{number}]", name, each[0] if name == "notifiers" and _is_pair(each) else each)
        self.notices  # noqa: B018 - its events are read, and what is wrong with them is raised

    def brokerage(self, account_id: str, of_settings: Brokerage) -> Brokerage:
        """The account's brokerage of the settings, with the parts that are supplied in the place of its own."""
        parts = {name: part for name in ("market_data", "instruments") if (part := self._part(name, account_id)) is not None}
        return replace(of_settings, **parts) if parts else of_settings

    @cached_property
    def notices(self) -> list[tuple[str, Notices]]:
        """The notifiers' outlets, each with its argument."""
        return [_notices(f"notifiers[{number}]", each) for number, each in enumerate(self.notifiers)]

    def _part(self, name: str, account_id: str) -> Any:
        given = getattr(self, name)
        return given.get(account_id) if isinstance(given, Mapping) else given

    def _check_parts(self, settings: Settings, name: str) -> None:
        given, own = getattr(self, name), self.brokers or {}
        if given is None:
            return
        accounts = [account.id for account in settings.trading_accounts]
        if not isinstance(given, Mapping):
            _demand(name, name, given)
            if own.keys() >= {*accounts}:
                raise SettingsError(f"{name}: the Brokerage of each account brings its own; leave one of them out")
            return
        if not given:
            raise SettingsError(f"{name}: an empty mapping; name an account, or leave it out")
        for account_id, part in given.items():
            if account_id not in accounts:
                raise SettingsError(
                    f"{name}: {account_id!r} is not an account that the settings trade; use {' or '.join(accounts)}"
                )
            if account_id in own:
                raise SettingsError(f"{name}: {account_id!r} has a Brokerage, which brings its own; leave one of them out")
            _demand(f"{name}: {account_id!r}", name, part)


def _demand(field: str, name: str, given: object) -> None:
    """Raises `SettingsError` where the object does not have what its port has."""
    port, members = _PORTS[name]
    if isinstance(given, type):
        raise SettingsError(f"{field}: {given.__name__} is a class; give an object of it: {given.__name__}(…)")
    missing = [each for each in members if not hasattr(given, each)]
    if missing:
        raise SettingsError(f"{field}: a {type(given).__name__} is not a {port}: it lacks {', '.join(missing)}")
    if "name" in members and not (isinstance(given.name, str) and given.name.strip()):  # type: ignore[attr-defined]  # as above
        raise SettingsError(f"{field}: its name is {given.name!r}; give a short one that stays")  # type: ignore[attr-defined]  # as above


def _is_pair(given: object) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)


def _notices(field: str, given: SuppliedNotifier) -> tuple[str, Notices]:
    notifier, events = given if isinstance(given, tuple) else (given, {})
    manners = {_known(field, name, NoticeEvent): _known(f"{field}: {name}", manner, Manner) for name, manner in events.items()}
    return field, Notices(notifier, ALERTS | manners)


def _known(field: str, given: object, words: Any) -> Any:
    if given in [*words]:
        return words(given)
    raise SettingsError(f"{field}: {given!r:.60} is unknown; {one_of(given, words)}")


NOTHING_SUPPLIED = Supplied()
