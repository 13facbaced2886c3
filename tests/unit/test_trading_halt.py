from datetime import UTC, datetime, timedelta

import pytest

from liveorder.domain.events import Event
from liveorder.domain.record import InvalidRecord
from liveorder.domain.trading_halt import (
    EVERYTHING,
    SUSPICION,
    AutoTradingSwitched,
    HaltReason,
    StandingHalts,
    TradingHalt,
    TradingHalted,
    TradingResumed,
    account_scope,
    connection_scope,
    halting_scopes,
    stopped_by,
)
from tests.builders import intent

KILLED = TradingHalted(scope=EVERYTHING, reason=HaltReason.KILL_SWITCH, detail="by asha")
RESTORED = TradingHalted(scope=EVERYTHING, reason=HaltReason.RESTORED_STORE, detail="from a backup")
TRIPPED = TradingHalted(scope="account:U1", reason=HaltReason.CIRCUIT_BREAKER, detail="5 failures")


class SomethingElse(Event):
    pass


def after(*events: Event) -> TradingHalt:
    return TradingHalt().evolve(events)


def test_a_new_store_is_not_halted_and_follows_the_setting() -> None:
    assert after().stands_for("U1") is None
    assert after().auto_trading is None


def test_a_halt_is_an_event() -> None:
    assert after().halt(EVERYTHING, HaltReason.KILL_SWITCH, "by asha") == [KILLED]


@pytest.mark.parametrize("reason", [reason for reason in HaltReason if reason is not HaltReason.RESTORED_STORE])
def test_a_scope_that_is_halted_is_not_halted_again(reason: HaltReason) -> None:
    assert after(KILLED).halt(EVERYTHING, reason, "again") == []
    assert after(RESTORED).halt(EVERYTHING, reason, "again") == []


def test_that_the_store_may_have_forgotten_something_outweighs_what_halted_it_before() -> None:
    (halted,) = after(KILLED).halt(EVERYTHING, HaltReason.RESTORED_STORE, "from a backup")
    assert (halted.reason, halted.detail) == (HaltReason.RESTORED_STORE, "from a backup; halted before: KILL_SWITCH by asha")
    assert after(KILLED, halted).stands_for("U1") == halted
    assert after(KILLED, halted).halt(EVERYTHING, HaltReason.RESTORED_STORE, "again") == []
    assert after(halted, KILLED).stands_for("U1") == halted
    assert after(KILLED, halted, TradingResumed(scope=EVERYTHING)).stands_for("U1") is None


def test_an_account_can_be_halted_while_everything_is() -> None:
    assert after(KILLED).halt(account_scope("U1"), HaltReason.CIRCUIT_BREAKER, "5 failures") == [TRIPPED]


def test_a_halt_of_everything_stands_for_every_account() -> None:
    assert after(KILLED).stands_for("U1") == KILLED
    assert after(TRIPPED, KILLED).stands_for("U1") == KILLED


def test_a_halt_of_one_account_stands_for_it_alone() -> None:
    assert after(TRIPPED).stands_for("U1") == TRIPPED
    assert after(TRIPPED).stands_for("U2") is None


def test_no_account_id_is_taken_for_everything() -> None:
    assert after(TradingHalted(scope=account_scope("*"), reason=HaltReason.BROKER_AUTH)).stands_for("U1") is None


def test_resuming_lifts_the_halt_of_exactly_that_scope() -> None:
    halted = after(KILLED, TRIPPED)
    resumed = halted.evolve(halted.resume(EVERYTHING, "by asha"))
    assert resumed.stands_for("U2") is None
    assert resumed.stands_for("U1") == TRIPPED


def test_resuming_what_is_not_halted_is_no_event() -> None:
    assert after(TRIPPED).resume(EVERYTHING, "by asha") == []
    assert after(TRIPPED).resume("account:U1", "by asha") == [TradingResumed(scope="account:U1", detail="by asha")]


def test_the_first_reason_of_a_halt_is_the_one_that_is_kept() -> None:
    again = TradingHalted(scope=EVERYTHING, reason=HaltReason.RECONCILIATION)
    assert after(KILLED, again).stands_for("U1") == KILLED


def test_a_scope_can_be_halted_again_after_it_was_resumed() -> None:
    assert after(KILLED, TradingResumed(scope=EVERYTHING), KILLED).stands_for("U1") == KILLED


def test_a_switch_overrides_the_setting_and_survives_halts() -> None:
    switched = AutoTradingSwitched(enabled=False, detail="by asha")
    assert after().switch_auto_trading(False, "by asha") == [switched]
    assert after(switched, KILLED, TradingResumed(scope=EVERYTHING)).auto_trading is False


def test_switching_to_what_is_switched_already_is_no_event() -> None:
    assert after(AutoTradingSwitched(enabled=True)).switch_auto_trading(True, "by asha") == []


def test_evolving_leaves_the_state_before_as_it_was() -> None:
    before = after(TRIPPED)
    before.evolve([KILLED, TradingResumed(scope="account:U1"), AutoTradingSwitched(enabled=True)])
    assert before == after(TRIPPED)


def test_a_event_of_another_kind_changes_nothing() -> None:
    assert after(KILLED, SomethingElse()) == after(KILLED)


def test_topics_are_versioned_and_distinct() -> None:
    topics = [event.topic for event in (TradingHalted, TradingResumed, AutoTradingSwitched)]
    assert topics == ["liveorder.TradingHalted@1", "liveorder.TradingResumed@1", "liveorder.AutoTradingSwitched@1"]


@pytest.mark.parametrize("event", [KILLED, TradingResumed(scope="*"), AutoTradingSwitched(enabled=True, detail="by asha")])
def test_events_survive_json(event: Event) -> None:
    assert type(event).from_json(event.to_json()) == event


def test_a_reason_outside_the_list_is_refused() -> None:
    with pytest.raises(InvalidRecord):
        TradingHalted.from_dict({"scope": "*", "reason": "MOOD"})


# --- what stands now -----------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LOST = TradingHalted(scope=connection_scope("U1"), reason=HaltReason.CONNECTION_LOST, detail="3 attempts")


def now(*events: Event, **moments: dict[str, datetime]) -> StandingHalts:
    return StandingHalts(after(*events), auto_trading=True, **moments)


@pytest.mark.parametrize(
    ("halts", "stops", "delays"),
    [
        (now(), False, False),
        (now(KILLED), True, False),
        (now(LOST), True, True),
        (now(LOST, KILLED), True, False),
        (now(LOST, TRIPPED), True, False),
        (now(TradingHalted(scope=connection_scope("U2"), reason=HaltReason.CONNECTION_LOST)), False, False),
    ],
    ids=["nothing", "a person", "the connection", "both", "the connection and the breaker", "another account"],
)
def test_an_order_waits_only_for_a_halt_that_ends_by_itself(halts: StandingHalts, stops: bool, delays: bool) -> None:
    order = intent()
    assert (halts.stops(order), halts.delays(order), halts.is_waiting_for_broker("U1")) == (stops, delays, delays)
    passing = intent(passes_halt=True)
    assert (halts.stops(passing), halts.delays(passing)) == (False, False)


def test_the_store_looks_at_every_halt_that_could_stop_a_submission_and_at_none_for_one_that_passes() -> None:
    assert stopped_by(intent()) == halting_scopes("U1") == ("*", "account:U1", "connection:U1")
    assert stopped_by(intent(passes_halt=True)) == ()


@pytest.mark.parametrize(
    ("halts", "decided_at", "expected"),
    [
        (now(), None, False),
        (now(KILLED), None, False),
        (now(RESTORED), NOON, True),
        (now(trusted_since={EVERYTHING: NOON}), NOON, True),
        (now(trusted_since={EVERYTHING: NOON}), NOON + timedelta(seconds=1), False),
        (now(trusted_since={EVERYTHING: NOON}), None, True),
        (now(trusted_since={EVERYTHING: NOON - SUSPICION}), None, False),
        (now(trusted_since={"account:U2": NOON}), NOON, False),
        (now(trusted_since={EVERYTHING: NOON - SUSPICION, "account:U1": NOON}), None, True),
    ],
)
def test_a_signal_may_be_forgotten_if_it_is_not_surely_newer_than_the_trust_in_a_restored_store(
    halts: StandingHalts, decided_at: datetime | None, expected: bool
) -> None:
    assert halts.may_have_forgotten("U1", decided_at, NOON + timedelta(hours=1)) is expected


@pytest.mark.parametrize(
    ("halts", "unsent_at", "expected"),
    [
        (now(), NOON, False),
        (now(suspected_at={EVERYTHING: NOON}), NOON, True),
        (now(suspected_at={"account:U1": NOON}), NOON - timedelta(days=30), True),
        (now(suspected_at={EVERYTHING: NOON}), NOON + timedelta(seconds=1), False),
        (now(suspected_at={EVERYTHING: NOON - SUSPICION}, trusted_since={EVERYTHING: NOON}), NOON, True),
        (now(suspected_at={"account:U2": NOON}), NOON, False),
    ],
)
def test_an_order_may_be_sent_already_if_it_is_not_known_to_be_unsent_since_the_store_came_back(
    halts: StandingHalts, unsent_at: datetime, expected: bool
) -> None:
    assert halts.may_have_forgotten_sending("U1", unsent_at) is expected
