"""Requests of the test or the operator who runs the venue. They meet no fault and no latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from liveorder.infrastructure.brokers.simulated.venue.faults import Fault
from liveorder.infrastructure.brokers.simulated.venue.gateway import Gateway
from liveorder.infrastructure.brokers.simulated.venue.messages import Message
from liveorder.infrastructure.brokers.simulated.venue.orders import NewTerms
from liveorder.infrastructure.brokers.simulated.venue.refusal import RefusalCode, Refused
from liveorder.infrastructure.brokers.simulated.venue.verbs import answered, submit

PREFIX = "admin."


def administer(gateway: Gateway, verb: str, request: Message) -> Message:
    """Performs one request whose verb starts with ``admin.``; its answer, or ``{"error": ..., "message": ...}``."""
    act = _ACTS.get(verb.removeprefix(PREFIX))
    if act is None:
        return {"error": RefusalCode.MALFORMED.value, "message": f"admin verbs are {', '.join(_ACTS)}"}
    answer = answered(lambda _, fields: act(gateway, fields), gateway.venue, request)
    gateway.advance(gateway.venue.now)
    return answer


def _fault(gateway: Gateway, request: Message) -> Message:
    try:
        gateway.faults.lay(Fault.model_validate(request["fault"]))
    except ValidationError as error:
        raise Refused(RefusalCode.MALFORMED, str(error)) from error
    return {}


def _clear_faults(gateway: Gateway, _: Message) -> Message:
    gateway.faults.clear()
    return {}


def _release(gateway: Gateway, _: Message) -> Message:
    return {"released": gateway.release()}


def _drop_streams(gateway: Gateway, request: Message) -> Message:
    gateway.reports.drop(request.get("account"), float(request.get("seconds", 0)))
    return {}


def _price(gateway: Gateway, request: Message) -> Message:
    gateway.venue.post_price(request["instrument"], Decimal(request["price"]))
    return {}


def _submit(gateway: Gateway, request: Message) -> Message:
    """An order placed by other means, without a client key."""
    return submit(gateway.venue, request)


def _fill(gateway: Gateway, request: Message) -> Message:
    quantity, price = Decimal(request["quantity"]), Decimal(request["price"])
    return {"execution_id": gateway.venue.staff.fill(request["broker_order_id"], quantity, price, gateway.venue.now)}


def _bust(gateway: Gateway, request: Message) -> Message:
    gateway.venue.staff.bust(request["execution_id"], gateway.venue.now)
    return {}


def _correct(gateway: Gateway, request: Message) -> Message:
    quantity, price = Decimal(request["quantity"]), Decimal(request["price"])
    return {"execution_id": gateway.venue.staff.correct(request["execution_id"], quantity, price, gateway.venue.now)}


def _close(gateway: Gateway, request: Message) -> Message:
    gateway.venue.staff.close(request["broker_order_id"], request["cause"], request.get("reason", ""), gateway.venue.now)
    return {}


def _restate(gateway: Gateway, request: Message) -> Message:
    terms = NewTerms.model_validate(request["terms"])
    gateway.venue.staff.restate(request["broker_order_id"], terms, request.get("reason", ""), gateway.venue.now)
    return {}


def _split(gateway: Gateway, request: Message) -> Message:
    gateway.venue.staff.split(request["broker_order_id"], Decimal(request["ratio"]), gateway.venue.now)
    return {}


def _orders_by_key(gateway: Gateway, request: Message) -> Message:
    return {"orders": gateway.venue.questions.orders_by_key(request["client_order_id"], gateway.venue.now)}


def _orders(gateway: Gateway, request: Message) -> Message:
    return {"orders": gateway.venue.questions.orders(gateway.venue.now, request.get("account"))}


def _time(gateway: Gateway, _: Message) -> Message:
    now: datetime = gateway.venue.now
    return {"now": now.isoformat()}


_ACTS: Mapping[str, Callable[[Gateway, Message], Message]] = {
    "fault": _fault,
    "clear_faults": _clear_faults,
    "release": _release,
    "drop_streams": _drop_streams,
    "price": _price,
    "submit": _submit,
    "fill": _fill,
    "bust": _bust,
    "correct": _correct,
    "close": _close,
    "restate": _restate,
    "split": _split,
    "orders_by_key": _orders_by_key,
    "orders": _orders,
    "time": _time,
}
