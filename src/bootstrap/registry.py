"""What serves a name or the scheme of a URL in the settings: a part of liveorder, or an entry point of an installed package.

A package is imported only once the settings name what it brings. What a name leads to is never a matter of the order in which
packages were installed: two that claim one name are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.secrecy import Censor

Part = TypeVar("Part")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point, and the setting that names it."""

    kind: str
    entry: EntryPoint
    field: str

    @property
    def package(self) -> str:
        """Its name and version."""
        return "an unnamed package" if self.entry.dist is None else f"{self.entry.dist.name} {self.entry.dist.version}"

    def load(self) -> Any:
        """Import it. Raises `SettingsError`."""
        try:
            return self.entry.load()
        except (Exception, SystemExit) as error:
            raise self.failure("cannot be imported", Censor()(_described(error))) from error

    @contextmanager
    def blamed(self, censor: Censor) -> Iterator[None]:
        """Whatever its code raises becomes a `SettingsError` that names it. `censor` knows the secrets that it was given."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is not our code, and may raise anything
            raise self.failure("cannot be opened", censor(_described(error))) from None

    def demanded(self, made: Made, port: str, members: tuple[str, ...]) -> Made:
        """What it made. Raises `SettingsError` where that is something else."""
        missing = [name for name in members if not hasattr(made, name)]
        if missing:
            raise self.failure("cannot be used", f"it made a {type(made).__name__} and no {port}: that has {', '.join(missing)}")
        return made

    def failure(self, what: str, reason: str) -> SettingsError:
        return SettingsError(f"{self.field}: the {self.kind} {self.entry.name!r} of the package {self.package} {what}: {reason}")


@dataclass(frozen=True)
class Registry(Generic[Part]):
    """All of one kind. `adapted` makes of a plugin what the built-in ones are."""

    kind: str
    group: str
    """Of the entry points."""
    built_in: Mapping[str, Part]
    adapted: Callable[[Plugin], Part]
    or_else: str = ""
    """What else helps where there is none of a name."""

    def named(self, name: str, field: str) -> Part:
        """What serves `name`; a plugin is imported. `field`: the setting that has the name.

        Raises `SettingsError` where nothing does, where several packages claim it, and where the one that does cannot be imported.
        """
        plugins = [Plugin(self.kind, entry, field) for entry in entry_points(group=self.group, name=name)]
        claims = [*(["liveorder itself"] if name in self.built_in else []), *(plugin.package for plugin in plugins)]
        if len(claims) > 1:
            raise SettingsError(f"{field}: the {self.kind} {name!r} is claimed by {' and by '.join(claims)}; uninstall all but one")
        if plugins:
            return self.adapted(plugins[0])
        if name not in self.built_in:
            raise SettingsError(
                f"{field}: there is no {self.kind} {name!r}; use one of {', '.join(self.names())}, or install a package that has "
                f"the entry point {name!r} in the group {self.group}{self.or_else}"
            )
        return self.built_in[name]

    def names(self) -> list[str]:
        """Of what there is: the built-in ones, then those of packages."""
        installed = {entry.name for entry in entry_points(group=self.group)}
        return [*self.built_in, *sorted(installed - set(self.built_in))]


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
