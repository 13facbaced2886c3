"""Where signals come in and messages go out: by `--signals`, `confirmations` and the URLs of the settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from liveorder.application.outbox.messages import ALERTS, Confirmations, Notices
from liveorder.application.outbox.notifier import Notifier
from liveorder.application.outbox.outbox import Outbox, Outlet
from liveorder.application.outbox.publisher import Publisher
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.plugin import DoorAccess
from liveorder.application.ports.signal_source import SignalSource
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.bootstrap.projections import packaged, projection_fields, projections
from liveorder.bootstrap.registry import Plugin, Registry
from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.notifiers.log import LogNotifier
from liveorder.infrastructure.publishers.jsonl import JsonLinesPublisher
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.doors import Door, notifiers, publishers, sources
from liveorder.infrastructure.signals.followed_file import FollowedFile
from liveorder.infrastructure.signals.growing_file import BEGINNING, end_of
from liveorder.infrastructure.signals.jsonl_file import JsonlFile
from liveorder.infrastructure.signals.stdin import StandardInput

T = TypeVar("T")
Opener: TypeAlias = Callable[[DatabaseOrderStore, Clock, ActivityLog], T]
"""Makes it once there is a store, which keeps how far it got."""
ByUrl: TypeAlias = Callable[[Settings, Door], Opener[T]]
Source: TypeAlias = Opener[SignalSource]

LOG = "log"


@dataclass(frozen=True)
class Doors:
    """All that the settings name, found and imported, to be opened with the store."""

    sources: Sequence[Source]
    outlets: Sequence[tuple[str, Opener[Outlet]]]
    """Each with the setting that it comes from."""
    projections: Sequence[ReadModel[Any, Any]] = ()

    def outboxes(self, store: DatabaseOrderStore, clock: Clock, log: ActivityLog) -> list[Outbox]:
        """Raises `SettingsError` for a plugin that fails, and where two would keep how far they got under one name."""
        made = [(field, outlet(store, clock, log)) for field, outlet in self.outlets]
        _refuse_same_names([(field, outlet.name) for field, outlet in made])
        sparing_log = SparingLog(log, clock)

        def failed(outlet: Outlet) -> Callable[[Exception], None]:
            return lambda error: sparing_log.write("ERROR", f"{type(outlet).__name__} for {outlet.name}: {error}")

        return [Outbox(store, outlet, clock, failed(outlet)) for _, outlet in made]


def open_doors(settings: Settings) -> Doors:
    """Before the store is waited for: a followed file begins where it ends now. Raises `SettingsError` and `InvalidInput`."""
    to_people = _notifiers(settings)
    return Doors(
        [SOURCES.named(door.scheme, door.field)(settings, door) for door in sources(settings)],
        [
            *((door.field, _notices(door, NOTIFIERS.named(door.scheme, door.field)(settings, door))) for door in to_people),
            *_confirmations_file(settings),
            *((door.field, _published(settings, door)) for door in publishers(settings)),
        ],
        projections(settings),
    )


def doors_of_a_command(settings: Settings) -> Doors:
    """The log and `confirmations` alone: what is wrong with another must not stand in the way of a cancel or a kill.

    How far the others got is kept, and the next service goes on there.
    """
    (log,) = [door for door in _notifiers(settings) if door.is_log]
    return Doors([], [(log.field, _notices(log, NOTIFIERS.built_in[LOG](settings, log))), *_confirmations_file(settings)])


def _notifiers(settings: Settings) -> list[Door]:
    """With the log, which is always there, and may be named to hear of more. Raises `SettingsError` where that is done twice."""
    named = notifiers(settings)
    logs = [door for door in named if door.is_log]
    if len(logs) > 1:
        raise SettingsError(f"{' and '.join(door.field for door in logs)}: both are the log; leave one out")
    return named if logs else [Door("the log", f"{LOG}:"), *named]


def _confirmations_file(settings: Settings) -> list[tuple[str, Opener[Outlet]]]:
    path = settings.confirmations
    return [] if path is None else [("confirmations", _confirmations(_lines_in(path)))]


def _published(settings: Settings, door: Door) -> Opener[Outlet]:
    return _confirmations(PUBLISHERS.named(door.scheme, door.field)(settings, door))


def _notices(door: Door, notifier: Opener[Notifier]) -> Opener[Outlet]:
    return lambda store, clock, log: Notices(notifier(store, clock, log), ALERTS | dict(door.events))


def _confirmations(publisher: Opener[Publisher]) -> Opener[Outlet]:
    return lambda store, clock, log: Confirmations(publisher(store, clock, log))


def _refuse_same_names(named: Sequence[tuple[str, str]]) -> None:
    for name, count in Counter(name for _, name in named).items():
        if count > 1:
            same = " and ".join(field for field, each in named if each == name)
            raise SettingsError(f"{same}: both are named {name!r}, under which it is kept how far each got; leave one out")


@dataclass(frozen=True)
class DoorCheck:
    """Whether something serves a URL or a name of the settings. `shown`: the same, secrets masked."""

    field: str
    shown: str
    problem: str | None


def check_doors(settings: Settings) -> list[DoorCheck]:
    """Plugins are imported, nothing is opened."""
    return [
        *(_checked(door, SOURCES) for door in sources(settings)),
        *(_checked(door, PUBLISHERS) for door in publishers(settings)),
        *(_checked(door, NOTIFIERS) for door in notifiers(settings)),
        *(_problem(field, name, partial(packaged, settings, name)) for field, name in projection_fields(settings)),
    ]


def _checked(door: Door, registry: Registry[Any]) -> DoorCheck:
    return _problem(door.field, door.shown, lambda: registry.named(door.scheme, door.field))


def _problem(field: str, shown: str, find: Callable[[], object]) -> DoorCheck:
    try:
        find()
    except SettingsError as error:
        return DoorCheck(field, shown, str(error))
    return DoorCheck(field, shown, None)


def file_source(settings: Settings, path: Path, *, follow: bool, from_beginning: bool = False) -> Source:
    """JSON Lines from a file: once, or as it grows from where it ends now, unless it was followed before.

    Raises `InvalidInput` for one to be read once that is not there, or is no JSON Lines.
    """
    if follow:
        first = BEGINNING if from_beginning else end_of(path)
        poll_seconds = settings.engine.source_poll_seconds
        return lambda store, clock, log: FollowedFile(path, store, clock, first, poll_seconds, partial(log.write, "WARNING"))
    source = JsonlFile(path)
    return lambda store, clock, log: source


def source_by_url(settings: Settings, url: str, field: str) -> Source:
    """Of the command line, as of the settings. Raises `SettingsError` and `InvalidInput`."""
    door = Door(field, url)
    return SOURCES.named(door.scheme, field)(settings, door)


def _file_by_url(settings: Settings, door: Door) -> Source:
    path, switches = door.file("follow", "from_beginning")
    follow, from_beginning = switches.get("follow", False), switches.get("from_beginning", False)
    if from_beginning and not follow:
        raise SettingsError(f"{door.field}: only a followed file begins elsewhere; add follow=true, or leave from_beginning out")
    return file_source(settings, path, follow=follow, from_beginning=from_beginning)


def _lines_in(path: Path) -> Opener[Publisher]:
    return lambda store, clock, log: JsonLinesPublisher(path)


def _plugin(port: str, members: tuple[str, ...], plugin: Plugin) -> ByUrl[Any]:
    """`members`: what an object must have to be one of `port`."""
    factory = plugin.load()

    def by_url(settings: Settings, door: Door) -> Opener[Any]:
        url, shown, censor = door.url, door.shown, Censor(settings.secrets)

        def opened(store: DatabaseOrderStore, clock: Clock, log: ActivityLog) -> Any:
            with plugin.blamed(censor):
                made = factory(DoorAccess(url, shown, clock, log, store, settings.engine.source_poll_seconds))
            return plugin.demanded(made, port, members)

        return opened

    return by_url


SOURCES: Registry[ByUrl[SignalSource]] = Registry(
    "source",
    "liveorder.sources",
    {"file": _file_by_url, "stdin": lambda settings, door: lambda store, clock, log: StandardInput()},
    partial(_plugin, "SignalSource", ("name", "finite", "messages", "acknowledge")),
)
PUBLISHERS: Registry[ByUrl[Publisher]] = Registry(
    "publisher",
    "liveorder.publishers",
    {"file": lambda settings, door: _lines_in(door.file()[0])},
    partial(_plugin, "Publisher", ("name", "publish")),
)
NOTIFIERS: Registry[ByUrl[Notifier]] = Registry(
    "notifier",
    "liveorder.notifiers",
    {LOG: lambda settings, door: lambda store, clock, log: LogNotifier(log, since=clock.now())},
    partial(_plugin, "Notifier", ("name", "notify")),
)
