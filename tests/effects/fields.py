"""Every field that a user can set: of the settings, of an account, its capabilities, the venue's file, and of a signal.

Found in the models themselves, so that a new field is found too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.signal import Signal
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.sections import (
    AccountSettings,
    NotifierUrl,
    PublisherUrl,
    SourceUrl,
    SpecialSession,
    StrategyLimits,
    SymbolLimits,
)
from liveorder.testing.venue.faults import Fault
from liveorder.testing.venue.settings import OpeningPosition, VenueAccount, VenueSettings

LISTED: dict[str, type[BaseModel]] = {
    "accounts": AccountSettings,
    "accounts.strategies": StrategyLimits,
    "accounts.symbols": SymbolLimits,
    "special_sessions": SpecialSession,
    "sources": SourceUrl,
    "publishers": PublisherUrl,
    "notifiers": NotifierUrl,
    "venue.accounts": VenueAccount,
    "venue.accounts.positions": OpeningPosition,
    "venue.faults.faults": Fault,
}
"""What the items of a field that is a list or a mapping are."""

OF_NOTHING: dict[tuple[type[BaseModel], str], Any] = {
    (AccountSettings, "id"): "another",
    (StrategyLimits, "name"): "another",
    (SymbolLimits, "symbol"): "ANOTHER",
    (SpecialSession, "calendar"): "XBOM",
    (SpecialSession, "day"): date(2025, 3, 11),
    (SourceUrl, "url"): "stdin:",
    (PublisherUrl, "url"): "file:other.jsonl",
    (NotifierUrl, "url"): "other:",
    (Signal, "symbol"): "AAPL",
    (Signal, "side"): "BUY",
    (OpeningPosition, "quantity"): 1,
    (OpeningPosition, "price"): 1,
    (Fault, "kind"): "server_error",
}
"""What stands in for a field that has no default, where it is ignored."""


@dataclass(frozen=True)
class Field:
    """One field of one model."""

    model: type[Any]
    name: str

    @property
    def default(self) -> Any:
        info = self.model.model_fields[self.name]
        default = info.get_default(call_default_factory=True)
        return OF_NOTHING[self.model, self.name] if default is PydanticUndefined else default


def every_field() -> dict[str, Field]:
    """By its path: `risk.max_open_orders`, `accounts.product`, `capabilities.replaces`, `venue.fills.automatic`, `signal.tags`."""
    capabilities = {f"capabilities.{each.name}": Field(BrokerCapabilities, each.name) for each in fields(BrokerCapabilities)}
    roots = (("", SettingsFields), ("venue.", VenueSettings), ("signal.", Signal))
    return capabilities | {path: field for prefix, model in roots for path, field in _fields_of(model, prefix)}


def _fields_of(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Field]]:
    for name, info in model.model_fields.items():
        path, kind = f"{prefix}{name}", LISTED.get(f"{prefix}{name}", info.annotation)
        table = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        if table is None or path in LISTED:
            yield path, Field(model, name)
        if table is not None:
            yield from _fields_of(table, f"{path}.")


@contextmanager
def ignored(field: Field) -> Iterator[None]:
    """As if nothing read the field: whoever looks at it finds its default, whatever was set. Only its model's own checks see it."""
    is_capability = field.model is BrokerCapabilities
    model, name = (AccountSettings, "capabilities") if is_capability else (field.model, field.name)
    setattr(model, name, property(_capabilities_without(field.name) if is_capability else _default_of(field)))
    try:
        yield
    finally:
        delattr(model, name)


def _default_of(field: Field) -> Callable[[Any], Any]:
    default, checks = field.default, field.model.__pydantic_decorators__.model_validators

    def found(instance: Any) -> Any:
        near = inspect.currentframe()
        callers = [near.f_code.co_name for _ in range(3) if near is not None and (near := near.f_back) is not None]
        return instance.__dict__[field.name] if any(caller in checks for caller in callers) else default

    return found


def _capabilities_without(name: str) -> Callable[[AccountSettings], dict[str, Any]]:
    return lambda account: {key: value for key, value in account.__dict__["capabilities"].items() if key != name}
