"""What a program passes to a runner: each of these returns the value, or raises `InvalidInput` that names the argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from liveorder.domain.errors import InvalidInput
from liveorder.domain.given_by_hand import amount_given
from liveorder.domain.signal import Signal
from liveorder.domain.signal_names import SYNONYMS
from liveorder.domain.wording import one_of

Number = Decimal | int | str
"""Exact: a binary float is refused."""
Word = TypeVar("Word", bound=StrEnum)


def signal_given(signal: object) -> Signal:
    """A mapping has the fields of a line of JSON, and is refused in the same words."""
    if isinstance(signal, Signal):
        return signal
    if isinstance(signal, Mapping):
        return Signal.model_validate(dict(signal))
    remedy = "give a Signal or a dict; Signal.parse reads a line of JSON"
    raise InvalidInput("signal", f"a {type(signal).__name__} is no signal", remedy)


def signal_of(called: str, fields: Mapping[str, Any], **own: Any) -> Signal:
    """A signal of what a method says itself and the fields that its caller adds."""
    names = {name: SYNONYMS.get(name, name) for name in fields}
    for name, field in names.items():
        if field in own:
            raise InvalidInput(name, f"{called}() says it itself", "leave it out, or use execute()")
    return Signal.model_validate({**own, **fields})


def id_given(given: object) -> str:
    if isinstance(given, UUID):
        return str(given)
    if not isinstance(given, str):
        problem = f"a {type(given).__name__} is no id of an order"
        raise InvalidInput("order_id", problem, "give its order, client, broker or signal id, as UUID or as text")
    if not given.strip():
        raise InvalidInput("order_id", "it is empty", "give an order, client, broker or signal id")
    return given


def text_given(given: object, field: str) -> str:
    if not isinstance(given, str):
        raise InvalidInput(field, f"{given!r:.60} is not a text", "give it as a text")
    return given


def word_given(given: object, field: str, words: type[Word]) -> Word | None:
    if given is None or isinstance(given, words):
        return given
    if not isinstance(given, str) or given.upper() not in [*words]:
        raise InvalidInput(field, f"{given!r:.60} is unknown", one_of(given, words))
    return words(given.upper())


def exact(number: Number | None, field: str) -> Decimal | None:
    return None if number is None else amount_given(number, field)


def seconds_given(seconds: object, field: str) -> float:
    """Zero or more; not NaN."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, Decimal)):
        raise InvalidInput(field, f"{seconds!r:.60} is not a number of seconds", "give a number like 2.5")
    if math.isnan(seconds) or seconds < 0:
        raise InvalidInput(field, f"{seconds} is not a number of seconds", "give zero or more")
    return float(seconds)


def position_given(after: object) -> int:
    if isinstance(after, bool) or not isinstance(after, int) or after < 0:
        raise InvalidInput("after", f"{after!r:.60} is not a position of the log", "give a whole number from 0 on")
    return after
