"""An option for each field of a signal, made from the model, so that none can be missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Annotated, Any, get_args
from uuid import UUID, uuid4

import typer
from pydantic.fields import FieldInfo
from rich.markup import escape

from liveorder.application.reporting.docstrings import attribute_docstrings
from liveorder.domain.errors import InvalidInput
from liveorder.domain.signal import Signal
from liveorder.domain.values import OrderType
from liveorder.interfaces.cli.options import a_number

SHORT_NAMES: Mapping[str, str] = {
    "account_id": "--account",
    "strategy_name": "--strategy",
    "position_effect": "--effect",
    "order_type": "--type",
    "target_quantity": "--target",
}
"""In place of the field's own name."""
HELP: Mapping[str, str] = {
    "signal_id": "One id, one order. Default: a new id.",
    "order_type": "Default: as the prices say.",
    "account_id": "Default: from settings.",
    "position_effect": "CLOSE never goes beyond zero.",
    "percent": "Of what is held, or of the equity.",
    "target_quantity": "Signed units to hold.",
    "tags": "Kept with the order. May be given several times.",
}
"""In place of the first sentence of the field's docstring."""
_MEANT = attribute_docstrings(Signal)


def a_signal(text: str | None, options: Mapping[str, Any], *, only_judged: bool = False) -> Signal:
    """A signal from JSON, or from options with a new id; if it is `only_judged`, JSON without an id gets one too.

    Raises `InvalidInput` and `UnusableSignal`.
    """
    if text is None:
        given = {name: _value(name, value) for name, value in options.items()}
        return Signal(**{"signal_id": f"manual-{uuid4()}", "order_type": _type_by_prices(options), **given})
    if options:
        raise InvalidInput("SIGNAL", "given together with options", "use either the JSON or the options")
    return Signal.parse(sys.stdin.buffer.read() if text == "-" else text, unnamed=f"judged-{uuid4()}" if only_judged else None)


def option_of(name: str) -> str:
    """The option that gives this field: `--limit-price`."""
    return SHORT_NAMES.get(name, f"--{name.replace('_', '-')}")


def _options() -> dict[str, tuple[Any, Any]]:
    return {name: (_option(name, field), None) for name, field in Signal.model_fields.items()}


def _option(name: str, field: FieldInfo) -> Any:
    kind = _kind(field)
    sentence = escape(HELP.get(name) or _MEANT.get(name, "").split(". ")[0].rstrip(".:"))
    if issubclass(kind, Enum):
        return Annotated[kind | None, typer.Option(option_of(name), case_sensitive=False, help=sentence)]
    if kind is tuple:
        return Annotated[list[str] | None, typer.Option(option_of(name), metavar="TEXT", help=sentence)]
    metavar = "NUMBER" if kind in (Decimal, int, float) else "ID" if kind is UUID else kind.__name__.upper().replace("STR", "TEXT")
    return Annotated[str | None, typer.Option(option_of(name), metavar=metavar, help=sentence)]


def _kind(field: FieldInfo) -> type:
    """The type of its values, without what they may be besides."""
    inner = [each for each in get_args(field.annotation) if each is not NoneType]
    found = inner[0] if NoneType in get_args(field.annotation) else field.annotation
    while not isinstance(found, type):  # Annotated, a tuple of texts, a literal
        parts = get_args(found)
        if getattr(found, "__origin__", None) is tuple:
            return tuple
        found = parts[0] if isinstance(parts[0], type) or get_args(parts[0]) else type(parts[0])
    return found


def _value(name: str, given: Any) -> Any:
    """Whole numbers and seconds are none as text."""
    kind = _kind(Signal.model_fields[name])
    if kind not in (int, float) or not isinstance(given, str):
        return tuple(given) if kind is tuple else given
    number = a_number(option_of(name), given)
    return float(number or 0) if kind is float else number


def _type_by_prices(options: Mapping[str, object]) -> OrderType:
    if "limit_price" in options:
        return OrderType.STOP_LIMIT if "stop_price" in options else OrderType.LIMIT
    return OrderType.STOP if "stop_price" in options else OrderType.MARKET


OPTIONS = _options()
"""By field: the option for Typer, and its default."""
