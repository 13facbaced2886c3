"""Under which product a signal closes, and how much of it: the figures of docs/positions.md, and laws of the choice."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.amount import Amount, Basis
from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.position_effect import amount_of
from liveorder.domain.position_transfer import product_transferred
from liveorder.domain.products import product_to_close
from liveorder.domain.reconciliation import product_adopted, product_differences
from liveorder.domain.risk import Exposure, ProductPart, RiskRefusal, Stake
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.domain.standing import Standing
from liveorder.domain.values import Product, Side, total

D = Decimal
RELIANCE = Instrument(symbol="RELIANCE", exchange="NSE", currency="INR")
MIS, CNC, NRML = Product.MIS, Product.CNC, Product.NRML
SHORTS = RiskLimits(allow_short_selling=True)
PAGE = (Path(__file__).parents[2] / "docs/positions.md").read_text()
WORKED = PAGE.partition("With `default_product` CNC:")[2].partition("\n\n`several_products`")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in WORKED.splitlines() if line.startswith("| ")][1:]

Held = Mapping[Product | None, Decimal]


def parts_of(held: Held) -> dict[Product | None, ProductPart]:
    return {product: ProductPart(Stake(units), Exposure(units)) for product, units in held.items()}


def amount(held: Held, fields: dict[str, Any], usual: Product | None = CNC) -> Amount:
    units = total(held.values())
    has = Standing("trend", Stake(units), Exposure(units), D(0), parts=parts_of(held))
    signal = Signal(**{"signal_id": "s1", "symbol": "RELIANCE"} | fields)
    return amount_of(signal, Basis(RELIANCE, D(100), SHORTS, False, has, D(10000), usual))


@pytest.mark.parametrize(("held", "said", "expected"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_the_worked_figures_of_the_documentation(held: str, said: str, expected: str) -> None:
    words, fields = held.split(), dict[str, Any]()
    for word in said.split(", "):
        name, _, value = word.partition(" ")
        fields |= {"side": word} if word == "SELL" else {"position_effect": word} if not value else {name: value}
    found = amount({Product(name): D(units) for name, units in zip(words[::2], words[1::2], strict=True)}, fields)
    came_to = found.refusal.code if found.refusal is not None else f"{found.side} {found.quantity:f} {found.product}"
    assert came_to == expected


HELD = st.dictionaries(st.sampled_from((MIS, CNC, NRML, None)), st.integers(-9, 9).map(D), max_size=4)
PRODUCTS = st.sampled_from((MIS, CNC, NRML, None))
SIZES = st.sampled_from(({}, {"quantity": 5}, {"percent": 50}, {"notional": 300}))


@given(HELD, PRODUCTS, PRODUCTS, st.sampled_from(("BUY", "SELL", None)), SIZES)
def test_no_close_takes_a_product_beyond_zero(
    held: Held, named: Product | None, usual: Product | None, side: str | None, size: Mapping[str, Any]
) -> None:
    """What is of no known product counts for the usual one; with no usual one, for whichever is named."""
    found = amount(held, {"position_effect": "CLOSE", "product": named, "side": side, **size}, usual)
    if found.refusal is not None or found.problem is not None:
        return
    if found.product is None:
        assert set(held) <= {None} or not any(held.values()) or named is None
        return
    mine = held.get(found.product, D(0))
    unknown = held.get(None, D(0))
    if usual is None:
        others = [units for product, units in held.items() if product not in (None, found.product) and units * unknown < 0]
        unknown = max(unknown + sum(others), D(0)) if unknown > 0 else min(unknown + sum(others), D(0))
    has = mine + unknown if usual in (found.product, None) else mine
    assert found.quantity is not None
    assert found.side is (Side.SELL if has > 0 else Side.BUY)
    assert found.quantity <= abs(has)


@pytest.mark.parametrize(
    ("ours", "theirs", "named", "expected"),
    [
        ({None: 10, NRML: -6}, {CNC: 4}, CNC, (4, 0)),
        ({None: 10, NRML: -6}, {CNC: 1}, CNC, (4, -3)),
        ({None: 10, NRML: -12}, {}, CNC, (0, 0)),
        ({None: -10, NRML: 6}, {CNC: -4}, CNC, (-4, 0)),
        ({None: 10}, {CNC: 4, NRML: 6}, CNC, (4, 0)),
        ({None: 10, MIS: 2}, {None: 9}, MIS, (12, -3)),
    ],
)
def test_what_is_of_no_known_product_goes_with_what_is_closed_under_any(
    ours: dict[Any, int], theirs: dict[Any, int], named: Product, expected: tuple[int, int]
) -> None:
    """Where there is no usual product. `expected`: what is held under `named`, and how much less the broker has."""
    held = {name: D(units) for name, units in ours.items()}
    standing = Standing("trend", Stake(total(held.values())), Exposure(total(held.values())), parts=parts_of(held))
    heard = standing.hearing({name: D(units) for name, units in theirs.items()}).under(named, None)
    assert (heard.own.quantity, heard.heard_difference) == tuple(map(D, expected))


def test_a_close_without_a_side_is_of_what_is_held_whatever_its_sign() -> None:
    chosen = product_to_close(None, None, parts_of({MIS: D(-3)}), CNC, "trend", "RELIANCE")
    assert chosen is MIS
    refused = product_to_close(None, None, parts_of({MIS: D(-3), None: D(4)}), CNC, "trend", "RELIANCE")
    assert isinstance(refused, RiskRefusal)
    assert "4 under CNC, -3 under MIS" in refused.message


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({MIS: 10}, {MIS: 10}, {}),
        ({MIS: 10}, {CNC: 10}, {MIS: -10, CNC: 10}),
        ({MIS: 10, CNC: -10}, {}, {MIS: -10, CNC: 10}),
        ({}, {MIS: 10, CNC: -10}, {MIS: 10, CNC: -10}),
        ({MIS: 10}, {None: 10}, {}),
        ({None: 10}, {MIS: 10}, {}),
        ({None: D("0.01")}, {}, {}),
        ({None: 10, MIS: 4}, {MIS: 4, CNC: 10}, {}),
        ({None: 10}, {MIS: 20, CNC: -10}, {MIS: 20, CNC: -10, None: -10}),
        ({MIS: 10}, {MIS: 4}, {MIS: -6}),
    ],
)
def test_differences_by_product(ours: dict[Any, int], theirs: dict[Any, int], expected: dict[Any, int]) -> None:
    found = product_differences({name: D(units) for name, units in ours.items()}, {name: D(theirs[name]) for name in theirs})
    assert found == {name: D(units) for name, units in expected.items()}


def test_which_product_is_adopted_and_transferred() -> None:
    assert product_adopted({}, {}, D(3)) is None
    assert product_adopted({}, {None: D(3)}, D(3)) is None
    assert product_adopted({}, {MIS: D(5)}, D(3)) is MIS
    assert product_adopted({MIS: D(5)}, {MIS: D(5), CNC: D(3)}, D(3)) is CNC
    with pytest.raises(InvalidInput, match="name the product"):
        product_adopted({}, {MIS: D(3), CNC: D(3)}, D(3))
    assert product_transferred({None: D(5)}, D(5), None, "trend") is None
    assert product_transferred({MIS: D(-5), CNC: D(1)}, D(-2), MIS, "trend") is MIS
    with pytest.raises(InvalidInput, match="not 2 under MIS"):
        product_transferred({MIS: D(-5)}, D(2), MIS, "trend")


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({None: 10}, {MIS: 10}, {MIS: 10}),
        ({None: 10}, {MIS: 4}, {MIS: 10}),
        ({None: 10, MIS: -10}, {}, {MIS: 0}),
        ({None: 10, MIS: 2}, {MIS: 2, NRML: 10}, {MIS: 2, NRML: 10}),
        ({None: -10, CNC: 2}, {CNC: 2, MIS: -10}, {CNC: 2, MIS: -10}),
        ({None: 10}, {MIS: 6, NRML: 4}, {MIS: 6, NRML: 4}),
        ({None: 10}, {MIS: 6, NRML: 5}, {None: 10}),
        ({None: 10}, {MIS: -10}, {None: 10}),
        ({None: 10}, {None: 10}, {}),
        ({None: 10}, {}, {}),
    ],
)
def test_what_is_of_no_known_product_is_where_the_broker_has_more_than_we(
    ours: dict[Any, int], theirs: dict[Any, int], expected: dict[Any, int]
) -> None:
    """{}: a position is kept over all products, as far as is known."""
    held = {name: D(units) for name, units in ours.items()}
    parts = parts_of(held) if len(held) > 1 else {}
    standing = Standing("trend", Stake(total(held.values())), Exposure(total(held.values())), parts=parts)
    heard = standing.hearing({name: D(units) for name, units in theirs.items()})
    found = {name: part.own.quantity for name, part in heard.parts.items() if part.own.quantity or name in expected}
    assert found == {name: D(units) for name, units in expected.items()}
