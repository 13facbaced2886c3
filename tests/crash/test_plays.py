"""What the verdict on a play reports, and that plays fit together."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.order.events import WaitBegan, WaitReason
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import Point
from tests.builders import KEY, ORDER_ID, acknowledged, fill, intent, recorded, submission, unknown
from tests.crash.cases import Case
from tests.crash.play import CLOSING, Play, Stage, flattened
from tests.crash.play_verdict import Played, violations
from tests.crash.plays import PLAYS
from tests.crash.stored import Stored

CASE = Case("exit of all that was filled", "sqlite", "none", "prompt", Point.SUBMIT)
ANY = Play("any", (), {}, "", {"signal-1": [("FILLED", "100")]}, held={"trend": "100"})
FILLED = (intent(), submission(), acknowledged(), fill("e-1", 100))
CLEAN: dict[str, Any] = {"is_clean": True, "differences": []}
PLAYED = Played(SimpleNamespace(events=[]), [], {"trend": "100"}, {"differences": [], "waiting": []}, CLEAN, True, {}, 0.0)  # type: ignore[arg-type]  # no process


def at_venue(quantity: int, key: str = KEY, status: BrokerStatus = BrokerStatus.FILLED) -> OrderSnapshot:
    return OrderSnapshot(
        broker_order_id="B-1", client_order_id=key, status=status, filled_quantity=Decimal(quantity), side=Side.BUY
    )


def found(events: Any = FILLED, theirs: Any = None, played: Played = PLAYED, play: Play = ANY) -> str:
    there = (at_venue(100),) if theirs is None else theirs
    return "; ".join(violations(play, CASE, "U1", there, Stored(recorded(events), []), played, []))


def test_what_is_as_it_should_be_is_not_reported() -> None:
    assert found() == ""


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"theirs": (at_venue(100), at_venue(100))}, "2 orders at the venue for one signal"),
        ({"theirs": (at_venue(100), at_venue(0, "SOMEBODY"))}, "belongs to no intent"),
        ({"theirs": (at_venue(60),)}, "100 filled here, 60 at the venue"),
        ({"theirs": (at_venue(100, status=BrokerStatus.WORKING),)}, "closed here, and live at the venue"),
        ({"events": FILLED[:3], "theirs": (at_venue(0),)}, "still SUBMITTED, though nothing of it is in doubt"),
        ({"played": replace(PLAYED, held={"trend": "99"})}, "trend holds 100 by the log, and 99 by the risk rules"),
        ({"played": replace(PLAYED, shown={KEY: 5})}, f"events of {KEY} are missing from the log"),
        ({"played": replace(PLAYED, books={"differences": ["two books"], "waiting": []})}, "two books"),
        ({"played": replace(PLAYED, reconciliation={"is_clean": False, "differences": ["of 3"]})}, "not reconciled: ['of 3']"),
        ({"played": replace(PLAYED, replays=False)}, "replaying their events makes other orders"),
        ({"play": replace(ANY, endings={"signal-1": [("FILLED", "40")]})}, "signal-1 ended FILLED with 100"),
        ({"play": replace(ANY, endings={**ANY.endings, "other": []})}, "lost: the signal came"),
        ({"play": replace(ANY, endings={})}, "intents that no signal asked for: ['signal-1']"),
        ({"play": replace(ANY, held={"trend": "60", "other": "40"})}, "held at the end: {'trend': '100'}"),
        ({"play": replace(ANY, endings={**ANY.endings, CLOSING: [("FILLED", "4")]})}, "closed [], and 4 was held"),
    ],
)
def test_what_is_otherwise_is_reported(changed: dict[str, Any], reported: str) -> None:
    assert reported in found(**changed)


WAIT = WaitBegan(reason=WaitReason.ENTRY, signal="{}", message="for entries", orders=(ORDER_ID,))


def test_what_waits_and_is_not_listed_is_reported() -> None:
    events = (intent(), WAIT)
    assert "['signal-1'] wait, and [] are listed" in found(events, (), replace(PLAYED, held={}))


def test_a_wait_for_what_is_known_is_in_vain() -> None:
    events = (intent(), WAIT)
    listed = replace(PLAYED, held={}, books={"differences": [], "waiting": ["signal-1"]})
    assert "signal-1 waits in vain: for entries" in found(events, (), listed)


def test_a_doubt_that_nobody_is_shown_is_reported_and_one_that_is_left_to_a_person_is_not() -> None:
    events = (intent(), submission(), unknown(f"{KEY}-s1"))
    held = replace(PLAYED, held={})
    assert "a doubt that nobody is shown" in found(events, (), held)
    assert "a doubt that nobody is shown" not in found(events, (), replace(held, doubts=[KEY]))


@pytest.mark.parametrize("units", [0, 4])
async def test_where_flat_is_said_the_venue_and_every_strategy_are_asked(units: int) -> None:
    async def ask(act: str, **fields: Any) -> Any:
        return {"is_flat": True} if act == "flatten" else {"trend": str(units)}

    async def orders(account: str) -> list[OrderSnapshot]:
        return [at_venue(units)]

    service: Any = SimpleNamespace(ask=ask)
    control: Any = SimpleNamespace(orders=orders)
    stage = Stage(service, control, CASE, "U1", [], {})
    assert await flattened(stage)
    assert len(stage.notes) == (1 if units else 0)


@pytest.mark.parametrize("name", PLAYS)
def test_a_fault_befalls_an_order_of_the_play(name: str) -> None:
    play = PLAYS[name]
    assert play.name == name
    assert {befallen.signal_id for befallen in play.befalls.values()} <= play.endings.keys()
