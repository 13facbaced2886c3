"""What follows from a refusal of the risk rules."""

from __future__ import annotations

import pytest

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import DecisionRefused
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import CancelReason
from liveorder.domain.risk import KILL_SWITCH, RiskRefusal, end_unwanted, is_refused_though_it_may_be_sent, refused_by
from liveorder.domain.signal import UnusableSignal
from tests.builders import ACKNOWLEDGED, FAILED, SENT, cancel_request, order_of

APPROVED = ev.Approved(figures={})
HALTED = RiskRefusal(KILL_SWITCH, "trading is halted", "*: enough", "no halt")
OFF, STALE, SHORT = RiskRefusal("auto_trading", "off"), RiskRefusal("stale_signal", "old"), RiskRefusal("short_selling", "0 held")


def test_a_refusal_is_recorded_with_what_it_measured() -> None:
    refused = refused_by(HALTED)
    assert (refused.reason, refused.code, refused.measured, refused.limit) == (
        ev.RejectReason.RISK,
        KILL_SWITCH,
        "*: enough",
        "no halt",
    )


@pytest.mark.parametrize(
    ("order", "refusal", "expected"),
    [
        (order_of(APPROVED), None, None),
        (order_of(APPROVED), HALTED, (CancelReason.HALTED, "before it was sent: trading is halted")),
        (order_of(APPROVED), OFF, (CancelReason.HALTED, "before it was sent: off")),
        (order_of(APPROVED), STALE, (CancelReason.STALE, "before it was sent: old")),
        (order_of(APPROVED, SENT, FAILED), STALE, (CancelReason.STALE, f"before it was sent: old; until then: {FAILED.message}")),
    ],
)
def test_an_approved_order_ends_unsent_where_it_is_not_wanted_any_more(
    order: LiveOrder, refusal: RiskRefusal | None, expected: tuple[CancelReason, str] | None
) -> None:
    found = [(event.reason, event.message) for event in end_unwanted(order, refusal) if isinstance(event, ev.Cancelled)]
    assert found == ([] if expected is None else [expected])


def test_a_cancel_that_was_asked_for_ends_it_whatever_the_rules_say_by_now() -> None:
    asked = order_of(APPROVED, SENT, cancel_request(), FAILED)
    for refusal in (None, STALE):
        (ended,) = end_unwanted(asked, refusal)
        assert isinstance(ended, ev.Cancelled)
        assert ended.reason is CancelReason.REQUESTED


def test_what_may_be_at_the_broker_is_never_ended_as_unsent() -> None:
    for order in (order_of(APPROVED, SENT), order_of(APPROVED, SENT, ACKNOWLEDGED)):
        with pytest.raises(DecisionRefused):
            end_unwanted(order, STALE)


# --- of a store that may have forgotten what it sent ---------------------------------------------------------------------------

SEARCHABLE, NONE = BrokerCapabilities(key_support=KeySupport.SEARCHABLE), BrokerCapabilities(key_support=KeySupport.NONE)


def is_refused(rules: list[RiskRefusal], can: BrokerCapabilities) -> bool:
    return is_refused_though_it_may_be_sent("sig", refused_by(rules[0]), rules, "simulated", can)


@pytest.mark.parametrize("can", [SEARCHABLE, NONE])
def test_what_only_a_halt_stops_begins_in_doubt(can: BrokerCapabilities) -> None:
    assert not is_refused([HALTED], can)


@pytest.mark.parametrize("rules", [[SHORT], [HALTED, SHORT]])
def test_what_more_than_a_halt_stops_is_asked_about_again_where_a_question_can_find_it(rules: list[RiskRefusal]) -> None:
    with pytest.raises(UnusableSignal) as waits:
        is_refused(rules, SEARCHABLE)
    assert waits.value.is_passing
    assert is_refused(rules, NONE)
