"""URLs of Redis: `redis://USER:${PASSWORD}@HOST:6379/0?stream=NAME&group=NAME`, `?channel=NAME`, `rediss:` for TLS."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.variables import VARIABLE, filled_in

PORT = 6379
DEFAULT_GROUP = "liveorder"
SOURCE_FORMS = "redis://HOST:6379/0?stream=NAME&group=NAME or redis://HOST:6379/0?channel=NAME"
PUBLISHER_FORM = "redis://HOST:6379/0?stream=NAME"

_SCHEME = re.compile(r"rediss?://", re.IGNORECASE)
_PLACE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[^:]*))?")
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,20}")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """A server, with the options of the URL."""

    host: str
    port: int
    database: int
    is_encrypted: bool
    username: str | None
    password: str | None = dataclasses.field(repr=False)
    options: Mapping[str, str]

    @property
    def server(self) -> str:
        """As text, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' * self.is_encrypted}://{host}:{self.port}/{self.database}"

    def named(self, **what: str) -> str:
        """The name of a source or a publisher: the URL in one spelling, without user and password."""
        return f"{self.server}?{'&'.join(f'{name}={quote(text, safe=_LEGIBLE)}' for name, text in what.items())}"


_LEGIBLE = ":.-_/"


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A stream that is read as a consumer group."""

    url: RedisUrl
    stream: str
    group: str
    from_beginning: bool
    """Where the group is made by us: whether it takes what is in the stream by then."""

    @property
    def name(self) -> str:
        return self.url.named(stream=self.stream, group=self.group)


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """A channel that is subscribed to."""

    url: RedisUrl
    channel: str

    @property
    def name(self) -> str:
        return self.url.named(channel=self.channel)


@dataclass(frozen=True, slots=True)
class StreamDestination:
    """A stream that confirmations are added to."""

    url: RedisUrl
    stream: str
    maxlen: int | None
    """About how many entries the stream keeps; None: all of them."""

    @property
    def name(self) -> str:
        return self.url.named(stream=self.stream)


def source_of(door: Door) -> StreamSource | ChannelSource:
    """Raises `SettingsError`."""
    url = _parsed(door, ("stream", "group", "from_beginning", "channel"), SOURCE_FORMS)
    options = url.options
    if ("stream" in options) == ("channel" in options):
        _refuse(door, "it must name a stream or a channel, and one of them", SOURCE_FORMS)
    if "channel" in options:
        for name in ("group", "from_beginning"):
            if name in options:
                raise SettingsError(f"{door.field}: ?{name}=… applies to a stream only; leave it out")
        return ChannelSource(url, options["channel"])
    if options.get("from_beginning", "true") != "true":
        raise SettingsError(f"{door.field}: ?from_beginning=… can only be true; write from_beginning=true, or leave it out")
    return StreamSource(url, options["stream"], options.get("group", DEFAULT_GROUP), "from_beginning" in options)


def destination_of(door: Door) -> StreamDestination:
    """Raises `SettingsError`."""
    url = _parsed(door, ("stream", "maxlen"), PUBLISHER_FORM)
    if "stream" not in url.options:
        _refuse(door, "it must name a stream", PUBLISHER_FORM)
    maxlen = url.options.get("maxlen")
    if maxlen is not None and (_WHOLE.fullmatch(maxlen) is None or int(maxlen) == 0):
        raise SettingsError(f"{door.field}: ?maxlen=… is no number of entries; write it like maxlen=100000, or leave it out")
    return StreamDestination(url, url.options["stream"], None if maxlen is None else int(maxlen))


def _parsed(door: Door, known: tuple[str, ...], forms: str) -> RedisUrl:
    """A variable fills its part of the URL as it is, so that a password may have any character; one that is written out is
    percent-encoded.
    """
    text = door.text if _SCHEME.match(door.text) is not None else door.url
    try:
        parts = urlsplit(text)
    except ValueError:
        _refuse(door, "its host cannot be read", forms)
    if not parts.netloc or parts.fragment:
        _refuse(door, "it has no host, or a # in it", forms)
    credentials, _, place = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    found = _PLACE.fullmatch(place)
    if found is None:
        _refuse(door, "its host cannot be read", forms)
    return RedisUrl(
        host=_filled(found["six"] or found["name"], door),
        port=_port(found["port"], door),
        database=_database(parts.path, door),
        is_encrypted=parts.scheme.lower() == "rediss",
        username=_filled(username, door) or None,
        password=_filled(password, door) or None,
        options=_options(parts.query, door, known),
    )


def _filled(text: str, door: Door) -> str:
    """Literal parts decoded, variables as they are."""
    literal, *rest = VARIABLE.split(text)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return unquote(literal) + "".join(filled_in(f"${{{name}}}", door.field) + unquote(after) for name, after in pairs)


def _port(text: str | None, door: Door) -> int:
    port = PORT if text is None else _whole(_filled(text, door))
    if port is None or not 0 < port <= _LAST_PORT:
        raise SettingsError(f"{door.field}: its port is no number from 1 to {_LAST_PORT}; write it like redis://HOST:{PORT}/0")
    return port


def _database(path: str, door: Door) -> int:
    text = _filled(path.removeprefix("/"), door)
    number = _whole(text) if text else 0
    if number is None:
        raise SettingsError(f"{door.field}: the path of its URL is no number of a database; write it like redis://HOST:{PORT}/0")
    return number


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def _options(query: str, door: Door, known: tuple[str, ...]) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            shown = f"?{name}=…" if _WORD.fullmatch(name) else "a part of its query"
            use = " or ".join(f"{each}=…" for each in known)
            raise SettingsError(f"{door.field}: {shown} is not an option of Redis here; use {use}")
        if name in options:
            raise SettingsError(f"{door.field}: ?{name}=… is given twice; keep one of them")
        options[name] = str(filled_in(value, door.field))
        if not options[name]:
            raise SettingsError(f"{door.field}: ?{name}=… is empty; give it a value, or leave it out")
    return options


def _refuse(door: Door, problem: str, forms: str) -> NoReturn:
    raise SettingsError(f"{door.field}: {problem}; write {forms}, with a password as ${{NAME}}")
