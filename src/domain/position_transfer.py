"""What may go from one strategy's position to another's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from liveorder.domain.errors import DecisionRefused, InvalidInput
from liveorder.domain.position import Position
from liveorder.domain.position_booking import HoldingKey
from liveorder.domain.values import EXACT, ZERO, Product
from liveorder.domain.wording import plain


class Transferable(NamedTuple):
    holding: HoldingKey
    position: Position


def transferable(
    holdings: Mapping[HoldingKey, Position], giver: str, taker: str, quantity: Decimal, instrument_key: str, reducing: Decimal
) -> Transferable:
    """The position of `giver` that has `quantity` (signed units) to give, beside what its open orders could still take off.

    `holdings`: of all strategies in the instrument. `reducing`: units, without a sign, that open orders of `giver` could still
    take off. Raises `InvalidInput`, and `DecisionRefused` where an open order stands in the way.
    """
    if giver == taker:
        raise InvalidInput("to", f"{taker} is whom it comes from", "name another strategy")
    if not quantity:
        raise InvalidInput("quantity", "a transfer of nothing", "give the signed number of units that go")
    own = {key: held for key, held in holdings.items() if key.strategy_name == giver and held.quantity}
    if not own:
        holders = sorted(f"{key.strategy_name} ({plain(held.quantity)})" for key, held in holdings.items() if held.quantity)
        who = f"held there by {', '.join(holders)}" if holders else "`liveorder positions` lists what is held"
        raise InvalidInput("from", f"{giver} holds nothing of {instrument_key}", who)
    for key, held in own.items():
        has, units = held.quantity.copy_abs(), quantity.copy_abs()
        if (held.quantity > 0) is (quantity > 0) and units <= has:
            if units > EXACT.subtract(has, reducing):
                raise DecisionRefused(
                    f"open orders of {giver} could still take {plain(reducing)} of its {plain(held.quantity)} {instrument_key}; "
                    "cancel them first, or transfer less"
                )
            return Transferable(key, held)
    holds = " and ".join(plain(held.quantity) for held in own.values())
    raise InvalidInput("quantity", f"{giver} holds {holds} {instrument_key}, not {plain(quantity)}", f"give at most {holds}")


def product_transferred(
    held: Mapping[Product | None, Decimal], quantity: Decimal, named: Product | None, giver: str
) -> Product | None:
    """Under which `quantity` (signed units) goes: the product that is named, else the only one.

    `held`: what `giver` has under each, signed; under None what is of no known product. Raises `InvalidInput`.
    """
    by_name = sorted(held.items(), key=lambda item: item[0] or "")
    has = ", ".join(f"{plain(units)} under {product or 'no known product'}" for product, units in by_name)
    if named is None and len(held) > 1:
        raise InvalidInput("product", f"{giver} holds {has}", "name the product that goes")
    product = next(iter(held)) if named is None else named
    units = held.get(product, ZERO)
    if units * quantity <= 0 or quantity.copy_abs() > units.copy_abs():
        raise InvalidInput("product", f"{giver} holds {has}, not {plain(quantity)} under {product}", "give at most what it holds")
    return product
