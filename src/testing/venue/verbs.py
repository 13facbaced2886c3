"""The venue's requests, each from its JSON fields to its JSON answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from pydantic import ValidationError

from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.faults import Point
from liveorder.testing.venue.orders import NewOrder, ReplacedTerms
from liveorder.testing.venue.venue import Venue

Verb: TypeAlias = Callable[[Venue, Message], Message]


def perform(venue: Venue, point: Point, request: Message) -> Message:
    return answered(_VERBS[point], venue, request)


def answered(verb: Verb, venue: Venue, request: Message) -> Message:
    """The verb's answer, or ``{"error": code, "message": ...}``."""
    try:
        return verb(venue, request)
    except VenueRefusal as refused:
        return {"error": refused.code.value, "message": refused.message}
    except ValidationError as error:
        return {"error": RefusalCode.INVALID_ORDER.value, "message": faults_in(error)}
    except (KeyError, ValueError, TypeError) as error:
        return {"error": RefusalCode.MALFORMED.value, "message": repr(error)}


def faults_in(error: ValidationError) -> str:
    """Each invalid field, and why."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())


def submit(venue: Venue, placed: NewOrder) -> Message:
    order = venue.submit(placed)
    return {"order": venue.questions.shown(order, venue.now)}


def _cancel(venue: Venue, request: Message) -> Message:
    order = venue.cancel(request["account"], request.get("client_order_id"), request.get("broker_order_id"))
    return {"order": venue.questions.shown(order, venue.now)}


def _replace(venue: Venue, request: Message) -> Message:
    account, key, broker_order_id = request["account"], request.get("client_order_id"), request.get("broker_order_id")
    terms = ReplacedTerms.model_validate(request["terms"])
    order = venue.replace(account, key, broker_order_id, terms)
    return {"order": venue.questions.shown(order, venue.now)}


def _find(venue: Venue, request: Message) -> Message:
    key, broker_order_id = request.get("client_order_id"), request.get("broker_order_id")
    return venue.questions.find(request["account"], key, broker_order_id, venue.now)


_VERBS: dict[Point, Verb] = {
    Point.CONNECT: lambda venue, request: venue.questions.account(request["account"], venue.now),
    Point.SUBMIT: lambda venue, request: submit(venue, NewOrder.model_validate(request)),
    Point.CANCEL: _cancel,
    Point.REPLACE: _replace,
    Point.FIND: _find,
    Point.OPEN_ORDERS: lambda venue, request: venue.questions.open_orders(request["account"], venue.now),
    Point.EXECUTIONS: lambda venue, request: venue.questions.executions_since(
        request["account"], datetime.fromisoformat(request["since"])
    ),
    Point.POSITIONS: lambda venue, request: venue.questions.positions(request["account"], venue.now),
    Point.ACCOUNT: lambda venue, request: venue.questions.account(request["account"], venue.now),
    Point.QUOTE: lambda venue, request: venue.questions.quote(request["instrument"], venue.now),
}
