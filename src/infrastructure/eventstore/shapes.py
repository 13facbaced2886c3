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

from msgspec.structs import fields

from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Envelope, Event
from liveorder.domain.record import Record, form_of


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


def _parts(record: type[Record], path: str) -> Iterator[str]:
    flat = form_of(record).flat
    for each in fields(record):
        inside = path if each.name in flat else f"{path}{each.name}."
        if each.name not in flat:
            yield path + each.name
        for kind in _kinds_in(each.type):
            if issubclass(kind, Record):
                yield from _parts(kind, inside)
            elif issubclass(kind, Enum):
                yield from (f"{path}{each.name}={member.value}" for member in kind)


def _kinds_in(annotation: Any) -> Iterator[type]:
    """The classes in an annotation: `Mapping[str, Side | None]` has str, Side and NoneType."""
    if inspect.isclass(annotation) and typing.get_origin(annotation) is None:
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _kinds_in(argument)
