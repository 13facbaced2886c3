"""The kinds of field that a signal has, and plain words for what is wrong with one.

Stricter than the models inside: what is read here was written by others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from liveorder.domain.errors import InvalidInput
from liveorder.domain.identifiers import MADE_HERE, SECOND_LEG
from liveorder.domain.strict_json import bounded, exact_number
from liveorder.domain.visible_text import visible
from liveorder.domain.wording import plain

_T = TypeVar("_T", date, datetime)
_SUBJECT = re.compile(r"^\w+(?= should)")

MAX_TEXT_LENGTH = 200


def _visible(text: str) -> str:
    if not text.isprintable():
        raise ValueError("contains control or invisible characters; leave them out")
    if text != text.strip():
        raise ValueError("begins or ends with a space; trim it")
    return text


STORED = {"is_stored": True}
"""The context in which a signal is read back that was taken, or made here."""


def _not_made_here(text: str, info: ValidationInfo) -> str:
    if info.context is STORED:
        return text
    if text.endswith(SECOND_LEG):
        raise ValueError(f"ends in {SECOND_LEG}, by which the second leg of a reversal is called; give another id")
    if re.match(MADE_HERE, text):
        forms = "flatten-DATE-…, adopted-order-…, adopted-position-…"
        raise ValueError(f"is of the form of ids that are made here ({forms}); give another id")
    return text


def _exact(value: object) -> Decimal:
    match value:
        case float():
            raise ValueError(f'a binary float is not an exact number; write "{value}" or Decimal("{value}")')
        case bool():
            raise ValueError("a truth value is not a number; write it like 230.05")
        case Decimal() | int():
            return _bounded(Decimal(value))
        case str():
            return _bounded(value)
    raise ValueError("not a number; write it like 230.05")


def _whole(value: object) -> object:
    """JSON's numbers are read as decimals."""
    return int(value) if isinstance(value, Decimal) and not value % 1 else value


def _bounded(value: Decimal | str) -> Decimal:
    try:
        return exact_number(value) if isinstance(value, str) else bounded(value)
    except InvalidInput as error:
        raise ValueError(f"{error.problem}; {error.remedy}") from None


def _read(kind: type[_T], example: str) -> Callable[[object], _T]:
    """From ISO-8601 text, or the value itself. Never from a number, whose unit nobody could know."""

    def read(value: object) -> _T:
        if type(value) is kind:
            return value
        try:
            if isinstance(value, str):
                return kind.fromisoformat(value)
        except ValueError:
            pass  # raised below, with the same message as for a value that is not text
        raise ValueError(f"not an ISO-8601 text; write it like {example}")

    return read


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError('has no time zone; add "Z" or an offset such as "+05:30"')
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the calendar; give a time of this century") from None


def _schema(**keywords: Any) -> WithJsonSchema:
    return WithJsonSchema(keywords)


_TEXT = r"^\S([^\x00-\x1f\x7f-\x9f]*\S)?$"
_NUMBER_TEXT = r"\d+(\.\d+)?([eE][+-]?\d+)?$"

Text = Annotated[
    str,
    Strict(),
    StringConstraints(min_length=1, max_length=MAX_TEXT_LENGTH),
    AfterValidator(_visible),
    _schema(type="string", minLength=1, maxLength=MAX_TEXT_LENGTH, pattern=_TEXT),
]
"""An id, a symbol, a name: 1 to 200 visible characters, no space at either end."""

SignalId = Annotated[
    Text,
    AfterValidator(_not_made_here),
    _schema(type="string", minLength=1, maxLength=MAX_TEXT_LENGTH, pattern=rf"^(?!.*{SECOND_LEG}$)(?!{MADE_HERE}){_TEXT[1:]}"),
]
"""No id that is derived from another signal's, or from what it is for."""


def any_case(*words: str) -> BeforeValidator:
    """Takes each of the words in any letter case, as the command line does."""
    by_small = {word.lower(): word for word in words}
    return BeforeValidator(lambda said: by_small.get(said.lower(), said) if isinstance(said, str) and said.isascii() else said)


def any_case_of(kind: type[StrEnum]) -> BeforeValidator:
    return any_case(*(member.value for member in kind))


_CURRENCY = re.compile(r"[A-Z0-9]{2,10}")


def _in_capitals(code: str) -> str:
    """Letter case counts: `GBp` are pence, and no pounds."""
    if _CURRENCY.fullmatch(code) is None:
        raise ValueError("not a currency code; write one in capitals, such as USD, INR or USDT")
    return code


CurrencyCode = Annotated[str, Strict(), AfterValidator(_in_capitals), _schema(type="string", pattern=f"^{_CURRENCY.pattern}$")]
"""`USD`, `INR`, `USDT`."""

ContractId = Annotated[int, Strict(), Field(gt=0), BeforeValidator(_whole)]

Number = Annotated[Decimal, BeforeValidator(_exact), _schema(type=["number", "string"], pattern="^-?" + _NUMBER_TEXT)]
"""Exact: a JSON number or its text; in Python `Decimal`, `int` or text. A float is refused."""

_POSITIVE: dict[str, Any] = {"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": "^(?=.*[1-9])" + _NUMBER_TEXT}

Positive = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0), _schema(**_POSITIVE)]

Percent = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, lt=100), _schema(**_POSITIVE, exclusiveMaximum=100)]

PercentOfAll = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, le=100), _schema(**_POSITIVE, maximum=100)]
"""Above 0 and up to 100."""

SignedPercent = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=-100, le=100),
    _schema(type=["number", "string"], minimum=-100, maximum=100, pattern="^-?" + _NUMBER_TEXT),
]
"""From -100 to 100."""

Seconds = Annotated[
    float,
    Strict(),
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(lambda value: float(value) if isinstance(value, Decimal) else value),
    _schema(type="number", exclusiveMinimum=0),
]

Moment = Annotated[datetime, BeforeValidator(_read(datetime, "2025-03-10T09:20:00+05:30")), AfterValidator(_in_utc)]
"""ISO-8601 with a time zone; kept in UTC."""

Day = Annotated[date, BeforeValidator(_read(date, "2025-03-27"))]


def explained(error: ValidationError, said: Mapping[str, str], unknown: Callable[[str], str]) -> InvalidInput:
    """The first thing wrong, in words that say what to do.

    `said`: the name that was given, of a field that was given by another name. `unknown`: the remedy for a name that no field has.
    """
    first, *others = error.errors(include_url=False, include_input=True)
    if first["type"] == "missing":  # it may be there by a name that is not ours
        first = next((each for each in others if each["type"] == "extra_forbidden"), first)
    field = ".".join(said.get(str(part), str(part)) for part in first["loc"])
    match first["type"]:
        case "missing":
            return InvalidInput(field, "is missing", "add it")
        case "extra_forbidden":
            return InvalidInput(repr(field[:40]), "unknown", unknown(field))
        case "value_error":
            problem, _, remedy = first["msg"].removeprefix("Value error, ").partition("; ")
            return InvalidInput(field, problem, remedy)
    return InvalidInput(field, f"{_shown(first['input'])} is not valid", visible(_SUBJECT.sub("it", first["msg"])))


def _shown(value: object) -> str:
    text = plain(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
