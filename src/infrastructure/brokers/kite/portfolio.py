"""What is held, from Kite's two lists: today's positions, and the holdings from earlier days. Pure.

Delivered shares (CNC, MTF) bought today are in the positions, and from the next day on in the holdings. Sold today, they are in the
positions with a negative quantity, while the holdings still show the morning's quantity. So the overnight quantity is taken from
the holdings, and the change by today's trades from the positions. Other products (MIS, NRML) are in the positions only, including
their overnight part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.domain.values import ZERO, Product, total
from liveorder.infrastructure.brokers.kite.dump import COUNTED_IN_LOTS
from liveorder.infrastructure.brokers.kite.fields import Row, number, price, quantity, text
from liveorder.infrastructure.brokers.kite.translation import product_of, rows_of

_DELIVERED = (Product.CNC, Product.MTF)


@dataclass(frozen=True, slots=True)
class Held:
    """One holding. `quantity` is signed. `product` is None for a product that this package does not know."""

    exchange: str
    tradingsymbol: str
    product: Product | None
    quantity: Decimal
    average_price: Decimal | None


def parts_of(positions: Any, holdings: Any) -> list[Held]:
    """The non-zero parts by product and list, none counted twice. Raises one of `UNREADABLE`."""
    parts = [*_from_positions(rows_of(positions["net"])), *_from_holdings(rows_of(holdings))]
    return [part for part in parts if part.quantity]


def sizes_in(positions: Any) -> dict[tuple[str, str], Decimal]:
    """Units per lot of each contract that was held today, by exchange and symbol. Kite reports them nowhere else."""
    rows = [row for row in rows_of(positions["net"]) if text(row, "exchange") in COUNTED_IN_LOTS]
    sizes = {_listed(row): quantity(row, "multiplier") for row in rows}
    return {listed: size for listed, size in sizes.items() if size > 0}


def held(parts: Iterable[Held]) -> list[Held]:
    """The parts summed by instrument and product. The price is None if parts are both long and short, where an average has no
    meaning.
    """
    by_product: dict[tuple[str, str, Product | None], list[Held]] = {}
    for part in parts:
        by_product.setdefault((part.exchange, part.tradingsymbol, part.product), []).append(part)
    sums = [Held(*listed, total(part.quantity for part in some), _average(some)) for listed, some in by_product.items()]
    return [each for each in sums if each.quantity]


def _from_positions(rows: Iterable[Row]) -> Iterator[Held]:
    for row in rows:
        product = product_of(text(row, "product"))
        carried = quantity(row, "overnight_quantity") if product in _DELIVERED else ZERO
        yield Held(*_listed(row), product, quantity(row, "quantity") - carried, price(row, "average_price"))


def _from_holdings(rows: Iterable[Row]) -> Iterator[Held]:
    for row in rows:
        yield Held(*_listed(row), Product.CNC, _carried(row), price(row, "average_price"))
        on_margin = row.get("mtf")
        if isinstance(on_margin, dict):
            yield Held(*_listed(row), Product.MTF, _carried_on_margin(on_margin), price(on_margin, "average_price"))


def _carried(row: Row) -> Decimal:
    """This morning's quantity, including shares still in delivery from yesterday (T1). Without that figure: what is left plus what
    was sold.
    """
    opening = number(row, "opening_quantity")
    if opening is not None:
        return opening
    return quantity(row, "quantity") + quantity(row, "t1_quantity") + quantity(row, "used_quantity")


def _carried_on_margin(row: Row) -> Decimal:
    """`quantity` is taken as what is left, as in the holdings."""
    return quantity(row, "quantity") + quantity(row, "used_quantity")


def _average(parts: list[Held]) -> Decimal | None:
    """The price of the only part, or the weighted average of several parts on the same side."""
    known = [(part.quantity, part.average_price) for part in parts if part.average_price is not None]
    if len({part.quantity > 0 for part in parts}) > 1 or len(known) < len(parts):
        return None
    return total(amount * each for amount, each in known) / total(amount for amount, _ in known)


def _listed(row: Row) -> tuple[str, str]:
    return row["exchange"], row["tradingsymbol"]
