"""The shape of an event in the store, as text: its topic, then its fields, with the values of enumerations.

A store is stamped with the shape of each kind of event together with its first event. A version that meets a shape with an unknown
part reports that a newer version wrote the store, before it reads anything else. The CRC-32 at the end distinguishes such a shape
from a damaged one.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any
from zlib import crc32

from pydantic import BaseModel

from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Envelope, Event
from liveorder.domain.order.terms import OrderTerms


def shape_of(event: type[Event]) -> str:
    """The shape, which is the same in every process of a version."""
    text = " ".join([event.topic, *sorted([*_parts(Envelope, "meta."), *_parts(event, "")])])
    return sealed(text)


def sealed(text: str) -> str:
    return f"{text} {_crc(text)}"


def topic_of(shape: str) -> str:
    return shape.partition(" ")[0]


def unknown_parts(shape: str, known: str) -> list[str]:
    """Fields and values of `shape` that `known`, of the same topic, lacks."""
    return sorted(set(shape.split(" ")[:-1]) - set(known.split(" ")[:-1]))


def is_damaged(shape: object) -> bool:
    text, _, crc = shape.rpartition(" ") if isinstance(shape, str) else ("", "", "")
    return not text or crc != _crc(text)


def _crc(text: str) -> str:
    return f"{crc32(text.encode()):08x}"


FOREIGN_SHAPE = sealed("liveorder.ForeignEvents")
"""The shape of a store that also contains events of other programs (`foreign_events`)."""


def newer_version(found: str) -> StoreRefused:
    return StoreRefused(f"this store was written by a newer version of liveorder ({found}); use that version or a later one")


def _parts(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if field.annotation is OrderTerms:
            yield from _parts(OrderTerms, path)
            continue
        yield path + name
        for kind in _kinds_in(field.annotation):
            if issubclass(kind, BaseModel):
                yield from _parts(kind, f"{path}{name}.")
            elif issubclass(kind, Enum):
                yield from (f"{path}{name}={member.value}" for member in kind)


def _kinds_in(annotation: Any) -> Iterator[type]:
    """The classes in an annotation: `Mapping[str, Side | None]` has str, Side and NoneType."""
    if inspect.isclass(annotation) and typing.get_origin(annotation) is None:
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _kinds_in(argument)
