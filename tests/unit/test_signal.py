import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.intake.signal_schema import signal_json_schema
from liveorder.domain.errors import InvalidInput
from liveorder.domain.reversal import second_leg_of
from liveorder.domain.signal import MAX_SIGNAL_BYTES, Signal, UnusableSignal
from liveorder.domain.signal_names import HINTS, SYNONYMS
from liveorder.domain.values import OrderType, Side
from liveorder.interfaces.arguments import signal_given

WITH_ID = (
    '{"signal_id":"sig_1732450800_5678","order_type":"MARKET","symbol":"SPY","side":"BUY","quantity":100,'
    '"account_id":"acc_abc123","strategy_name":"SPX 1-Day Options","stop_loss":230.00,"take_profit":240.00}'
)
WITHOUT_ID = '{"signal_type":"BUY","symbol":"RELIANCE","cms_score":75.0,"timestamp":"2025-03-10T09:20:00+05:30"}'


def line(**fields: Any) -> str:
    return json.dumps({"signal_id": "s1", "symbol": "SPY", "side": "BUY"} | fields)


def refusal(raw: str | bytes) -> str:
    with pytest.raises(UnusableSignal) as caught:
        Signal.parse(raw)
    return caught.value.reason


# --- the two shapes of the issue ----------------------------------------------------------------------------------------------


def test_a_signal_with_its_own_id_is_read_as_it_is() -> None:
    signal = Signal.parse(WITH_ID)
    assert (signal.signal_id, signal.account_id, signal.strategy_name) == (
        "sig_1732450800_5678",
        "acc_abc123",
        "SPX 1-Day Options",
    )
    assert (signal.symbol, signal.side, signal.order_type, signal.quantity) == ("SPY", Side.BUY, OrderType.MARKET, Decimal(100))
    assert (str(signal.stop_loss), str(signal.take_profit)) == ("230.00", "240.00")


def test_a_scored_signal_is_read_as_it_is() -> None:
    signal = Signal.parse(WITHOUT_ID)
    assert (signal.symbol, signal.side, signal.score) == ("RELIANCE", Side.BUY, Decimal("75.0"))
    assert signal.timestamp == datetime(2025, 3, 10, 3, 50, tzinfo=UTC)
    assert signal.quantity is None
    assert signal.notional is None


def test_ids_derived_from_content_are_the_same_in_every_version() -> None:
    assert Signal.parse(WITHOUT_ID).signal_id == "8de08e07db09acaeef90f7a23f049208100f81950a1d093a6dfcde725fa6e790"
    assert Signal.parse(WITH_ID).fingerprint == "3a9abe43b0c7d18aed0a71b2b4a15b56d3e7e9ef2ddcfaff95ca09cc83bba542"


# --- identity -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        WITHOUT_ID.replace("75.0", "75"),
        WITHOUT_ID.replace("75.0", '"75.00"'),
        WITHOUT_ID.replace("75.0", "7.5e1"),
        WITHOUT_ID.replace("signal_type", "side").replace("cms_score", "score"),
        WITHOUT_ID.replace("signal_type", "action").replace("symbol", "ticker"),
        WITHOUT_ID.replace("signal_type", "direction").replace("BUY", "buy"),
        WITHOUT_ID.replace("BUY", "Buy").replace("}", ',"symbol_name":"Reliance Industries"}'),
        WITHOUT_ID.replace("09:20:00+05:30", "03:50:00Z"),
        WITHOUT_ID.replace("}", ',"quantity":null}'),
        json.dumps(dict(reversed(json.loads(WITHOUT_ID).items())), indent=2),
    ],
)
def test_the_same_content_has_the_same_id_however_it_is_spelled(spelling: str) -> None:
    assert Signal.parse(spelling).signal_id == Signal.parse(WITHOUT_ID).signal_id


SPELLED_OUT = {
    "side": ("sell", "Sell", "sElL"),
    "order_type": ("stop_limit", "Stop_Limit"),
    "position_effect": ("close",),
    "time_in_force": ("gtc",),
    "hours": ("EXTENDED", "Extended"),
    "product": ("cnc",),
    "asset_class": ("crypto",),
    "right": ("call",),
    "role": ("exit",),
    "protection": ("External",),
}
"""Each field whose value is a word, with other spellings of one."""


def test_every_field_of_words_is_among_those_that_are_spelled_in_other_ways() -> None:
    schema = signal_json_schema()
    fields = {name: schema["properties"][name]["anyOf"][0] for name in Signal.model_fields}
    of_words = {name for name, kind in fields.items() if "$ref" in kind or "enum" in str(kind)}
    assert {*SPELLED_OUT} == of_words


@pytest.mark.parametrize(("field", "word"), [(field, word) for field, words in SPELLED_OUT.items() for word in words])
def test_letter_case_of_a_word_makes_no_other_signal(field: str, word: str) -> None:
    """As on the command line; and the same signal sent again with other letters is not another one."""
    usual = word.lower() if field in ("hours", "protection") else word.upper()
    needed = {"limit_price": 5, "stop_price": 6} if field == "order_type" else {}
    said, again = (Signal.parse(line(timestamp="2025-03-10T09:20:00Z", **needed, **{field: each})) for each in (usual, word))
    assert said == again
    assert said.fingerprint == again.fingerprint
    assert json.loads(again.to_json())[field] == usual


@pytest.mark.parametrize(("synonym", "field"), SYNONYMS.items())
def test_a_signal_sent_again_by_another_name_is_the_same_signal(synonym: str, field: str) -> None:
    values = {"side": "BUY", "score": 70, "strategy_name": "trend", "symbol": "SPY", "quantity": 3}
    said = {"symbol": "SPY", "side": "BUY", "timestamp": "2025-03-10T09:20:00Z", field: values[field]}
    again = {name: value for name, value in said.items() if name != field} | {synonym: values[field]}
    assert Signal.parse(json.dumps(said)) == Signal.parse(json.dumps(again))
    assert Signal.parse(json.dumps(said)).signal_id == Signal.parse(json.dumps(again)).signal_id


def test_what_people_call_the_instrument_makes_no_second_signal() -> None:
    one, other = (Signal.parse(line(symbol_name=name)) for name in ("SPDR S&P 500", "SPY ETF"))
    assert one.fingerprint == other.fingerprint
    assert one.fingerprints_on("A") == other.fingerprints_on("A")
    assert json.loads(one.to_json())["symbol_name"] == "SPDR S&P 500"


SIZE_FIELDS = (
    "qty Qty QTY orderQty order_qty totalQty shares units lots volume num_shares base_amount quantiy Quantity trade_quantity"
)
SIZES_OF_TWO_MEANINGS = "size amount position_size order_size tradeSize"


@pytest.mark.parametrize("name", SIZE_FIELDS.split())
def test_a_size_by_a_name_that_is_not_ours_names_the_field_that_was_meant(name: str) -> None:
    """To leave it out, as the message once said, makes an order for the account's `position_size`."""
    assert refusal(line(**{name: 5})) == f"{name!r}: unknown; did you mean 'quantity'?"


@pytest.mark.parametrize("name", SIZES_OF_TWO_MEANINGS.split())
def test_a_size_that_may_be_units_or_money_names_both(name: str) -> None:
    assert refusal(line(**{name: 5})) == f"{name!r}: unknown; did you mean 'quantity' (units) or 'notional' (money)?"


@pytest.mark.parametrize(
    ("name", "field"),
    {
        "tif": "time_in_force",
        "orderType": "order_type",
        "limit": "limit_price",
        "lmtPrice": "limit_price",
        "auxPrice": "stop_price",
        "trigger_price": "stop_price",
        "transaction_type": "side",
        "tradingsymbol": "symbol",
        "client_order_id": "signal_id",
        "account": "account_id",
        "strategy": "strategy_name",
        "sl": "stop_loss",
        "tp": "take_profit",
        "ts": "timestamp",
        "secType": "asset_class",
        "lastTradeDateOrContractMonth": "expiry",
        "strike_price": "strike",
        "option_type": "right",
        "reduce_only": "position_effect",
        "ccy": "currency",
    }.items(),
)
def test_names_of_other_systems_are_understood_and_never_taken(name: str, field: str) -> None:
    assert refusal(line(**{name: "x"})) == f"{name!r}: unknown; did you mean {field!r}?"


def test_every_name_that_is_understood_leads_to_a_field() -> None:
    for hint in HINTS.values():
        assert re.findall(r"'(\w+)'", hint)
        assert {*re.findall(r"'(\w+)'", hint)} <= {*Signal.model_fields}


def test_no_name_that_is_only_understood_is_one_that_is_taken() -> None:
    """A field of ours would never be reached by its hint, and a synonym is no hint."""
    bare = {re.sub("[^a-z0-9]", "", name) for name in Signal.model_fields}
    assert not bare & {*HINTS}


def test_a_small_amount_is_shown_without_an_exponent() -> None:
    assert refusal(line(trail_percent="-0.0000001", order_type="TRAILING_STOP")) == (
        "trail_percent: '-0.0000001' is not valid; it should be greater than 0"
    )
    assert refusal(line(quantity=-1e-7)).startswith("quantity: -0.0000001 is not valid")


@pytest.mark.parametrize("change", [{"symbol": "INFY"}, {"cms_score": 76}, {"signal_type": "SELL"}, {"order_type": "MARKET"}])
def test_other_content_has_another_id(change: dict[str, Any]) -> None:
    assert Signal.parse(json.dumps(json.loads(WITHOUT_ID) | change)).signal_id != Signal.parse(WITHOUT_ID).signal_id


def test_the_fingerprint_tells_content_and_not_the_id() -> None:
    assert Signal.parse(line(quantity=1)).fingerprint == Signal.parse(line(quantity=1, signal_id="s2")).fingerprint
    assert Signal.parse(line(quantity=1)).fingerprint != Signal.parse(line(quantity=2)).fingerprint


def test_without_id_and_timestamp_a_signal_cannot_be_known() -> None:
    assert "add signal_id or timestamp" in refusal('{"symbol":"SPY","side":"BUY"}')


def _given(kind: OrderType) -> dict[str, Any]:
    """What the type needs."""
    traits = kind.traits
    needed = {
        "limit_price": traits.needs_limit_price,
        "stop_price": traits.needs_stop_price,
        "trail_amount": traits.trails,
        "limit_offset": traits.needs_limit_offset,
    }
    return {name: 5 for name, is_needed in needed.items() if is_needed}


@pytest.mark.parametrize("kind", OrderType)
@pytest.mark.parametrize("field", ["limit_price", "stop_price", "trail_amount", "limit_offset"])
def test_a_remedy_for_a_price_too_many_is_one_that_helps(kind: OrderType, field: str) -> None:
    """Each type that it names takes just these fields, and what it says to leave out may be left out."""
    given = _given(kind)
    if field in given:
        return
    remedy = refusal(line(order_type=kind.value, **given, **{field: 5})).rpartition("; ")[2]
    named = [other for other in OrderType if re.search(rf"\b{other}\b", remedy)]
    for other in named:
        assert Signal.parse(line(order_type=other.value, **given, **{field: 5})).order_type is other
    assert remedy.endswith("leave it out")
    assert Signal.parse(line(order_type=kind.value, **given)).order_type is kind


# --- what is refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (line(quantty=1), "'quantty': unknown; did you mean 'quantity'?"),
        (
            line(zzz=1, quantity=1),
            "'zzz': unknown; `liveorder schema` lists the fields; leave it out only if nothing depends on it",
        ),
        (
            line(zzz=1),
            "'zzz': unknown; `liveorder schema` lists the fields; leave it out only if nothing depends on it: without a size",
        ),
        (line(side="bid"), "side: 'bid' is not valid; it should be 'BUY' or 'SELL'"),
        (line(side=None, direction="LONG"), "direction: 'LONG' is not valid; it should be 'BUY' or 'SELL'"),
        (line(order_type="l\u0131m\u0131t"), "order_type: 'l\u0131m\u0131t' is not valid"),
        (line(hours="ex\u0442ended"), "hours: 'ex\u0442ended' is not valid"),
        (line(signal_id="s1:opens"), "signal_id: ends in :opens, by which the second leg of a reversal is called; give another id"),
        (line(signal_id="flatten-2025-03-10-ARCA:SPY-1"), "signal_id: is of the form of ids that are made here (flatten-DATE-…,"),
        (line(signal_id="adopted-order-7"), "signal_id: is of the form of ids that are made here"),
        (line(signal_id="adopted-position-7"), "signal_id: is of the form of ids that are made here"),
        (line(currency="usd"), "currency: not a currency code; write one in capitals, such as USD, INR or USDT"),
        (line(side=None, action="BUY", direction="SELL"), "direction: another name for side, as is action, and both are given"),
        (line(quantity=1, contracts=2), "contracts: another name for quantity, and both are given; keep one of them"),
        (line(contracts=2, total_quantity=2), "total_quantity: another name for quantity, as is contracts, and both are given"),
        (line(contracts=0), "contracts: 0 is not valid; it should be greater than 0"),
        (line(signal_type="BUY"), "signal_type: another name for side, and both are given; keep one of them"),
        (line(quantity=-1), "quantity: -1 is not valid; it should be greater than 0"),
        (line(quantity=0), "quantity: 0 is not valid; it should be greater than 0"),
        (line(quantity="ten"), "quantity: 'ten' is not a usable decimal number; write it like 230.05"),
        (line(quantity=True), "quantity: a truth value is not a number; write it like 230.05"),
        (line(quantity=1, notional=5), "notional: given together with quantity; give one of them"),
        (line(quantity=1, target_quantity=5), "target_quantity: given together with quantity; give one of them"),
        (line(side=None), "side: is missing; add it"),
        (line(side=None, position_effect="OPEN"), "side: is missing; add it"),
        (
            line(percent=5),
            "percent: of what?; set position_effect to OPEN (of the equity) or to CLOSE (of what is held)",
        ),
        (line(percent=0), "percent: 0 is not valid; it should be greater than 0"),
        (line(percent=101), "percent: 101 is not valid; it should be less than or equal to 100"),
        (line(position_effect="OPEN", role="EXIT"), "position_effect: OPEN, and the role EXIT closes; leave one of them out"),
        (
            line(target_quantity=5, position_effect="CLOSE"),
            "position_effect: given together with target_quantity, which says itself what it opens or closes; leave it out",
        ),
        (
            line(target_percent=5, role="STOP_LOSS"),
            "role: given together with target_percent, which says itself what it opens or closes; leave it out",
        ),
        (line(risk_percent=1), "risk_percent: needs stop_loss, whose distance is the risk of a unit; add stop_loss"),
        (
            line(risk_percent=1, stop_loss=5, role="EXIT"),
            "risk_percent: sizes what opens, and this closes; give quantity, percent or nothing",
        ),
        (line(order_type="LIMIT"), "limit_price: a LIMIT order needs one; add limit_price"),
        (line(limit_price=5), "limit_price: a MARKET order has none; set order_type to LIMIT, or leave it out"),
        (line(order_type="STOP_LIMIT", limit_price=5), "stop_price: a STOP_LIMIT order needs one; add stop_price"),
        (line(stop_price=5), "stop_price: a MARKET order has none; set order_type to STOP or MARKET_IF_TOUCHED, or leave it out"),
        (
            line(order_type="TRAILING_STOP"),
            "trail_amount: a TRAILING_STOP needs one distance; give trail_amount or trail_percent",
        ),
        (
            line(order_type="TRAILING_STOP_LIMIT", trail_percent=5),
            "limit_offset: a TRAILING_STOP_LIMIT order needs one; add limit_offset",
        ),
        (line(limit_offset=5), "limit_offset: a MARKET order has none; leave it out"),
        (line(order_type="LIMIT_IF_TOUCHED", limit_price=5), "stop_price: a LIMIT_IF_TOUCHED order needs one; add stop_price"),
        (
            line(order_type="STOP", stop_price=6, limit_price=5),
            "limit_price: a STOP order has none; set order_type to STOP_LIMIT, or leave it out",
        ),
        (
            line(order_type="MARKET_IF_TOUCHED", stop_price=6, limit_price=5),
            "limit_price: a MARKET_IF_TOUCHED order has none; set order_type to LIMIT_IF_TOUCHED, or leave it out",
        ),
        (
            line(order_type="LIMIT", stop_price=6, limit_price=5),
            "stop_price: a LIMIT order has none; set order_type to STOP_LIMIT or LIMIT_IF_TOUCHED, or leave it out",
        ),
        (
            line(order_type="TRAILING_STOP", trail_amount=1, limit_price=5),
            "limit_price: a TRAILING_STOP order has none; leave it out",
        ),
        (
            line(order_type="TRAILING_STOP", trail_amount=1, limit_offset=5),
            "limit_offset: a TRAILING_STOP order has none; set order_type to TRAILING_STOP_LIMIT, or leave it out",
        ),
        (
            line(order_type="TRAILING_STOP_LIMIT", trail_amount=1, limit_offset=1, limit_price=5),
            "limit_price: a TRAILING_STOP_LIMIT order has none: its limit follows its stop, limit_offset worse; leave it out",
        ),
        (
            line(order_type="TRAILING_STOP", trail_amount=1, stop_price=5),
            "stop_price: a TRAILING_STOP order has none: its stop follows the price; leave it out",
        ),
        (
            line(order_type="MARKET_TO_LIMIT", limit_price=5),
            "limit_price: a MARKET_TO_LIMIT order has none: its limit is the price of its first fill; leave it out",
        ),
        (
            line(order_type="LIMIT", limit_price=5, trail_amount=1),
            "trail_amount: a LIMIT order does not trail; leave it out",
        ),
        (line(hours="night"), "hours: 'night' is not valid; it should be 'regular', 'extended' or 'next_open'"),
        (line(con_id="265598"), "con_id: '265598' is not valid; it should be a valid integer"),
        (line(trail_percent=5), "trail_amount: a MARKET order does not trail; set order_type to TRAILING_STOP, or leave it out"),
        (line(time_in_force="GTD"), "expires_at: a GTD order needs one; add expires_at"),
        (
            line(expires_at="2025-03-10T09:20:00Z"),
            "expires_at: only a GTD order has one; set time_in_force to GTD, or use valid_until",
        ),
        (
            line(timestamp="2025-03-10T09:20:00"),
            'timestamp: has no time zone; add "Z" or an offset such as "+05:30"',
        ),
        (line(timestamp=1741600000), "timestamp: not an ISO-8601 text; write it like 2025-03-10T09:20:00+05:30"),
        (line(timestamp="0001-01-01T00:00:00+05:30"), "timestamp: lies outside the calendar; give a time of this century"),
        (line(expiry="soon"), "expiry: not an ISO-8601 text; write it like 2025-03-27"),
        (line(symbol="SPY\n2024 forged"), "symbol: contains control or invisible characters; leave them out"),
        (line(symbol="SPY\u202e"), "symbol: contains control or invisible characters; leave them out"),
        (line(symbol=" SPY"), "symbol: begins or ends with a space; trim it"),
        (line(signal_id=5), "signal_id: 5 is not valid; it should be a valid string"),
        (line(parent_order_id="\x1b"), "parent_order_id: '\\x1b' is not valid; it should be a valid UUID"),
        (line(timeout_seconds=True), "timeout_seconds: True is not valid; it should be a valid number"),
        ('{"side":"BUY","signal_id":"s1"}', "symbol: is missing; add it"),
        ('{"symbol":"A","symbol":"B"}', "'symbol': given twice; keep one of them"),
        ('{"quantity":NaN}', "number: NaN is not a finite number; give a finite one"),
        ('{"quantity":-Infinity}', "number: -Infinity is not a finite number; give a finite one"),
        ('{"quantity":1e999999999999999999999}', "number: '1e999999999999999999999' is not a usable decimal number"),
        ('{"quantity":1e400}', "number: too long, too large or too small to reckon with exactly"),
        ("[]", "line: not a JSON object; write a list as JSON Lines"),
        ("[" * 60_000, "line: nested too deeply"),
        ('{"symbol":', "line: not JSON (Expecting value: line 1 column 11 (char 10))"),
        (b'{"symbol":"\xff"}', "line: not UTF-8 (invalid start byte); encode it as UTF-8"),
        ("\ud800", "line: not UTF-8 (surrogates not allowed); encode it as UTF-8"),
        (" " * (MAX_SIGNAL_BYTES + 1), "line: too long; keep it within 65536 bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_with_field_problem_and_remedy(raw: str | bytes, reason: str) -> None:
    assert refusal(raw).startswith(reason)


def test_a_refused_signal_still_says_who_it_was() -> None:
    with pytest.raises(UnusableSignal) as caught:
        Signal.parse(line(quantity=-1))
    assert caught.value.signal_id == "s1"
    with pytest.raises(UnusableSignal) as caught:
        Signal.parse(line(signal_id="s\u202e1"))
    assert caught.value.signal_id is None


def test_a_byte_order_mark_and_a_carriage_return_do_no_harm() -> None:
    assert Signal.parse(b"\xef\xbb\xbf" + WITH_ID.encode() + b"\r\n") == Signal.parse(WITH_ID)


# --- in Python ----------------------------------------------------------------------------------------------------------------


def test_a_signal_can_be_made_in_python() -> None:
    made = Signal(symbol="SPY", side="BUY", quantity=100, signal_id="s1")
    assert made == Signal.parse(line(quantity="100.0"))
    assert made.fingerprint == Signal.parse(line(quantity=100)).fingerprint


def test_an_id_of_a_second_leg_is_refused_by_every_door_and_read_back_from_the_store() -> None:
    fields = {"symbol": "SPY", "side": "BUY", "signal_id": "s1:opens"}
    for door in (Signal.model_validate, signal_given, lambda given: Signal(**given)):
        with pytest.raises(InvalidInput, match=r"signal_id: ends in :opens, .*; give another id"):
            door(fields)
    first = Signal(**fields | {"signal_id": "s1"})
    stored = second_leg_of(first)
    again = Signal.restored(stored.to_json())
    assert (again, again.signal_id, again.fingerprint) == (stored, "s1:opens", first.fingerprint)
    assert Signal(**fields | {"signal_id": "s1:opens:2"}).signal_id == "s1:opens:2"


def test_times_and_days_may_be_given_as_such() -> None:
    moment, day = datetime(2025, 3, 10, 9, 20, tzinfo=UTC), date(2025, 3, 27)
    made = Signal(symbol="SPY", side="BUY", signal_id="s1", timestamp=moment, expiry=day, timeout_seconds=2.5)
    assert made == Signal.parse(line(timestamp="2025-03-10T09:20:00Z", expiry="2025-03-27", timeout_seconds=2.5))


def test_a_float_is_refused_with_its_remedy() -> None:
    with pytest.raises(InvalidInput, match=r'limit_price: a binary float .*; write "230.05" or Decimal\("230.05"\)'):
        Signal(symbol="SPY", side="BUY", quantity=1, signal_id="s1", order_type="LIMIT", limit_price=230.05)


def test_an_infinite_decimal_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not a finite number"):
        Signal(symbol="SPY", side="BUY", quantity=Decimal("Infinity"), signal_id="s1")


# --- whatever comes -----------------------------------------------------------------------------------------------------------

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
field_names = st.sampled_from([*Signal.model_fields, "signal_type", "cms_score", "nonsense"])
plausible_values = (
    st.sampled_from(
        [*Side, *OrderType, "GTD", "CALL", "2025-03-10T09:20:00Z", "2025-03-27", "9999-12-31T23:59:59-01:00", "USD", "1e5"]
    )
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
    | json_values
)


@given(st.binary() | st.text())
def test_whatever_the_bytes_the_answer_is_a_signal_or_unusable(raw: str | bytes) -> None:
    assert_signal_or_unusable(raw)


@given(st.dictionaries(field_names, plausible_values))
def test_whatever_the_fields_the_answer_is_a_signal_or_unusable(fields: dict[str, Any]) -> None:
    assert_signal_or_unusable(json.dumps(fields))


@given(
    st.fixed_dictionaries({"symbol": st.just("SPY"), "side": st.sampled_from(Side), "signal_id": st.text()}),
    plausible_values,
    field_names,
)
def test_one_odd_field_in_a_good_signal_gives_a_signal_or_unusable(fields: dict[str, Any], value: Any, name: str) -> None:
    assert_signal_or_unusable(json.dumps(fields | {name: value}))


def assert_signal_or_unusable(raw: str | bytes) -> None:
    """A signal survives being written and read again; a reason is printable."""
    try:
        signal = Signal.parse(raw)
    except UnusableSignal as unusable:
        reason = str(unusable)
    else:
        again, reason = Signal.parse(signal.to_json()), ""
        assert (again, again.fingerprint) == (signal, signal.fingerprint)
    assert reason.isprintable()
