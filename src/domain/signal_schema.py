"""The JSON Schema of a signal, for those who write signals."""

from __future__ import annotations

from typing import Any

from liveorder.domain.signal import SYNONYMS, Signal
from liveorder.domain.values import OrderType, TimeInForce

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def signal_json_schema() -> dict[str, Any]:
    """What `Signal.parse` accepts, as JSON Schema 2020-12: fields, synonyms, and which fields go together.

    Not sayable in it: the bounds on digits, 64 KiB a line, no repeated keys, no invisible characters.
    """
    schema = Signal.model_json_schema()
    return {
        "$schema": _DIALECT,
        "title": "Signal",
        "description": "What a strategy wants: one signal, at most one order. null is the same as absent.",
        "type": "object",
        "properties": _properties(schema),
        "required": ["symbol"],
        "additionalProperties": False,
        "allOf": _rules(),
        "$defs": schema["$defs"],
    }


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _nullable(name, field) for name, field in schema["properties"].items()}
    return properties | {synonym: properties[name] for synonym, name in SYNONYMS.items()}


def _nullable(name: str, field: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in field.items() if key not in ("title", "default")}
    if name == "symbol" or {"type": "null"} in kept.get("anyOf", ()):
        return kept
    return {"anyOf": [kept, {"type": "null"}]}


def _rules() -> list[dict[str, Any]]:
    return [
        _exactly_one("side", "signal_type"),
        *(_at_most_one(synonym, name) for synonym, name in SYNONYMS.items() if name != "side"),
        {"anyOf": [_given("signal_id"), _given("timestamp")]},
        _at_most_one("quantity", "notional"),
        _belongs_to("limit_price", *(kind for kind in OrderType if kind.traits.needs_limit_price)),
        _belongs_to("stop_price", *(kind for kind in OrderType if kind.traits.needs_stop_price)),
        _belongs_to("limit_offset", *(kind for kind in OrderType if kind.traits.needs_limit_offset)),
        {
            "if": _says("order_type", *(kind for kind in OrderType if kind.traits.trails)),
            "then": _exactly_one("trail_amount", "trail_percent"),
            "else": _none_of("trail_amount", "trail_percent"),
        },
        {"if": _says("time_in_force", TimeInForce.GTD), "then": _given("expires_at"), "else": _none_of("expires_at")},
    ]


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _says(name: str, *values: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"enum": list(values)}}}


def _none_of(*names: str) -> dict[str, Any]:
    return {"properties": {name: {"type": "null"} for name in names}}


def _exactly_one(*names: str) -> dict[str, Any]:
    return {"oneOf": [_given(name) for name in names]}


def _at_most_one(*names: str) -> dict[str, Any]:
    return {"not": {"allOf": [_given(name) for name in names]}}


def _belongs_to(field: str, *types: OrderType) -> dict[str, Any]:
    return {"if": _says("order_type", *types), "then": _given(field), "else": _none_of(field)}
