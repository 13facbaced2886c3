"""Doors: where signals come in and messages go out, by `--signals`, `confirmations` and the URLs in the settings."""

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
from liveorder.bootstrap.redis_doors import redis_publisher, redis_source
from liveorder.bootstrap.registry import Plugin, Registry
from liveorder.bootstrap.supplied import Supplied
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
"""Opens a door once there is a store, which keeps its bookmark."""
ByUrl: TypeAlias = Callable[[Settings, Door], Opener[T]]
Source: TypeAlias = Opener[SignalSource]

LOG = "log"
REDIS = ("redis", "rediss")
"""Without and with TLS."""


@dataclass(frozen=True)
class Doors:
    """All doors of the settings, imported and ready to be opened with the store."""

    sources: Sequence[Source]
    outlets: Sequence[tuple[str, Opener[Outlet]]]
    """Each outlet with the setting that names it."""
    projections: Sequence[ReadModel[Any, Any]] = ()

    def beside(self, supplied: Supplied) -> Doors:
        """These, with the doors of an embedding program's own, which need nothing of the store to be opened."""
        published = (
            (f"publishers[{number}]", _confirmations(partial(_given, each))) for number, each in enumerate(supplied.publishers)
        )
        return Doors(
            [*(partial(_given, source) for source in supplied.sources), *self.sources],
            [*self.outlets, *published, *((field, partial(_given, outlet)) for field, outlet in supplied.notices)],
            self.projections,
        )

    def outboxes(self, store: DatabaseOrderStore, clock: Clock, log: ActivityLog) -> list[Outbox]:
        """Make the outboxes. Raises `SettingsError` if a plugin fails, or if two outlets share one bookmark name."""
        made = [(field, outlet(store, clock, log)) for field, outlet in self.outlets]
        _refuse_same_names([(field, outlet.name) for field, outlet in made])
        sparing_log = SparingLog(log, clock)

        def failed(outlet: Outlet) -> Callable[[Exception], None]:
            return lambda error: sparing_log.write("ERROR", f"{type(outlet).__name__} for {outlet.name}: {error}")

        return [Outbox(store, outlet, clock, failed(outlet)) for _, outlet in made]


def _given(door: T, *_: object) -> T:
    return door


def open_doors(settings: Settings) -> Doors:
    """Find all doors. Call before waiting for the store, since a followed file starts at its present end. Raises `SettingsError`
    and `InvalidInput`.
    """
    to_people = _notifiers(settings)
    return Doors(
        [SOURCES.named(door.scheme, door.field, settings.secrets)(settings, door) for door in sources(settings)],
        [
            *(
                (door.field, _notices(door, NOTIFIERS.named(door.scheme, door.field, settings.secrets)(settings, door)))
                for door in to_people
            ),
            *_confirmations_file(settings),
            *((door.field, _published(settings, door)) for door in publishers(settings)),
        ],
        projections(settings),
    )


def doors_of_a_command(settings: Settings) -> Doors:
    """Only the log and `confirmations`: an error in another door must not prevent a cancel or a kill.

    The other doors keep their bookmarks, and the next service continues there.
    """
    (log,) = [door for door in _notifiers(settings) if door.is_log]
    return Doors([], [(log.field, _notices(log, NOTIFIERS.built_in[LOG](settings, log))), *_confirmations_file(settings)])


def _notifiers(settings: Settings) -> list[Door]:
    """All notifiers including the log, which always exists and may be named to get more notices. Raises `SettingsError` if it is
    named twice.
    """
    named = notifiers(settings)
    logs = [door for door in named if door.is_log]
    if len(logs) > 1:
        raise SettingsError(f"{' and '.join(door.field for door in logs)}: both are the log; leave one out")
    return named if logs else [Door("the log", f"{LOG}:"), *named]


def _confirmations_file(settings: Settings) -> list[tuple[str, Opener[Outlet]]]:
    path = settings.confirmations
    return [] if path is None else [("confirmations", _confirmations(_lines_in(path)))]


def _published(settings: Settings, door: Door) -> Opener[Outlet]:
    return _confirmations(PUBLISHERS.named(door.scheme, door.field, settings.secrets)(settings, door))


def _notices(door: Door, notifier: Opener[Notifier]) -> Opener[Outlet]:
    return lambda store, clock, log: Notices(notifier(store, clock, log), ALERTS | dict(door.events))


def _confirmations(publisher: Opener[Publisher]) -> Opener[Outlet]:
    return lambda store, clock, log: Confirmations(publisher(store, clock, log), log)


def refuse_doubled(opened: Sequence[SignalSource]) -> None:
    """Raises `SettingsError` if an endless source is there twice: both would keep one bookmark, and take each other's signals."""
    for name, count in Counter(source.name for source in opened if not source.finite).items():
        if count > 1:
            raise SettingsError(f"sources: {count} of them are {name}; leave out all but one")


def _refuse_same_names(named: Sequence[tuple[str, str]]) -> None:
    for name, count in Counter(name for _, name in named).items():
        if count > 1:
            same = " and ".join(field for field, each in named if each == name)
            raise SettingsError(f"{same}: both are named {name!r} and would share one bookmark; leave one out")


@dataclass(frozen=True)
class DoorCheck:
    """Whether something serves a URL or a name of the settings. `shown`: the same, secrets masked."""

    field: str
    shown: str
    problem: str | None


def check_doors(settings: Settings) -> list[DoorCheck]:
    """Check all doors. Imports plugins, and reads the options of Redis, but opens nothing."""
    return [
        *(_checked(settings, door, SOURCES) for door in sources(settings)),
        *(_checked(settings, door, PUBLISHERS) for door in publishers(settings)),
        *(_checked(settings, door, NOTIFIERS) for door in notifiers(settings)),
        *(_problem(field, name, partial(packaged, settings, name)) for field, name in projection_fields(settings)),
    ]


def _checked(settings: Settings, door: Door, registry: Registry[Any]) -> DoorCheck:
    def find() -> None:
        by_url = registry.named(door.scheme, door.field, settings.secrets)
        if door.scheme in REDIS:
            by_url(settings, door)

    return _problem(door.field, door.shown, find)


def _problem(field: str, shown: str, find: Callable[[], object]) -> DoorCheck:
    try:
        find()
    except SettingsError as error:
        return DoorCheck(field, shown, str(error).removeprefix(f"{field}: "))
    return DoorCheck(field, shown, None)


def file_source(settings: Settings, path: Path, *, follow: bool, from_beginning: bool = False) -> Source:
    """A source of JSON Lines from a file: read once, or followed from its present end, or from its bookmark if it was followed
    before.

    Raises `InvalidInput` if a file to be read once is missing, or is not JSON Lines.
    """
    if follow:
        first = BEGINNING if from_beginning else end_of(path)
        poll_seconds = settings.engine.source_poll_seconds
        return lambda store, clock, log: FollowedFile(path, store, clock, first, poll_seconds, partial(log.write, "WARNING"))
    source = JsonlFile(path)
    return lambda store, clock, log: source


def source_by_url(settings: Settings, url: str, field: str) -> Source:
    """A source of the command line, opened as one of the settings. Raises `SettingsError` and `InvalidInput`."""
    door = Door(field, url)
    return SOURCES.named(door.scheme, field, (*settings.secrets, *door.secrets))(settings, door)


def _file_by_url(settings: Settings, door: Door) -> Source:
    path, switches = door.file("follow", "from_beginning")
    follow, from_beginning = switches.get("follow", False), switches.get("from_beginning", False)
    if from_beginning and not follow:
        raise SettingsError(f"{door.field}: from_beginning: it applies to a followed file only; add follow=true, or leave it out")
    return file_source(settings, path, follow=follow, from_beginning=from_beginning)


def _lines_in(path: Path) -> Opener[Publisher]:
    return lambda store, clock, log: JsonLinesPublisher(path)


def _plugin(port: str, members: tuple[str, ...], plugin: Plugin) -> ByUrl[Any]:
    """A factory from a plugin. `members`: what its object must have to implement `port`."""
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
    {
        "file": _file_by_url,
        "stdin": lambda settings, door: lambda store, clock, log: StandardInput(),
        **dict.fromkeys(REDIS, lambda settings, door: redis_source(door)),
    },
    partial(_plugin, "SignalSource", ("name", "finite", "messages", "acknowledge")),
)
PUBLISHERS: Registry[ByUrl[Publisher]] = Registry(
    "publisher",
    "liveorder.publishers",
    {
        "file": lambda settings, door: _lines_in(door.file()[0]),
        **dict.fromkeys(REDIS, lambda settings, door: redis_publisher(door)),
    },
    partial(_plugin, "Publisher", ("name", "publish")),
)
NOTIFIERS: Registry[ByUrl[Notifier]] = Registry(
    "notifier",
    "liveorder.notifiers",
    {LOG: lambda settings, door: lambda store, clock, log: LogNotifier(log, since=clock.now())},
    partial(_plugin, "Notifier", ("name", "notify")),
)
