"""Sources, publishers and notifiers in the settings: URLs, in which each `${NAME}` is a secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from liveorder.application.outbox.notifier import Manner
from liveorder.domain.errors import SettingsError
from liveorder.domain.notice_event import NoticeEvent
from liveorder.infrastructure.secrecy import MASK, Censor, is_secret_name
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.sections import DOOR_URL, STANDARD_INPUT
from liveorder.infrastructure.settings.variables import filled_in, variables_in

_SWITCHES = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Door:
    """One URL of the settings. `field` is the setting's name, for messages."""

    field: str
    text: str = dataclasses.field(repr=False)
    """The URL as written in the settings."""
    events: Mapping[NoticeEvent, Manner] = dataclasses.field(default_factory=dict)
    """The events of a notifier."""

    @property
    def url(self) -> str:
        """The URL with its secrets filled in. Raises `SettingsError`."""
        filled = filled_in(self.text, self.field)
        if DOOR_URL.fullmatch(filled) is None:
            raise SettingsError(f"{self.field}: this is not a URL, and is not shown here; write SCHEME:… or SCHEME://…")
        return "stdin:" if filled == STANDARD_INPUT else str(filled)

    @property
    def scheme(self) -> str:
        """The scheme in lower case. Raises `SettingsError`."""
        return self.url.partition(":")[0].lower()

    @property
    def is_log(self) -> bool:
        """Whether it is the log. Does not depend on variables."""
        return self.text.lower().startswith("log:")

    @property
    def shown(self) -> str:
        """The URL to show: variables by their names, passwords masked."""
        scheme, _, rest = self.text.partition(":")
        if "@" in rest and not rest.startswith("//"):
            return f"{scheme}:{MASK}"
        return Censor(tuple(self.secrets))(self.text)

    @property
    def secrets(self) -> Iterator[SecretStr]:
        """The values of its variables, and the passwords in the URL."""
        yield from variables_in(self.text)
        with suppress(SettingsError, ValueError):
            yield from map(SecretStr, _passwords_in(self.url))

    def file(self, *switches: str) -> tuple[Path, dict[str, bool]]:
        """The path of a file URL, and those of its `switches` (`?follow=true`) that it sets. Raises `SettingsError`."""
        parts = urlsplit(self.url)
        path = unquote(parts.path)
        if parts.netloc or not path or parts.fragment:
            raise SettingsError(f"{self.field}: this does not name a file; write file:PATH or file:///PATH")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name, value in given.items():
            if name not in switches or value not in _SWITCHES:
                known = f"use {' or '.join(f'{each}=true' for each in switches)}" if switches else "leave it out"
                raise SettingsError(f"{self.field}: ?{name}=… is not an option of such a file; {known}")
        return Path(path), {name: _SWITCHES[value] for name, value in given.items()}


def sources(settings: SettingsFields) -> list[Door]:
    return [Door(f"sources.{number}.url", each.url) for number, each in enumerate(settings.sources)]


def publishers(settings: SettingsFields) -> list[Door]:
    return [Door(f"publishers.{number}.url", each.url) for number, each in enumerate(settings.publishers)]


def notifiers(settings: SettingsFields) -> list[Door]:
    return [Door(f"notifiers.{number}.url", each.url, each.events) for number, each in enumerate(settings.notifiers)]


def doors(settings: SettingsFields) -> list[Door]:
    return [*sources(settings), *publishers(settings), *notifiers(settings)]


def _passwords_in(url: str) -> Iterable[str]:
    """Passwords as written and as decoded."""
    parts = urlsplit(url)
    opaque = parts.path.rpartition("@")[0].partition(":")[2]
    written = [parts.password, opaque, *(value for name, value in parse_qsl(parts.query) if is_secret_name(name))]
    return {text for each in written if each for text in (each, unquote(each))}
