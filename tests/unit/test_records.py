"""What a record refuses, made or read: `msgspec` by itself lets most of it pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.ports.broker import SubmitRequest
from liveorder.domain.events import Envelope
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.order.events import FillCorrected, Filled, OrderRequested, OutcomeDoubted, RequestKind, SubmissionStarted
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.record import InvalidRecord, Record
from liveorder.domain.values import OrderType, Side, TradingHours
from tests.builders import intent, submission

NOT_NUMBERS = [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")]
FILLED = Filled(execution_id="e", quantity=Decimal(1), price=Decimal(2))
TERMS = OrderTerms(side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1))
DOUBTED = OutcomeDoubted(request_id="r", kind=RequestKind.SUBMIT, error="e", message="m")
SPY = Instrument(symbol="SPY", exchange="ARCA")
ENVELOPE = Envelope(event_id=UUID(int=1), actor="engine", epoch=1, correlation_id="", recorded_at=datetime(2026, 3, 2, tzinfo=UTC))

WRONG: list[tuple[Record, str, Any]] = [
    *((FILLED, "quantity", number) for number in NOT_NUMBERS),
    *((FILLED, "price", number) for number in NOT_NUMBERS),
    *((FILLED, "commission", number) for number in NOT_NUMBERS),
    *((TERMS, "stop_loss", number) for number in NOT_NUMBERS),
    *((SPY, "strike", number) for number in NOT_NUMBERS),
    (FILLED, "quantity", Decimal(0)),
    (FILLED, "quantity", Decimal(-1)),
    (TERMS, "quantity", Decimal("-0")),
    (SPY, "tick_size", Decimal(0)),
    (SPY, "price_magnifier", Decimal(0)),
    (FillCorrected(execution_id="c", corrects="e", quantity=Decimal(0), price=Decimal(2)), "quantity", Decimal(-1)),
    (FILLED, "quantity", True),
    (FILLED, "quantity", None),
    (DOUBTED, "kind", "MOOD"),
    (TERMS, "side", "buy"),
    (FILLED, "execution_id", 5),
    (FILLED, "filled_at", 1_700_000_000),
    (ENVELOPE, "epoch", "1"),
    (ENVELOPE, "epoch", 1.5),
    (ENVELOPE, "event_id", "not an id"),
    (ENVELOPE, "recorded_at", "yesterday"),
    (TERMS, "tags", (1,)),
    (TERMS, "tags", "abc"),
    (TERMS, "timeout_seconds", float("nan")),
    (TERMS, "timeout_seconds", float("inf")),
    (TERMS, "is_shadow", 1),
    (submission(), "reference", {"id": 5}),
    (submission(), "session_date", "2026-13-01"),
    (SPY, "tick_rules", ({"from_price": "1", "tick_size": "0"},)),
]


def said(value: Any) -> str:
    return f"{value!r}"


@pytest.mark.parametrize(("record", "name", "value"), WRONG, ids=said)
def test_what_is_wrong_is_not_made(record: Record, name: str, value: Any) -> None:
    with pytest.raises(InvalidRecord):
        record.but(**{name: value})


@pytest.mark.parametrize(("record", "name", "value"), WRONG, ids=said)
def test_what_is_wrong_is_not_read(record: Record, name: str, value: Any) -> None:
    raw = json.dumps(record.to_dict() | {name: value}, default=str)
    with pytest.raises(InvalidRecord):
        type(record).from_json(raw)


@pytest.mark.parametrize("number", [1.5, 1.0, float("nan")])
def test_a_binary_float_is_no_number(number: float) -> None:
    """In JSON a number is exact digits; here it is not."""
    with pytest.raises(InvalidRecord, match="quantity"):
        FILLED.but(quantity=number)


@pytest.mark.parametrize("record", [FILLED, TERMS, DOUBTED, SPY, ENVELOPE, intent()], ids=lambda record: type(record).__name__)
def test_an_unknown_field_is_refused(record: Record) -> None:
    with pytest.raises(InvalidRecord, match="mood"):
        type(record).from_json(json.dumps(record.to_dict() | {"mood": "good"}))
    with pytest.raises(TypeError, match="mood"):
        record.but(mood="good")


@pytest.mark.parametrize("record", [FILLED, TERMS, DOUBTED, SPY, ENVELOPE, intent()], ids=lambda record: type(record).__name__)
def test_a_field_that_is_needed_is_missed(record: Record) -> None:
    needed = next(iter(record.to_dict()))
    with pytest.raises(InvalidRecord, match=needed):
        type(record).from_json(json.dumps({name: value for name, value in record.to_dict().items() if name != needed}))


def test_fields_are_given_by_name_and_stay() -> None:
    with pytest.raises(TypeError):
        Filled("e", Decimal(1), Decimal(2))  # type: ignore[call-arg]  # what is tested
    with pytest.raises(AttributeError):
        FILLED.price = Decimal(3)  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("raw", ["", "[]", "null", '{"execution_id":"e"', b"\xff"])
def test_what_is_no_record_is_refused(raw: str | bytes) -> None:
    with pytest.raises(InvalidRecord):
        Filled.from_json(raw)


@pytest.mark.parametrize(
    ("made", "plain"),
    [
        (lambda: TERMS.but(side="SELL", quantity=3), TERMS.but(side=Side.SELL, quantity=Decimal(3))),
        (lambda: TERMS.but(timeout_seconds=30), TERMS.but(timeout_seconds=30.0)),
        (lambda: TERMS.but(protection=Side.SELL), TERMS.but(protection="SELL")),
        (lambda: submission().but(reference=MappingProxyType({"id": "5"})), submission().but(reference={"id": "5"})),
    ],
    ids=["words and whole numbers", "a whole number of seconds", "a word as text", "another mapping"],
)
def test_what_says_the_same_without_a_loss_is_made_plain(made: Callable[[], Record], plain: Record) -> None:
    assert made() == plain
    assert made().to_json() == plain.to_json()


def test_a_naive_time_is_taken_as_ever() -> None:
    """Nothing that liveorder makes is naive; what an earlier version stored must stay readable."""
    at = datetime(2026, 3, 2)  # noqa: DTZ001 - what is tested
    assert Filled.from_json(FILLED.but(filled_at=at).to_json()).filled_at == at


def test_a_record_in_a_record_is_checked_too() -> None:
    with pytest.raises(InvalidRecord, match="limit_price"):
        intent().with_terms(limit_price=Decimal("NaN"))
    with pytest.raises(InvalidRecord, match="instrument"):
        intent().but(instrument="SPY")
    with pytest.raises(InvalidRecord, match="quantity"):
        OrderRequested.from_json(json.dumps(intent().to_dict() | {"quantity": "NaN"}))


def test_what_is_flat_is_written_among_the_others_and_read_from_there() -> None:
    asked = intent()
    fields = list(asked.to_dict())
    assert fields.index("instrument") + 1 == fields.index("side")
    assert "terms" not in fields
    assert OrderRequested.from_json(asked.to_json()) == asked


def test_a_later_field_is_not_written_where_it_is_as_by_default() -> None:
    assert "hours" not in TERMS.to_dict()
    assert TERMS.but(hours=TradingHours.EXTENDED).to_dict()["hours"] == "extended"
    rule = TickRule(from_price=Decimal(1), tick_size=Decimal("0.05"))
    assert "tick_rules" not in SPY.to_dict()
    assert SPY.but(tick_rules=(rule,)).to_dict()["tick_rules"] == [{"from_price": "1", "tick_size": "0.05"}]


def test_a_request_is_its_terms() -> None:
    request = SubmitRequest.of(TERMS, "KEY", "U1", SPY)
    assert request.but(side=Side.SELL).side is Side.SELL
    with pytest.raises(InvalidRecord):
        request.but(quantity=Decimal(0))


def test_a_request_stays_as_it_was_stored() -> None:
    assert SubmissionStarted.from_dict(submission().to_dict()) == submission()


class ATime(datetime):
    """As `pandas.Timestamp` is one."""


class ANumber(Decimal):
    pass


class AnId(UUID):
    pass


def test_a_kind_derived_from_ours_is_taken_as_ours() -> None:
    """What a broker's library gives may be one, and a fill must not bounce for it."""
    at = ATime(2026, 3, 2, 14, 30, 5, 7, tzinfo=UTC)
    filled = Filled(execution_id="e", quantity=ANumber("1.50"), price=Decimal(2), filled_at=at)
    assert filled == Filled(
        execution_id="e", quantity=Decimal("1.50"), price=Decimal(2), filled_at=datetime(2026, 3, 2, 14, 30, 5, 7, tzinfo=UTC)
    )
    assert (type(filled.filled_at), type(filled.quantity)) == (datetime, Decimal)
    assert type(ENVELOPE.but(event_id=AnId(int=2)).event_id) is UUID
    assert Filled.from_json(filled.to_json()) == filled
    with pytest.raises(InvalidRecord, match="quantity"):
        FILLED.but(quantity=ANumber("NaN"))
    with pytest.raises(InvalidRecord, match="quantity"):
        FILLED.but(quantity=ANumber(0))
