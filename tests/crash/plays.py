"""What is tried of positions: exits, waits, the kill that closes, transfers. One more is one more entry."""

from __future__ import annotations

from collections.abc import Mapping

from liveorder.testing.venue.faults import Point
from tests.crash.play import (
    CLOSING,
    Befallen,
    Play,
    buys,
    ended,
    exits,
    filled,
    filled_by_hand,
    flattened,
    given,
    guards,
    market_opens,
    rests,
    sells,
    transferred,
    without_connection,
    works,
)

_SENT = "append Requested+Approved+SubmissionStarted"
_WAITS = "append Requested+WaitBegan"

PLAYS: Mapping[str, Play] = {
    each.name: each
    for each in (
        Play(
            "exit of all that was filled",
            (given(buys("in", "A", "6")), ended("in"), given(exits("out", "A")), ended("out")),
            {Point.SUBMIT: Befallen("out", 2)},
            struck_from=f"{_SENT} #2",
            endings={"in": [("FILLED", "6")], "out": [("FILLED", "6")]},
        ),
        Play(
            "exit that waits for its entry",
            (given(rests("in", "A", "6")), works("in"), filled_by_hand("in", "4"), given(exits("out", "A")), ended("in", "out")),
            {Point.SUBMIT: Befallen("out", 2), Point.CANCEL: Befallen("in")},
            struck_from=_WAITS,
            endings={"in": [("CANCELLED", "4")], "out": [("FILLED", "4")]},
        ),
        Play(
            "exit while its entry fills",
            (given(buys("in", "A", "10")), filled("in", "4"), given(exits("out", "A")), ended("in", "out")),
            {Point.SUBMIT: Befallen("out", 2), Point.CANCEL: Befallen("in")},
            struck_from=_WAITS,
            endings={
                "in": [("CANCELLED", "4"), ("CANCELLED", "8"), ("FILLED", "10")],
                "out": [("FILLED", "4"), ("FILLED", "8"), ("FILLED", "10")],
            },
        ),
        Play(
            "exit of an entry that never fills",
            (given(rests("in", "A", "6")), works("in"), given(exits("out", "A")), ended("in", "out")),
            {Point.CANCEL: Befallen("in")},
            struck_from=_WAITS,
            endings={"in": [("CANCELLED", "0")], "out": [("REJECTED", "0")]},
        ),
        Play(
            "exit while its entry is in doubt",
            (given(buys("in", "A", "6")), given(exits("out", "A")), ended("in", "out")),
            {Point.SUBMIT: Befallen("in")},
            struck_from=_WAITS,
            endings={
                "in": [("CANCELLED", "0"), ("CANCELLED", "4"), ("FILLED", "6")],
                "out": [("REJECTED", "0"), ("FILLED", "4"), ("FILLED", "6")],
            },
        ),
        Play(
            "exit for which a stop makes way",
            (
                given(buys("in", "A", "6")),
                ended("in"),
                given(guards("stop", "A", "6")),
                works("stop"),
                given(exits("out", "A")),
                ended("stop", "out"),
            ),
            {Point.SUBMIT: Befallen("out", 3), Point.CANCEL: Befallen("stop")},
            struck_from=_WAITS,
            endings={"in": [("FILLED", "6")], "stop": [("CANCELLED", "0")], "out": [("FILLED", "6")]},
        ),
        Play(
            "exit without a connection",
            (given(buys("in", "A", "6")), ended("in"), without_connection(exits("out", "A")), ended("out")),
            {Point.SUBMIT: Befallen("out", 2)},
            struck_from="append TradingHalted",
            endings={"in": [("FILLED", "6")], "out": [("FILLED", "6")]},
        ),
        Play(
            "entry before the open",
            (given(buys("in", "A", "6", hours="next_open")), market_opens, ended("in")),
            {Point.SUBMIT: Befallen("in")},
            struck_from=_WAITS,
            endings={"in": [("FILLED", "6")]},
            held={"A": "6"},
            is_market_closed=True,
        ),
        Play(
            "kill that closes by share",
            (
                given(buys("A in", "A", "6"), sells("B in", "B", "2")),
                ended("A in", "B in"),
                given(rests("A more", "A", "3")),
                works("A more"),
                flattened,
                ended("A more"),
            ),
            {Point.SUBMIT: Befallen(CLOSING, 4), Point.CANCEL: Befallen("A more")},
            struck_from="append TradingHalted",
            endings={
                "A in": [("FILLED", "6")],
                "B in": [("FILLED", "2")],
                "A more": [("CANCELLED", "0")],
                CLOSING: [("FILLED", "4")],
            },
            may_be_short=True,
        ),
        Play(
            "transfer between strategies",
            (
                given(buys("in", "A", "6")),
                ended("in"),
                transferred("A", "B", "2", "moved once"),
                given(exits("out", "B")),
                ended("out"),
            ),
            {Point.SUBMIT: Befallen("out", 2)},
            struck_from="append PositionTransferred",
            endings={"in": [("FILLED", "6")], "out": [("FILLED", "2")]},
            held={"A": "4"},
        ),
        Play(
            "two strategies exit at once",
            (
                given(buys("A in", "A", "6"), buys("B in", "B", "3")),
                ended("A in", "B in"),
                given(exits("A out", "A"), exits("B out", "B")),
                ended("A out", "B out"),
            ),
            {Point.SUBMIT: Befallen("A out", 3)},
            struck_from=f"{_SENT} #3",
            endings={
                "A in": [("FILLED", "6")],
                "B in": [("FILLED", "3")],
                "A out": [("FILLED", "6")],
                "B out": [("FILLED", "3")],
            },
        ),
    )
}
