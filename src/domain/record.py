"""Base of what is stored: frozen, made by name, checked whenever it is made, and written as JSON of always the same bytes.

`msgspec` reads and writes; by itself it checks types when it reads and nothing when a constructor is called, and it takes NaN for a
`Decimal`. So each record checks itself, both times: a type that is not the field's, NaN, an infinity, and what a bound excludes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Self, TypeVar, dataclass_transform

import msgspec
from msgspec import NODEFAULT, DecodeError, Struct, StructMeta
from msgspec.structs import astuple, replace

from liveorder.domain.record_form import Flat, InvalidRecord, Later, form_of

__all__ = ["Flat", "InvalidRecord", "Later", "Record", "encoded", "form_of"]


class RecordMeta(StructMeta):
    """Says for every record what a Struct says of itself: frozen, fields by name, no others."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        usual = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}
        return super().__new__(mcls, name, bases, namespace, **usual | config)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(Struct, metaclass=RecordMeta, frozen=True):
    def __post_init__(self) -> None:
        """Also called for what is read. Raises `InvalidRecord`."""
        form_of(type(self)).check(self)

    def but(self, **changes: Any) -> Self:
        """The same with other values; itself, where it has them already."""
        if all(getattr(self, name, NODEFAULT) is value for name, value in changes.items()):
            return self
        return replace(self, **changes)

    def to_json(self) -> str:
        return encoded(self).decode()

    def to_short_json(self) -> str:
        """Without what is as by default; `from_json` reads it too."""
        return _ENCODER.encode(_without_defaults(self)).decode()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: strings for decimals and times, lists for tuples."""
        fields: dict[str, Any] = msgspec.json.decode(encoded(self))
        return fields

    @classmethod
    def from_json(cls, raw: bytes | str) -> Self:
        """Raises `InvalidRecord`."""
        try:
            read = _decoder(form_of(cls).wire).decode(raw)
        except DecodeError as error:
            raise InvalidRecord(str(error)) from error
        return _assembled(cls, read)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Of what `to_dict` gives, or another JSON reader. Raises `InvalidRecord`."""
        try:
            read = msgspec.convert(dict(fields), form_of(cls).wire)
        except DecodeError as error:
            raise InvalidRecord(str(error)) from error
        return _assembled(cls, read)


_RecordT = TypeVar("_RecordT", bound=Record)
_ENCODER = msgspec.json.Encoder()


def _assembled(kind: type[_RecordT], read: Any) -> _RecordT:
    record: _RecordT = form_of(kind).assembled(read)
    return record


def encoded(record: Record) -> bytes:
    """As JSON, always the same bytes for the same record."""
    return _ENCODER.encode(_written(record))


@cache
def _decoder(wire: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wire)


def _written(record: Struct) -> Struct | dict[str, Any]:
    """What the encoder is given: the record itself, or its fields where it does not write all of them as they stand."""
    form = form_of(type(record))
    return record if form.is_plain else _fields_written(record)


def _fields_written(record: Struct) -> dict[str, Any]:
    form = form_of(type(record))
    fields = dict(zip(form.names, astuple(record), strict=True))
    for name, default in form.omitted:
        if fields[name] == default:
            del fields[name]
    for name in form.nested:
        fields[name] = _written(fields[name])
    for name in form.flat:
        fields |= _fields_written(fields.pop(name))
    return fields


def _without_defaults(record: Struct) -> dict[str, Any]:
    """The same, but for every field that is as by default."""
    form = form_of(type(record))
    fields = {
        name: value
        for name, value, default in zip(form.names, astuple(record), form.defaults, strict=True)
        if default is NODEFAULT or value != default
    }
    for name in form.nested:
        fields[name] = _without_defaults(fields[name])
    for name in form.flat:
        fields |= _without_defaults(fields.pop(name))
    return fields
