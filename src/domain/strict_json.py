"""JSON from outside, read without believing it: exact numbers, no repeated keys, no NaN, a stated size.

`json` by itself keeps the last of two equal keys, takes `NaN` for a number and turns `230.05` into a binary float. None of that
may happen to an order.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from liveorder.domain.errors import InvalidInput

MAX_DIGITS = 28
MAX_MAGNITUDE = 18
"""Powers of ten either way: from one wei to a quintillion."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def read_object(raw: str | bytes, max_bytes: int) -> dict[str, Any]:
    """One JSON object, numbers as `Decimal` from their text. A byte order mark is passed over.

    Raises `InvalidInput` for everything else that `raw` may be.
    """
    text = _text(raw, max_bytes)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidInput("line", f"not JSON ({error})", _remedy(text, "give one complete JSON object a line")) from None
    except RecursionError:
        raise InvalidInput("line", "nested too deeply", "give one flat JSON object a line") from None
    if not isinstance(value, dict):
        raise InvalidInput("line", "not a JSON object", _remedy(text, 'write {"symbol": ...}'))
    return value


def exact_number(text: str) -> Decimal:
    """What `text` spells. Raises `InvalidInput` for no number, NaN, an infinity, and more digits than sums keep exact."""
    try:
        if _NUMBER.fullmatch(text):
            return bounded(Decimal(text))
    except InvalidOperation:
        pass  # an exponent beyond what Decimal itself can hold
    raise InvalidInput("number", f"{text[:40]!r} is not a usable decimal number", "write it like 230.05")


def bounded(number: Decimal) -> Decimal:
    """`number` itself. Raises `InvalidInput` where it is not finite or longer than `MAX_DIGITS` and `MAX_MAGNITUDE` allow."""
    if not number.is_finite():
        raise InvalidInput("number", f"{number} is not a finite number", "give a finite one")
    if len(number.as_tuple().digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_MAGNITUDE:
        remedy = f"give at most {MAX_DIGITS} digits, between 1e-{MAX_MAGNITUDE} and 1e{MAX_MAGNITUDE}"
        raise InvalidInput("number", "too long, too large or too small to reckon with exactly", remedy)
    return number


def _remedy(text: str, usual: str) -> str:
    is_list = text.lstrip().startswith("[")
    return "write a list as JSON Lines: one object a line, without brackets and commas around them" if is_list else usual


def _text(raw: str | bytes, max_bytes: int) -> str:
    try:
        content = raw.encode() if isinstance(raw, str) else raw
        if len(content) > max_bytes:
            raise InvalidInput("line", "too long", f"keep it within {max_bytes} bytes")
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeError as error:
        raise InvalidInput("line", f"not UTF-8 ({error.reason})", "encode it as UTF-8") from None  # type: ignore[attr-defined]  # both kinds have it
    return text.removeprefix("\ufeff")


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidInput(repr(name[:40]), "given twice", "keep one of them")
        fields[name] = value
    return fields


def _refuse_constant(text: str) -> NoReturn:
    raise InvalidInput("number", f"{text} is not a finite number", "give a finite one")


_DECODER = json.JSONDecoder(
    parse_float=exact_number, parse_int=exact_number, parse_constant=_refuse_constant, object_pairs_hook=_unrepeated
)
