"""The JSON Schema of a signal, for those who write signals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from liveorder.application.reporting.docstrings import attribute_docstrings
from liveorder.domain.signal import SIZES, Signal
from liveorder.domain.signal_names import SYNONYMS
from liveorder.domain.values import OrderRole, OrderType, PositionEffect, TimeInForce

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def signal_json_schema() -> dict[str, Any]:
    """What `Signal.parse` accepts, as JSON Schema 2020-12: fields, synonyms, words in any case, and which fields go together.

    Not sayable in it: the bounds on digits, 64 KiB a line, no repeated keys, no invisible characters.
    """
    schema = Signal.model_json_schema()
    return {
        "$schema": _DIALECT,
        "title": "Signal",
        "description": "What a strategy wants: one signal, at most one order. null is the same as absent.",
        "type": "object",
        "properties": _properties(schema),
        "additionalProperties": False,
        "allOf": _rules(),
        "$defs": {name: _in_any_case(words) for name, words in schema["$defs"].items()},
    }


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    meant = attribute_docstrings(Signal)
    described = {name: _described(field, meant.get(name)) for name, field in schema["properties"].items()}
    properties = {name: _nullable(name, field) for name, field in described.items()}
    return properties | {synonym: properties[name] for synonym, name in SYNONYMS.items()}


def _described(field: dict[str, Any], meant: str | None) -> dict[str, Any]:
    """With its keys in the order of pydantic's."""
    return field if meant is None else dict(sorted({**field, "description": meant}.items()))


def _nullable(name: str, field: dict[str, Any]) -> dict[str, Any]:
    kept = _in_any_case({key: value for key, value in field.items() if key not in ("title", "default")})
    if "anyOf" in kept:
        kept["anyOf"] = [_in_any_case(each) for each in kept["anyOf"]]
    if {"type": "null"} in kept.get("anyOf", ()):
        return kept
    return {"anyOf": [kept, {"type": "null"}]}


def _in_any_case(schema: dict[str, Any]) -> dict[str, Any]:
    """Of words, as they are and in any letter case; anything else as it is."""
    words = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if not words:
        return schema
    others = {key: value for key, value in schema.items() if key not in ("enum", "const", "title", "type")}
    return others | {"anyOf": [{"enum": words}, {"type": "string", "pattern": _any_case_of(words)}]}


def _any_case_of(words: Sequence[str]) -> str:
    """JSON Schema's patterns have no switch for it."""
    spelled = ("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word) for word in words)
    return f"^({'|'.join(spelled)})$"


def _rules() -> list[dict[str, Any]]:
    return [
        {"anyOf": [*_by_any_name("side"), *_NEEDS_NO_SIDE]},
        {"anyOf": _by_any_name("symbol")},
        *(_at_most_one(*pair) for name in sorted({*SYNONYMS.values()}) for pair in combinations(_names_of(name), 2)),
        {"anyOf": [_given("signal_id"), _given("timestamp")]},
        *(
            _at_most_one(one, other)
            for pair in combinations(SIZES, 2)
            for one in _names_of(pair[0])
            for other in _names_of(pair[1])
        ),
        *_rules_of_effects(),
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


def _rules_of_effects() -> list[dict[str, Any]]:
    closing = [_says("position_effect", PositionEffect.CLOSE), _says("role", *_EXITS)]
    return [
        {"if": _says("position_effect", PositionEffect.OPEN), "then": {"not": _says("role", *_EXITS)}},
        {"if": {"anyOf": _TARGETS}, "then": {"not": {"anyOf": [_given("position_effect"), _says("role", *_EXITS)]}}},
        {"if": _given("percent"), "then": {"anyOf": [_says("position_effect", PositionEffect.OPEN), *closing]}},
        {"if": _given("risk_percent"), "then": {"allOf": [_given("stop_loss"), {"not": {"anyOf": closing}}]}},
    ]


def _names_of(field: str) -> list[str]:
    return [field, *(synonym for synonym, name in SYNONYMS.items() if name == field)]


def _by_any_name(field: str) -> list[dict[str, Any]]:
    return [_given(name) for name in _names_of(field)]


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _says(name: str, *values: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: _in_any_case({"enum": list(values)})}}


def _none_of(*names: str) -> dict[str, Any]:
    return {"properties": {name: {"type": "null"} for name in names}}


def _exactly_one(*names: str) -> dict[str, Any]:
    return {"oneOf": [_given(name) for name in names]}


def _at_most_one(*names: str) -> dict[str, Any]:
    return {"not": {"allOf": [_given(name) for name in names]}}


def _belongs_to(field: str, *types: OrderType) -> dict[str, Any]:
    return {"if": _says("order_type", *types), "then": _given(field), "else": _none_of(field)}


_EXITS = tuple(role for role in OrderRole if role is not OrderRole.ENTRY)
_TARGETS = [_given("target_quantity"), _given("target_percent")]
_NEEDS_NO_SIDE = [*_TARGETS, _says("position_effect", PositionEffect.CLOSE), _says("role", *_EXITS)]
