"""What users of other live-trading engines reported in public issue threads, and what must be true here. Copied from the brief.

Each is the story of a test in this folder, whose docstring begins with its number and source: "Case 12 (hummingbot#8457): …". The
first 35 have one test each. The others came when those were shown, and have a test for each thing that must be shown, or, where it
is a broker's wire that they are about, one among that broker's tests. What is not right yet is marked `not_yet`, and says what is
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class FieldCase:
    number: int
    source: str
    """Repository and issue."""
    what_happened: str
    must_show: str
    elsewhere: str | None = None
    """File and name of the test that shows it, where it is none of this folder's."""


def not_yet(what_is_wrong: str, raises: type[Exception] = AssertionError) -> pytest.MarkDecorator:
    """Of a test that says what is right and fails today: once it passes, the suite fails until this mark is taken off."""
    return pytest.mark.xfail(strict=True, raises=raises, reason=what_is_wrong)


CASES = (
    FieldCase(
        1,
        "nautilus#4215",
        "retry after a time-out though the stream had already accepted the order",
        "one broker order; the acknowledgement from either path wins",
    ),
    FieldCase(2, "nautilus#3176", "every restart re-creates orders", "recovery places nothing that the broker already has"),
    FieldCase(
        3,
        "nautilus#4564",
        "modify during a disconnect leaves two live broker orders",
        "a replace has one outcome; an in-doubt replace blocks the next until asked",
    ),
    FieldCase(4, "hummingbot#493", "time-out treated as failure, order sent again", "ambiguous outcome -> ask first"),
    FieldCase(
        5,
        "passivbot#514",
        "cancel fails because it filled; bot buys again",
        "cancel-reject -> ask, book the fill, no new order",
    ),
    FieldCase(6, "OpenAlice#91", "three duplicate stops from a retry without a key", "one key per intent, on every attempt"),
    FieldCase(7, "Kalshi-starter#135", "each retry mints a fresh uuid", "the key is derived from the signal, never random"),
    FieldCase(8, "openalgo#1685", "slow call, the user clicks again", "same signal id -> the same order is returned"),
    FieldCase(
        9,
        "freqtrade#7184",
        'order placed, then "database is locked": the order is lost to the bot',
        "the intent is durable before the call; a failed write means no call",
    ),
    FieldCase(
        10,
        "freqtrade#7882",
        'the database drops, "may forget orders"',
        "submission stops while nothing can be persisted; resumes by itself",
    ),
    FieldCase(11, "freqtrade#3647", "cancelled locally, filled at the exchange", "a fill after CANCELLED is booked and reported"),
    FieldCase(12, "hummingbot#8457", "six accepted orders dropped in a DNS outage", "all found again by key"),
    FieldCase(13, "hummingbot#3374", '"dead" orders fill later', "no terminal state is inferred from silence"),
    FieldCase(
        14,
        "nautilus#5057",
        "working orders cannot be managed after a restart",
        "cancel and replace work on a recovered order",
    ),
    FieldCase(15, "nautilus#5000", "SIGKILL; reconciliation drops 14 working orders", "all 14 tracked"),
    FieldCase(
        16,
        "nautilus#4958",
        "time-out → REJECTED → position nobody owns",
        "in doubt, not rejected; a late fill is booked to its order",
    ),
    FieldCase(17, "ccxt#2599", "order goes through after a reported time-out, no id", "found by key"),
    FieldCase(
        18,
        "Lean.IB#242",
        "nextValidId rolls back after a gateway restart; callbacks cross-attributed",
        "matched on orderRef and permId",
    ),
    FieldCase(19, "nautilus#4247", "raw IB orderId collides across sessions", "same"),
    FieldCase(20, "freqtrade#13399", "a 10 s look-back attaches an older order to a new trade", "no matching by time alone"),
    FieldCase(21, "hummingbot#4673", "client ids collide across instances", "account and namespace are part of the key"),
    FieldCase(22, "Lean.IB#249", "fills during error 1100 are lost", "executions are asked for after 1101 and 1102"),
    FieldCase(23, "Lean.IB#189", 'a fill for an "unknown" order', "kept, reported, matched later"),
    FieldCase(24, "Lean.TradeStation#84", "a fill during an in-flight modify is discarded", "booked"),
    FieldCase(25, "Lean.TradeStation#101", "a healthy stream drops one frame", "polling finds it"),
    FieldCase(
        26,
        "Lean#4014",
        "cumulative quantity read as incremental",
        "booked by execution id, cross-checked against cumulative",
    ),
    FieldCase(27, "nautilus#3046", "fills replayed on restart counted twice", "once"),
    FieldCase(28, "openalgo#932", "one order executed by two engines", "the second instance cannot send"),
    FieldCase(
        29,
        "nautilus#3104",
        "local +75 against -65 at the venue; refuses to start",
        "starts, halts new risk on that symbol, shows the difference",
    ),
    FieldCase(30, "Lean.IB#156", "a broker's liquidation is ignored", "external orders and positions are reported"),
    FieldCase(
        31,
        "openalgo#1794",
        "a catch-up job zeroes live positions",
        "positions come from fills and recorded position events with evidence, never from a catch-up job",
    ),
    FieldCase(
        32,
        "nautilus#4787",
        "partial, then cancel: stuck in pending cancel",
        "pending cancel is a flag; the next report settles it",
    ),
    FieldCase(33, "hummingbot#2534", "kill switch fires, orders keep coming", "nothing is sent after the halt is durable"),
    FieldCase(34, "go-trader#1462", '"flat" reported while resting limits live', "flat is claimed only after asking the broker"),
    FieldCase(35, "openalgo#1119", "SQLite image malformed", "detected at start with a clear error; a backup command exists"),
    FieldCase(
        36,
        "tradingview-alert-connector#8, tradingview-webhooks-bot#19",
        "an exit without a size is sized like an entry: a rest stays, or more than is held is asked for",
        "it sells exactly what its strategy holds: BUY 20 at 1238.50, SELL at 1300 and at 1100 -> 20 sold; "
        "short selling allowed or not",
    ),
    FieldCase(
        37,
        "freqtrade#4470, #7928",
        "sold by hand, then the bot sells again: short",
        "clamped by a fresh figure; only where the broker does not answer in time does our book decide, flagged. Here it answers: "
        "the venue ends at 0, not at -10",
    ),
    FieldCase(
        38,
        "Lean#705, Lean.IB#141",
        "one description, two contracts (SPX, SPXW; GME, 2GME)",
        "ambiguous -> dead letter that lists the candidates; two keys, two positions",
    ),
    FieldCase(
        39,
        "openalgo#1116, go-trader#512",
        "one strategy closes the other's position",
        "B's SELL 10 is refused or booked against B's own holding; A's exit goes out; no row stays OPEN while the broker is flat",
    ),
    FieldCase(
        40,
        "Lean#5016, ib_async#93, nautilus#4454",
        "an option expires, its position stays",
        "named whole (expiry, strike, right) and for a strategy: flat, -10.00, in report and risk book alike; a split keeps cost "
        "(10 @ 200 -> 40 @ 50)",
    ),
    FieldCase(
        41,
        "Lean#3453, alpaca csharp#497",
        "prices below a dollar",
        "0.8765 stays, 0.0042 stays, 231.2345 becomes 231.23; a price that rounds to 0 is refused",
    ),
    FieldCase(
        42,
        "openalgo#821, Lean#7709",
        "special sessions (Budget Saturday, Muhurat), maintenance breaks",
        "sessions and closures from the settings; XBOM 2026-02-01 11:00 open and counted to that day; CMES 16:30 Chicago closed",
    ),
    FieldCase(
        43,
        "Lean.IB#25, backtrader2#40",
        "IB says no with a code that is not in the list",
        "REJECTED with IB's words: 109, 154, 163, 382, 383, 387, 388, 434, 436, 460, 461, 10052, 10243, 10268, 10289, 10318 …",
        "tests/unit/ibkr/test_tws.py::test_an_order_that_tws_speaks_against_under_whatever_code_and_does_not_have_is_refused",
    ),
    FieldCase(44, "zipline#1357, Lean PR 9635", "both legs of an OCO live", "refused until one cancels the other"),
    FieldCase(
        45,
        "crypto-bot#22",
        "a stop that is passed already trades at once",
        "rule `stop_already_passed` against the market; a flag lets it pass",
    ),
    FieldCase(
        46,
        "freqtrade#528, #1371; alpaca-py#374",
        "fee taken in the coin (buy 0.1, hold 0.09975)",
        "holding = bought less fee; SELL of all leaves 0; the next BUY passes",
    ),
    FieldCase(
        47,
        "Helios-x#23, go-trader#25",
        "daily loss blind to open losses",
        "limit on realised + open, alert when it trips, halt by setting",
    ),
    FieldCase(
        48,
        "Lean#4126, alpaca-java#77",
        "an order outside hours is thrown away",
        "`hours: regular / extended / next_open`; Alpaca `extended_hours` with LIMIT DAY, IB `outsideRth` by order",
    ),
    FieldCase(
        49,
        "nautilus#2359, ib_async#230",
        "IB's UTC times read as local",
        "`20250310-13:30:00` is UTC; a zone that Python does not know loses no fill and no commission",
        "tests/unit/ibkr/test_hearing.py::test_times_come_in_many_forms",
    ),
)
