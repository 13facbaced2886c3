"""Registries: what implements a name or URL scheme in the settings. Either a part of liveorder, or an entry point of an installed
package.

A package is imported only if the settings name one of its entry points. The order in which packages were installed never matters:
if two claim one name, both are refused.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import SecretStr

from liveorder.domain.errors import SettingsError, described
from liveorder.infrastructure.secrecy import Censor

Part = TypeVar("Part")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point, and the setting that names it."""

    kind: str
    entry: EntryPoint
    field: str
    secrets: Collection[SecretStr] = ()
    """Masked in what its import says."""

    @property
    def package(self) -> str:
        """The package's name and version."""
        return "an unnamed package" if self.entry.dist is None else f"{self.entry.dist.name} {self.entry.dist.version}"

    def load(self) -> Any:
        """Import the entry point. Raises `SettingsError`."""
        try:
            return self.entry.load()
        except (KeyboardInterrupt, CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - foreign code may raise anything
            raise self.failure("cannot be imported", Censor(self.secrets)(described(error))) from None

    @contextmanager
    def blamed(self, censor: Censor) -> Iterator[None]:
        """Turn any exception of the plugin into a `SettingsError` that names it. `censor` masks the secrets that it was given."""
        try:
            yield
        except (KeyboardInterrupt, CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001 - foreign code may raise anything
            raise self.failure("cannot be opened", censor(described(error))) from None

    def demanded(self, made: Made, port: str, members: tuple[str, ...]) -> Made:
        """Check the object that the plugin made. Raises `SettingsError` if it lacks members of the port."""
        missing = [name for name in members if not hasattr(made, name)]
        if missing:
            raise self.failure("cannot be used", f"it made a {type(made).__name__}, not a {port}: it lacks {', '.join(missing)}")
        return made

    def failure(self, what: str, reason: str) -> SettingsError:
        return SettingsError(f"{self.field}: the {self.kind} {self.entry.name!r} of the package {self.package} {what}: {reason}")


@dataclass(frozen=True)
class Registry(Generic[Part]):
    """The parts of one kind. `adapted` turns a plugin into the form of the built-in ones."""

    kind: str
    group: str
    """The group of the entry points."""
    built_in: Mapping[str, Part]
    adapted: Callable[[Plugin], Part]
    or_else: str = ""
    """Another remedy for an unknown name."""

    def named(self, name: str, field: str, secrets: Collection[SecretStr] = ()) -> Part:
        """The part called `name`; a plugin is imported. `field`: the setting that has the name. `secrets`: those of the settings.

        Raises `SettingsError` if there is none, if several packages claim the name, or if the plugin cannot be imported.
        """
        plugins = [Plugin(self.kind, entry, field, secrets) for entry in entry_points(group=self.group, name=name)]
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
        """All names: the built-in ones, then those of packages."""
        installed = {entry.name for entry in entry_points(group=self.group)}
        return [*self.built_in, *sorted(installed - set(self.built_in))]
