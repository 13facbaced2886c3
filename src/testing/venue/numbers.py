"""Numbers that a venue accepts from outside: finite, and of a size it can compute with exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

_EXACT = Field(max_digits=64, decimal_places=32, allow_inf_nan=False)

Quantity = Annotated[Decimal, Field(gt=0), _EXACT]
"""Units, above zero."""

Price = Annotated[Decimal, _EXACT]
"""The price of one unit in the instrument's currency. May be zero or negative."""

Seconds = Annotated[float, Field(ge=0, le=100 * 366 * 86400, allow_inf_nan=False)]
"""A duration of a century at most."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
