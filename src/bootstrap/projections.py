"""Read models of installed packages that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.reporting.packaged import LIMIT_SECONDS, PackagedProjector
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.bootstrap.registry import Plugin, Registry
from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.readmodels import file_apart, views_apart
from liveorder.infrastructure.settings import Settings


def _adapted(plugin: Plugin) -> ReadModel[Any, Any]:
    model = plugin.load()
    if not isinstance(model, ReadModel):
        raise plugin.failure("cannot be used", f"it is a {type(model).__name__}, not a ReadModel")
    if model.name != plugin.entry.name:
        raise plugin.failure("cannot be used", f"its read model is named {model.name!r}")
    if model.beside is not None:
        raise plugin.failure("cannot be used", "a package's read model cannot extend another table")
    return model


PROJECTIONS: Registry[ReadModel[Any, Any]] = Registry(
    "projection", "liveorder.projections", {model.name: model for model in READ_MODELS}, _adapted
)


def projections(settings: Settings) -> list[ReadModel[Any, Any]]:
    """The read models, imported. Raises `SettingsError`."""
    return [_named(settings, name, field) for field, name in projection_fields(settings)]


def projection_fields(settings: Settings) -> Iterator[tuple[str, str]]:
    """The names with the settings that name them."""
    return ((f"projections.{number}", name) for number, name in enumerate(settings.projections))


def _named(settings: Settings, name: str, field: str) -> ReadModel[Any, Any]:
    model = PROJECTIONS.named(name, field, settings.secrets)
    if model in READ_MODELS:
        raise SettingsError(f"{field}: {name} is part of liveorder and always there; leave it out")
    return model


def packaged(settings: Settings, name: str) -> ReadModel[Any, Any]:
    """The read model. Raises `SettingsError`, also if the settings do not name it."""
    fields = {each: field for field, each in projection_fields(settings)}
    if name not in fields:
        raise SettingsError(f"projections: {name} is not among them; add it to have its read model kept")
    return _named(settings, name, fields[name])


def installed_read_model(name: str) -> ReadModel[Any, Any] | None:
    """A package's read model of that name, imported, whether or not the settings name it. Raises `SettingsError`."""
    return PROJECTIONS.named(name, name) if name in PROJECTIONS.names() else None


def projector_of(
    settings: Settings,
    model: ReadModel[Any, Any],
    store: OrderStore,
    clock: Clock,
    on_error: Callable[[Exception], None] = lambda error: None,
) -> PackagedProjector:
    """A projector that does not follow a store yet."""
    views = views_apart(model, settings.read_model_url, clock=clock, limit_seconds=LIMIT_SECONDS)
    return PackagedProjector(model, store, views, clock, on_error)


def files_of_projections(settings: Settings) -> Iterator[Path]:
    """The databases of projections, if they are files."""
    for name in settings.projections:
        if (path := file_apart(name, settings.read_model_url)) is not None:
            yield path
