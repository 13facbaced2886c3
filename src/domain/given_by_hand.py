"""What a person gives, or a program for one: as strict as the fields of a signal, since it ends in the same log and books."""

from __future__ import annotations

from decimal import Decimal

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.position_owner import FLATTEN
from liveorder.domain.signal_fields import MAX_TEXT_LENGTH
from liveorder.domain.strict_json import bounded, exact_number

MOST_EVIDENCE = 2000
"""Characters."""


def strategy_given(name: object, field: str) -> str:
    """A strategy that a signal could name. Raises `InvalidInput`, which names `field`; so do the others."""
    if name == FLATTEN:
        raise InvalidInput(field, f"{FLATTEN} is what `kill --flatten` closes as, for all strategies", "name another strategy")
    return _line(name, field, MAX_TEXT_LENGTH, "the name of a strategy")


def evidence_given(text: object, field: str = "evidence") -> str:
    return _line(text, field, MOST_EVIDENCE, "what shows that it is so")


def amount_given(number: object, field: str) -> Decimal:
    """Exact and finite; a binary float is refused."""
    try:
        if isinstance(number, str):
            return exact_number(number)
        if isinstance(number, Decimal) or (isinstance(number, int) and not isinstance(number, bool)):
            return bounded(Decimal(number))
    except InvalidInput as error:
        raise InvalidInput(field, error.problem, error.remedy) from None
    raise InvalidInput(field, f"{number!r} is not an exact number", f'write "{number}" or Decimal("{number}")')


def price_given(price: object, instrument: Instrument, field: str = "price") -> Decimal:
    """One that the instrument can have come or gone at; zero is of what became worthless."""
    amount = amount_given(price, field)
    if amount < 0 and not instrument.may_be_below_zero:
        raise InvalidInput(field, f"{amount:f} is no price of {instrument.symbol}", "give zero or more")
    return amount


def _line(text: object, field: str, longest: int, what: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput(field, "it is empty", f"give {what}")
    if not text.isprintable() or text != text.strip():
        raise InvalidInput(field, "it has a space at an end, or control or invisible characters", "leave them out")
    if len(text) > longest:
        raise InvalidInput(field, f"it has {len(text)} characters", f"keep it within {longest}")
    return text
