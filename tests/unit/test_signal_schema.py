import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.intake.signal_schema import signal_json_schema
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.values import OrderRole, OrderType, PositionEffect
from tests.unit.test_signal import WITH_ID, WITHOUT_ID, line

SCHEMA = signal_json_schema()


def test_the_schema_is_json() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("raw", [WITH_ID, WITHOUT_ID])
def test_both_shapes_of_the_issue_fit_the_schema(raw: str) -> None:
    assert fits(json.loads(raw))


@pytest.mark.parametrize(
    "raw",
    [
        line(order_type="LIMIT", limit_price="230.05", time_in_force="GTD", expires_at="2025-03-10T09:20:00Z"),
        line(order_type="STOP_LIMIT", limit_price=-1.5, stop_price=2),
        line(order_type="TRAILING_STOP", trail_percent=1.5, tags=["a", "b"]),
        line(order_type="TRAILING_STOP_LIMIT", trail_amount=1, limit_offset="0.5", hours="extended"),
        line(order_type="TRAILING_STOP_LIMIT", trail_amount=1),
        line(order_type="LIMIT_IF_TOUCHED", stop_price=1, limit_price=1),
        line(order_type="MARKET_IF_TOUCHED", stop_price=1, limit_price=1),
        line(order_type="MARKET_TO_LIMIT"),
        line(limit_offset=1),
        line(hours="EXTENDED"),
        line(trading_class="SPXW", multiplier=100, con_id=265598),
        line(con_id=0),
        line(con_id="265598"),
        line(multiplier=0),
        line(notional="1e3", currency="INR", quantity=None, order_type=None),
        line(asset_class="OPTION", expiry="2025-03-27", strike=22000, right="CALL", timeout_seconds=2.5),
        line(order_type="LIMIT"),
        line(limit_price=1),
        line(stop_price=1),
        line(order_type="STOP_LIMIT", limit_price=1),
        line(order_type="TRAILING_STOP", trail_percent=1, trail_amount=1),
        line(trail_amount=1),
        line(time_in_force="GTD"),
        line(expires_at="2025-03-10T09:20:00Z"),
        line(quantity=1, notional=1),
        line(percent=50),
        line(percent=50, position_effect="OPEN"),
        line(percent=100, role="STOP_LOSS"),
        line(percent=101, position_effect="CLOSE"),
        line(risk_percent=1),
        line(risk_percent=1, stop_loss=290),
        line(risk_percent=1, stop_loss=290, position_effect="CLOSE"),
        line(target_quantity=-5, side=None),
        line(target_quantity=0),
        line(target_quantity=5, target_percent=5),
        line(target_percent="-33.3"),
        line(target_percent=-101),
        line(target_percent=5, role="EXIT"),
        line(target_percent=5, position_effect="OPEN"),
        line(position_effect="CLOSE", side=None),
        line(role="EXIT", side=None),
        line(position_effect="OPEN", side=None),
        line(position_effect="OPEN", role="EXIT"),
        line(position_effect="CLOSE", role="TAKE_PROFIT"),
        line(quantity=0),
        line(quantity="0.0"),
        line(quantity=-1),
        line(quantity="ten"),
        line(quantity=True),
        line(trail_percent=100, order_type="TRAILING_STOP"),
        line(signal_type="BUY"),
        line(side="buy"),
        line(side="Buyy"),
        line(side=None, action="sell", quantity=None, contracts=3),
        line(side=None, action="sell", direction="sell"),
        line(contracts=3, quantity=3),
        line(contracts=3, notional=3),
        line(symbol=None, ticker="SPY"),
        line(ticker="SPY"),
        line(symbol_name="Spider"),
        line(order_type="limit", limit_price=1),
        line(order_type="Trailing_Stop"),
        line(time_in_force="gtd"),
        line(role="exit", side=None),
        line(position_effect="Close", percent=50),
        line(protection="EXTERNAL"),
        line(side=None, signal_type="SELL"),
        line(score=1, cms_score=1),
        line(symbol=" SPY"),
        line(symbol="S\nPY"),
        line(symbol=""),
        line(symbol=None),
        line(symbol="x" * 201),
        line(side=None),
        line(signal_id=None),
        line(signal_id=7),
        line(signal_id="turn:opens"),
        line(signal_id=":opens"),
        line(signal_id="flatten-2025-03-10-ARCA:SPY-1"),
        line(signal_id="flatten-SPY-1"),
        line(signal_id="to flatten-2025-03-10-1"),
        line(signal_id="adopted-order-7"),
        line(signal_id="adopted-position-7"),
        line(signal_id="adopted-7"),
        line(signal_id="turn:opens:again"),
        line(unknown=1),
        line(currency="usd"),
        line(tags="a"),
        line(tags=["a"] * 51),
    ],
)
def test_the_schema_accepts_what_the_parser_accepts(raw: str) -> None:
    assert fits(json.loads(raw)) is is_usable(raw)


@given(
    st.fixed_dictionaries(
        {"symbol": st.just("SPY"), "signal_id": st.just("s1")},
        optional={
            "side": st.sampled_from(["BUY", "buy", "bid", None]),
            "signal_type": st.sampled_from(["SELL", None]),
            "action": st.sampled_from(["Sell", None]),
            "contracts": st.sampled_from([2, 0, None]),
            "ticker": st.sampled_from(["SPY", None]),
            "order_type": st.sampled_from([*OrderType, None]),
            "time_in_force": st.sampled_from(["DAY", "GTD", None]),
            "expires_at": st.sampled_from(["2025-03-10T09:20:00Z", None]),
            "position_effect": st.sampled_from([*PositionEffect, None]),
            "role": st.sampled_from([*OrderRole, None]),
        }
        | {
            name: st.sampled_from([1, "2.50", 0, -1, None])
            for name in (
                "quantity",
                "notional",
                "percent",
                "risk_percent",
                "target_quantity",
                "target_percent",
                "stop_loss",
                "limit_price",
                "stop_price",
                "trail_amount",
                "trail_percent",
                "limit_offset",
                "cms_score",
                "score",
            )
        },
    )
)
def test_schema_and_parser_agree_on_every_combination(fields: dict[str, Any]) -> None:
    assert fits(fields) is is_usable(json.dumps(fields))


def is_usable(raw: str) -> bool:
    try:
        Signal.parse(raw)
    except UnusableSignal:
        return False
    return True


# --- the part of JSON Schema that the schema uses; a keyword that is not here fails the test ----------------------------------


def fits(value: Any, schema: dict[str, Any] = SCHEMA) -> bool:
    return all(KEYWORDS[keyword](value, argument, schema) for keyword, argument in schema.items() if keyword not in ANNOTATIONS)


ANNOTATIONS = {"$schema", "$defs", "title", "description", "format", "then", "else"}
TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def is_number(value: Any) -> bool:
    return TYPES["number"](value)


def has_type(value: Any, names: str | list[str], _: Any) -> bool:
    return any(TYPES[name](value) for name in ([names] if isinstance(names, str) else names))


def conditional(value: Any, condition: dict[str, Any], schema: dict[str, Any]) -> bool:
    return fits(value, schema["then"] if fits(value, condition) else schema.get("else", {}))


def only_known(value: Any, allowed: bool, schema: dict[str, Any]) -> bool:
    assert allowed is False
    return set(value) <= set(schema["properties"])


def at_definition(value: Any, reference: str, _: Any) -> bool:
    return fits(value, SCHEMA["$defs"][reference.removeprefix("#/$defs/")])


KEYWORDS: dict[str, Callable[[Any, Any, dict[str, Any]], bool]] = {
    "type": has_type,
    "enum": lambda value, values, _: value in values,
    "const": lambda value, constant, _: value == constant,
    "pattern": lambda value, pattern, _: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minLength": lambda value, length, _: not isinstance(value, str) or len(value) >= length,
    "maxLength": lambda value, length, _: not isinstance(value, str) or len(value) <= length,
    "maxItems": lambda value, length, _: not isinstance(value, list) or len(value) <= length,
    "items": lambda value, item, _: not isinstance(value, list) or all(fits(element, item) for element in value),
    "minimum": lambda value, bound, _: not is_number(value) or value >= bound,
    "maximum": lambda value, bound, _: not is_number(value) or value <= bound,
    "exclusiveMinimum": lambda value, bound, _: not is_number(value) or value > bound,
    "exclusiveMaximum": lambda value, bound, _: not is_number(value) or value < bound,
    "required": lambda value, names, _: all(name in value for name in names),
    "properties": lambda value, properties, _: all(fits(value[name], properties[name]) for name in properties if name in value),
    "additionalProperties": only_known,
    "anyOf": lambda value, schemas, _: any(fits(value, schema) for schema in schemas),
    "oneOf": lambda value, schemas, _: sum(fits(value, schema) for schema in schemas) == 1,
    "allOf": lambda value, schemas, _: all(fits(value, schema) for schema in schemas),
    "not": lambda value, schema, _: not fits(value, schema),
    "if": conditional,
    "$ref": at_definition,
}
