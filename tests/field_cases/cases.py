"""What users of other live-trading engines reported in public issue threads, and what must be true here. Copied from the brief.

Each is the story of one test in this folder, whose docstring begins with its number and source: "Case 12 (hummingbot#8457): …".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldCase:
    number: int
    source: str
    """Repository and issue."""
    what_happened: str
    must_show: str


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
    FieldCase(31, "openalgo#1794", "a catch-up job zeroes live positions", "positions come from fills alone"),
    FieldCase(
        32,
        "nautilus#4787",
        "partial, then cancel: stuck in pending cancel",
        "pending cancel is a flag; the next report settles it",
    ),
    FieldCase(33, "hummingbot#2534", "kill switch fires, orders keep coming", "nothing is sent after the halt is durable"),
    FieldCase(34, "go-trader#1462", '"flat" reported while resting limits live', "flat is claimed only after asking the broker"),
    FieldCase(35, "openalgo#1119", "SQLite image malformed", "detected at start with a clear error; a backup command exists"),
)
