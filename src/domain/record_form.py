"""What a class of records is: which types its fields take, what of them is written, and what JSON is read as. See `record`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, cached_property
from math import isfinite
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, Struct, defstruct
from msgspec.structs import FieldInfo, astuple, force_setattr

_T = TypeVar("_T")
_OMITTED, _FLAT = "omitted", "flat"
Later = Annotated[_T, _OMITTED]
"""Of a field that came later: not written where it is as by default, so that what earlier versions stored stays as it is."""
Flat = Annotated[_T, _FLAT]
"""Of a record in a record: its fields are written among those of the outer one, in their place."""


class InvalidRecord(ValueError):
    """A value that a field does not take, or JSON that is no such record."""


@dataclass(frozen=True)
class Form:
    """What is known of a class of records once and for all."""

    kind: type[Struct]
    fields: tuple[Field, ...]
    flat: Mapping[str, type[Struct]]
    """The records that are written flat, by field."""
    wire: type[Struct]
    """What JSON is read as: the class itself, or where something is flat, a Struct that has all of its fields."""
    is_right: Callable[[Struct], bool]
    """Whether each value is of its field's type, a number, and within its bounds."""
    inner_checks: tuple[tuple[str, InnerCheck], ...]
    """Of what is in a value."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.fields)

    @cached_property
    def defaults(self) -> tuple[Any, ...]:
        return tuple(each.default for each in self.fields)

    @cached_property
    def omitted(self) -> tuple[tuple[str, Any], ...]:
        return tuple((each.name, each.default) for each in self.fields if each.is_omitted)

    @cached_property
    def nested(self) -> tuple[str, ...]:
        """Fields that are records which are not written as they stand."""
        inner = ((each.name, kind) for each in self.fields for kind in each.types if issubclass(kind, Struct))
        return tuple(name for name, kind in inner if name not in self.flat and not form_of(kind).is_plain)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is written as it stands."""
        return not (self.omitted or self.nested or self.flat)

    def check(self, record: Struct) -> None:
        """Raises `InvalidRecord`. What says the same as it should without a loss is made plain."""
        if not self.is_right(record):
            for each in self.fields:
                each.settle(record)
        for name, check in self.inner_checks:
            if value := getattr(record, name):
                check(name, value)

    def assembled(self, read: Any) -> Any:
        """The record, from what was read as `wire`."""
        if not self.flat:
            return read
        fields = dict(zip(read.__struct_fields__, astuple(read), strict=True))
        for name, inner in self.flat.items():
            fields[name] = inner(**{each: fields.pop(each) for each in inner.__struct_fields__})
        return self.kind(**fields)


@dataclass(frozen=True)
class Field:
    name: str
    types: tuple[type, ...]
    """Of which a value is one, NoneType among them where it may be None."""
    default: Any
    is_omitted: bool
    least: Decimal | None
    """The bound of a number, as pydantic's `Field(gt=0)` has it: `Quantity` says so for settings and signals too."""
    may_be_least: bool

    def settle(self, record: Struct) -> None:
        value = getattr(record, self.name)
        if type(value) not in self.types:
            value = self._plain(value)
            force_setattr(record, self.name, value)
        if isinstance(value, Decimal) and not value.is_finite():
            raise InvalidRecord(f"{self.name}: {value} is no number")
        if self.least is None or value is None or value > self.least or (value == self.least and self.may_be_least):
            return
        raise InvalidRecord(f"{self.name}: {value} is not {'at least' if self.may_be_least else 'above'} {self.least}")

    def _plain(self, value: Any) -> Any:
        """A word of an enumeration as one, a whole number as `Decimal` or `float`, another mapping as a `dict`, what is of a kind
        derived from one of ours (`pandas.Timestamp`) as that.
        """
        for kind, plain in _PLAIN.items():
            if kind in self.types and isinstance(value, kind) and not isinstance(value, bool):
                return plain(value)
        if isinstance(value, Mapping) and dict in self.types:
            return dict(value)
        for kind in self.types:
            if type(value) is int and kind in (Decimal, float):
                return kind(value)
            if isinstance(value, str) and issubclass(kind, StrEnum) and value in set(kind):
                return kind(value)
        wanted = " or ".join(each.__name__ for each in self.types)
        raise InvalidRecord(f"{self.name}: {value!r} is {type(value).__name__}, not {wanted}")


def _datetime(value: datetime) -> datetime:
    return datetime.combine(value.date(), value.timetz())


_PLAIN: Mapping[type, Callable[[Any], Any]] = {
    str: str,
    Decimal: Decimal,
    datetime: _datetime,
    UUID: lambda value: UUID(int=value.int),
    float: float,
}
"""By kind: a value of a derived kind as one of the kind itself."""


@cache
def form_of(kind: type[Struct]) -> Form:
    infos = msgspec.structs.fields(kind)
    fields = tuple(map(_field, infos))
    flat = {each.name: _bare(each.type) for each in infos if _FLAT in _marks(each.type)}
    inner = tuple((each.name, check) for each in infos for check in _inner_checks(each.type))
    return Form(kind, fields, flat, _wire(kind, infos, flat) if flat else kind, _is_right(fields), inner)


def _field(info: FieldInfo) -> Field:
    default = info.default if info.default_factory is NODEFAULT else info.default_factory()
    limits = [limit for mark in _all_marks(info.type) for limit in getattr(mark, "metadata", ())]
    at_least = [each.ge for each in limits if hasattr(each, "ge")]
    least = next((each.gt for each in limits if hasattr(each, "gt")), at_least[0] if at_least else None)
    return Field(info.name, _types_in(info.type), default, _OMITTED in _marks(info.type), least, bool(at_least))


def _is_right(fields: tuple[Field, ...]) -> Callable[[Struct], bool]:
    """One expression of all fields, made as `dataclasses` makes its methods: it is asked of every event that is made or read."""
    known: dict[str, Any] = {"__builtins__": {}, "type": type, "Decimal": Decimal}
    parts = ["True"]
    for place, each in enumerate(fields):
        known |= {f"least{place}": each.least} | {f"type{place}_{number}": kind for number, kind in enumerate(each.types)}
        ways = ["value is None"] if type(None) in each.types else []
        if Decimal in each.types:
            bound = "" if each.least is None else f" and value {'>=' if each.may_be_least else '>'} least{place}"
            ways.append(f"type(value) is Decimal and value.is_finite(){bound}")
        others = (number for number, kind in enumerate(each.types) if kind not in (Decimal, type(None)))
        ways += [f"type(value) is type{place}_{number}" for number in others]
        parts.append(f"({' or '.join(ways).replace('value', f'(value := record.{each.name})', 1)})")
    right: Callable[[Struct], bool] = eval(f"lambda record: {' and '.join(parts)}", known)  # noqa: S307 - of names that are fields
    return right


def _wire(kind: type[Struct], fields: tuple[FieldInfo, ...], flat: Mapping[str, type[Struct]]) -> type[Struct]:
    spread: list[Any] = []
    for each in fields:
        inner = msgspec.structs.fields(flat[each.name]) if each.name in flat else (each,)
        spread += [(one.name, one.type) if one.required else (one.name, one.type, _default(one)) for one in inner]
    return defstruct(f"{kind.__name__}Wire", spread, kw_only=True, forbid_unknown_fields=True, module=__name__)


def _default(each: FieldInfo) -> Any:
    return each.default if each.default_factory is NODEFAULT else msgspec.field(default_factory=each.default_factory)


# --- annotations --------------------------------------------------------------------------------------------------------------


def _bare(annotation: Any) -> Any:
    return annotation.__origin__ if get_origin(annotation) is Annotated else annotation


def _marks(annotation: Any) -> tuple[Any, ...]:
    return annotation.__metadata__ if get_origin(annotation) is Annotated else ()


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _all_marks(annotation: Any) -> list[Any]:
    """Those of its parts too: `Quantity | None` has what `Quantity` has."""
    bare = _bare(annotation)
    parts = get_args(bare) if _is_union(bare) else ()
    return [*_marks(annotation), *(mark for each in parts for mark in _all_marks(each))]


def _types_in(annotation: Any) -> tuple[type, ...]:
    """Those that a value of the field can be of: `Mapping[str, str] | None` are `dict` and `NoneType`."""
    bare = _bare(annotation)
    if _is_union(bare):
        return tuple(kind for each in get_args(bare) for kind in _types_in(each))
    kind = get_origin(bare) or bare
    return (dict,) if kind in (Mapping, dict) else (kind,)


InnerCheck = Callable[[str, Any], None]


def _inner_checks(annotation: Any) -> list[InnerCheck]:
    bare = _bare(annotation)
    origin, arguments = get_origin(bare), get_args(bare)
    if _is_union(bare):
        return [check for each in arguments for check in _inner_checks(each)]
    if bare is float:
        return [_finite]
    if origin is tuple:
        return [_each_of(_types_in(arguments[0]))]
    return [_texts] if origin in (Mapping, dict) and arguments[1] is str else []


def _finite(name: str, value: float) -> None:
    if not isfinite(value):
        raise InvalidRecord(f"{name}: {value} is no number")


def _each_of(types: tuple[type, ...]) -> InnerCheck:
    def check(name: str, values: tuple[Any, ...]) -> None:
        for value in values:
            if type(value) not in types:
                raise InvalidRecord(f"{name}: {value!r} is {type(value).__name__}, not {types[0].__name__}")

    return check


def _texts(name: str, values: Mapping[Any, Any]) -> None:
    for key, value in values.items():
        if type(key) is not str or type(value) is not str:
            raise InvalidRecord(f"{name}: {key!r} and {value!r} are not both texts")
