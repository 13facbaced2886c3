"""Administrative requests of a test or operator. They meet no fault and no latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.faults import Fault
from liveorder.testing.venue.gateway import VenueGateway
from liveorder.testing.venue.numbers import Price, Quantity, Seconds
from liveorder.testing.venue.orders import NewOrder, ReplacedTerms
from liveorder.testing.venue.verbs import answered, faults_in, submit

PREFIX = "admin."

_R = TypeVar("_R", bound=BaseModel)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _LayFault(_Request):
    fault: Fault


class _DropStreams(_Request):
    account: str | None = None
    seconds: Seconds = 0.0


class _PostPrice(_Request):
    instrument: str
    price: Price


class _Fill(_Request):
    broker_order_id: str
    quantity: Quantity
    price: Price


class _Bust(_Request):
    execution_id: str


class _Correct(_Request):
    execution_id: str
    quantity: Quantity
    price: Price


class _Close(_Request):
    broker_order_id: str
    cause: Literal["BY_BROKER", "DONE_FOR_DAY", "EXPIRED"]
    reason: str = ""


class _Restate(_Request):
    broker_order_id: str
    terms: ReplacedTerms
    reason: str = ""


class _Split(_Request):
    broker_order_id: str
    ratio: Quantity


class _ByKey(_Request):
    client_order_id: str


class _OfAccount(_Request):
    account: str | None = None


def administer(gateway: VenueGateway, verb: str, request: Message) -> Message:
    """Perform one request whose verb starts with ``admin.``. Returns its answer, or ``{"error": ..., "message": ...}``."""
    found = _ACTS.get(verb.removeprefix(PREFIX))
    if found is None:
        return {"error": RefusalCode.MALFORMED.value, "message": f"admin verbs are {', '.join(_ACTS)}"}
    kind, act = found
    answer = answered(lambda _, fields: act(gateway, _read(kind, fields)), gateway.venue, request)
    gateway.advance(gateway.venue.now)
    return answer


def _read(kind: type[_R], fields: Message) -> _R:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise VenueRefusal(RefusalCode.MALFORMED, faults_in(error)) from error


def _lay(gateway: VenueGateway, request: _LayFault) -> Message:
    gateway.faults.lay(request.fault)
    return {}


def _clear_faults(gateway: VenueGateway, _: _Request) -> Message:
    gateway.faults.clear()
    return {}


def _release(gateway: VenueGateway, _: _Request) -> Message:
    return {"released": gateway.release()}


def _drop_streams(gateway: VenueGateway, request: _DropStreams) -> Message:
    gateway.reports.drop(request.account, request.seconds)
    return {}


def _price(gateway: VenueGateway, request: _PostPrice) -> Message:
    gateway.venue.post_price(request.instrument, request.price)
    return {}


def _submit(gateway: VenueGateway, request: NewOrder) -> Message:
    """An order placed elsewhere, without a client key."""
    return submit(gateway.venue, request)


def _fill(gateway: VenueGateway, request: _Fill) -> Message:
    order_id, now = request.broker_order_id, gateway.venue.now
    return {"execution_id": gateway.venue.staff.fill(order_id, request.quantity, request.price, now)}


def _bust(gateway: VenueGateway, request: _Bust) -> Message:
    gateway.venue.staff.bust(request.execution_id, gateway.venue.now)
    return {}


def _correct(gateway: VenueGateway, request: _Correct) -> Message:
    execution_id, now = request.execution_id, gateway.venue.now
    return {"execution_id": gateway.venue.staff.correct(execution_id, request.quantity, request.price, now)}


def _close(gateway: VenueGateway, request: _Close) -> Message:
    gateway.venue.staff.close(request.broker_order_id, request.cause, request.reason, gateway.venue.now)
    return {}


def _restate(gateway: VenueGateway, request: _Restate) -> Message:
    gateway.venue.staff.restate(request.broker_order_id, request.terms, request.reason, gateway.venue.now)
    return {}


def _split(gateway: VenueGateway, request: _Split) -> Message:
    gateway.venue.staff.split(request.broker_order_id, request.ratio, gateway.venue.now)
    return {}


def _orders_by_key(gateway: VenueGateway, request: _ByKey) -> Message:
    return {"orders": gateway.venue.questions.orders_by_key(request.client_order_id, gateway.venue.now)}


def _orders(gateway: VenueGateway, request: _OfAccount) -> Message:
    return {"orders": gateway.venue.questions.orders(gateway.venue.now, request.account)}


def _time(gateway: VenueGateway, _: _Request) -> Message:
    return {"now": gateway.venue.now.isoformat()}


_Act: TypeAlias = tuple[type[BaseModel], Callable[[VenueGateway, Any], Message]]

_ACTS: Mapping[str, _Act] = {
    "fault": (_LayFault, _lay),
    "clear_faults": (_Request, _clear_faults),
    "release": (_Request, _release),
    "drop_streams": (_DropStreams, _drop_streams),
    "price": (_PostPrice, _price),
    "submit": (NewOrder, _submit),
    "fill": (_Fill, _fill),
    "bust": (_Bust, _bust),
    "correct": (_Correct, _correct),
    "close": (_Close, _close),
    "restate": (_Restate, _restate),
    "split": (_Split, _split),
    "orders_by_key": (_ByKey, _orders_by_key),
    "orders": (_OfAccount, _orders),
    "time": (_Request, _time),
}
"""Each verb with the model of its request."""
