"""What is so of an order type stands in one table; nothing else in `src` lists types to tell them apart."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveorder.domain.values import ORDER_TYPE_TRAITS, OrderType

SRC = Path(__file__).resolve().parents[2] / "src"
MAY_LIST_TYPES = (
    "domain/values.py",
    "infrastructure/brokers/alpaca",
    "infrastructure/brokers/ibkr",
    "infrastructure/brokers/kite",
)
"""The table, and what says the same in a broker's words or knows which types a broker takes."""
MAY_DECLARE = {"domain/broker_capabilities.py"}
"""Holds the default of `BrokerCapabilities.order_types`, which is asked by name."""
MODULES = sorted(path for path in SRC.rglob("*.py") if not path.relative_to(SRC).as_posix().startswith(MAY_LIST_TYPES))


def module_id(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


@pytest.mark.parametrize("kind", OrderType)
def test_every_order_type_has_its_traits(kind: OrderType) -> None:
    assert kind.traits is ORDER_TYPE_TRAITS[kind]


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_a_module_asks_the_table_and_lists_no_types(path: Path) -> None:
    found = [f"{path.name}:{line}" for line in type_tests(path.read_text())]
    assert found == [] or module_id(path) in MAY_DECLARE, f"{found}: add a trait to `OrderTypeTraits` and ask for that"


@pytest.mark.parametrize(
    "source",
    [
        "kind is OrderType.MARKET",
        "kind != OrderType.MARKET",
        "OrderType.MARKET == kind",
        "kind is values.OrderType.MARKET",
        "kind in (OrderType.MARKET, OrderType.LIMIT)",
        "kind not in {OrderType.MARKET}",
        "PLAIN = frozenset([OrderType.MARKET, OrderType.LIMIT])",
        "SECONDS = {OrderType.MARKET: 60}",
        "match kind:\n    case OrderType.MARKET:\n        pass",
    ],
)
def test_what_tells_types_apart_is_seen(source: str) -> None:
    assert list(type_tests(source)) != []


@pytest.mark.parametrize("source", ["kind = OrderType.MARKET", "OrderType.MARKET in can.order_types", "kind.traits.is_stop"])
def test_what_names_a_type_or_asks_is_let_be(source: str) -> None:
    assert list(type_tests(source)) == []


def type_tests(source: str) -> Iterator[int]:
    """The lines that compare with an order type, or list order types to look one up."""
    for node in ast.walk(ast.parse(source)):
        if any(is_order_type(each) for each in looked_up_in(node)):
            yield getattr(node, "lineno", 0)


def looked_up_in(node: ast.AST) -> list[ast.expr | None]:
    match node:
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return []
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return list(elements)
        case ast.Dict(keys=keys):
            return list(keys)
        case ast.MatchValue(value=value):
            return [value]
    return []


def is_order_type(node: ast.expr | None) -> bool:
    """`OrderType.MARKET`, however the class was imported."""
    if not isinstance(node, ast.Attribute) or node.attr not in OrderType.__members__:
        return False
    of = node.value
    return (isinstance(of, ast.Name) and of.id == "OrderType") or (isinstance(of, ast.Attribute) and of.attr == "OrderType")
