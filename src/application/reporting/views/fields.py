"""How a view says numbers and times: decimals as strings in plain digits, times ISO-8601 in UTC with a `Z`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Annotated, Any, overload

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer

from liveorder.domain.position import shown
from liveorder.domain.values import ZERO

SHOWN_DECIMALS = 8
"""Averages and results are rounded to so many decimals, half to even, for showing."""

_STEP = Decimal(1).scaleb(-SHOWN_DECIMALS)
_WIDE = Context(prec=1000, rounding=ROUND_HALF_EVEN)


def _digits(number: Decimal) -> str:
    return f"{number:f}"


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Number = Annotated[Decimal, PlainSerializer(_digits, when_used="json")]
"""As it was reported: `235.10` stays `235.10`."""

Numbers = Annotated[Mapping[str, Number], AfterValidator(lambda numbers: dict(sorted(numbers.items())))]
"""By name, in the order of the names."""

Moment = Annotated[datetime, AfterValidator(_in_utc)]


class View(BaseModel):
    """Base of what is shown. Equal content gives equal text."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def to_json(self) -> str:
        """One JSON object, its fields always in the same order."""
        return self.__pydantic_serializer__.to_json(self).decode()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: strings for decimals and times, lists for tuples."""
        return self.model_dump(mode="json")


def build_all(model: type[BaseModel]) -> None:
    """Build what `model` and those derived from it check and print with, which otherwise is done when one is first made."""
    model.model_rebuild()
    for each in model.__subclasses__():
        build_all(each)


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros: sums that were added up in different ways are written alike."""
    if not number:
        return ZERO
    short = _WIDE.normalize(number)
    return short if short == 0 or short.as_tuple().exponent <= 0 else _WIDE.quantize(short, Decimal(1))  # type: ignore[operator]  # finite


@overload
def rounded(number: Decimal) -> Decimal: ...


@overload
def rounded(number: None) -> None: ...


def rounded(number: Decimal | None) -> Decimal | None:
    """A quotient for showing; none of none."""
    return None if number is None else plain(number.quantize(_STEP, context=_WIDE))


def rounded_fraction(amount: Fraction) -> Decimal:
    """An exact result for showing."""
    return plain(shown(amount, SHOWN_DECIMALS))
