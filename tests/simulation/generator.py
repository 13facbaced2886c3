"""From a seed to a scenario. A few signals and many faults: a short history is searched fast and read fast."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.values import OrderType
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import (
    Fills,
    Keys,
    PriceSource,
    VenueAccount,
    VenueCommission,
    VenueSettings,
)
from tests.simulation import guarded, mass_ending, targeted_faults
from tests.simulation import scenario as s
from tests.simulation.targeted_faults import SLOW_SECONDS

CHAOS_SECONDS = 12.0
"""Within this everything happens; then faults cease."""
DELIVERY_BOUND_SECONDS = 4.0
"""Declared, and kept: no request is held longer."""
LAG_SECONDS = 1.5
HASTE_SECONDS = 0.5
"""A call may take so long where the store is slow all along: three of them are over before faults cease."""
MAY_BE_SHORT = 0.7
"""In so many histories."""
CROSSES_ZERO = 0.4
"""In so many histories one order may close a position and open the other side."""
OF_EXITS = 0.5
"""So many histories at random begin with an order that is likely to fill, and many that are to close what it opens."""
TARGETED, MASS_ENDINGS, SLOW, BEFORE_THE_OPEN = 0.25, 0.05, 0.05, 0.1
"""So many histories are of one order in a state that is rarely met otherwise, of many orders that end at once, of a store that is
slow all along, and of orders that wait for the open; the others are random.
"""

BY_HAND = 0.2
"""So many of the random ones are of exits beside which a person trades the account, at a broker whose positions may lag."""

GUARDED = 0.2
"""So many of the rest are of positions with a stop, and of what comes beside it."""

KEY_CLASSES = {
    "unique": Keys(),
    "searchable": Keys(support=KeySupport.SEARCHABLE),
    "searchable with lag": Keys(support=KeySupport.SEARCHABLE, lookup_lag_seconds=LAG_SECONDS),
    "none": Keys(support=KeySupport.NONE),
}
PRICES = {"SPY": 500, "AAPL": 200, "MSFT": 400}
INSTRUMENTS = {"SPY": "ARCA:SPY", "AAPL": "NASDAQ:AAPL", "MSFT": "NASDAQ:MSFT"}

_REQUEST_KINDS = (
    FaultKind.REQUEST_LOST,
    FaultKind.REQUEST_LOST,
    FaultKind.REQUEST_HELD,
    FaultKind.REQUEST_HELD,
    FaultKind.REQUEST_HELD,
    FaultKind.REQUEST_HELD,
    FaultKind.ACKNOWLEDGEMENT_LOST,
    FaultKind.ACKNOWLEDGEMENT_LOST,
    FaultKind.ACKNOWLEDGEMENT_LATE,
    FaultKind.ACKNOWLEDGEMENT_GARBLED,
    FaultKind.SERVER_ERROR,
    FaultKind.UNAVAILABLE,
    FaultKind.RATE_LIMITED,
    FaultKind.UNAUTHORIZED,
    FaultKind.STREAM_DROPPED,
    FaultKind.RESTART,
)
_QUERY_KINDS = (
    FaultKind.REQUEST_LOST,
    FaultKind.ACKNOWLEDGEMENT_LATE,
    FaultKind.ACKNOWLEDGEMENT_GARBLED,
    FaultKind.QUERY_FAILED,
    FaultKind.UNAUTHORIZED,
    FaultKind.STREAM_DROPPED,
    FaultKind.RESTART,
)
_REPORT_KINDS = (
    FaultKind.REPORT_LOST,
    FaultKind.REPORT_DUPLICATED,
    FaultKind.REPORT_LATE,
    FaultKind.REPORT_OUT_OF_ORDER,
)
_REQUESTS = (Point.SUBMIT, Point.SUBMIT, Point.SUBMIT, Point.CANCEL, Point.REPLACE)
_QUERIES = (Point.FIND, Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS, Point.POSITIONS, Point.QUOTE)


STRATEGIES = ("default", "carry")


class ScenarioRandom(random.Random):
    """With the moments at which signals come: faults come with them."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.busy: list[float] = []


def generate(seed: int) -> s.Scenario:
    chance, aims, hands = ScenarioRandom(seed), random.Random(f"{seed}/aims"), random.Random(f"{seed}/hands")
    key_class = chance.choice(sorted(KEY_CLASSES))
    accounts = ("SIM", "OTHER") if chance.random() < 0.2 else ("SIM",)
    venue = _venue(chance, seed, key_class, accounts)
    if aims.random() >= CROSSES_ZERO:
        apart = tuple(each.model_copy(update={"crosses_zero": False}) for each in venue.accounts)
        venue = venue.model_copy(update={"accounts": apart})
    capabilities = replace(
        capabilities_of(venue),
        delivery_bound_seconds=DELIVERY_BOUND_SECONDS,
        clock_skew_seconds=1.0,
        requests_per_second=chance.choice((1e6, 1e6, 2.0)),
        atomic_replace=True,
    )
    kind, call_timeout_seconds, is_by_hand = chance.random(), chance.choice((3.0, 1.0)), False
    target, opens_after = targeted_faults.a_target(chance) if kind < TARGETED else None, None
    if target is not None:
        venue = venue.model_copy(update=target.venue)
        steps = _targeted(chance, target)
    elif kind < TARGETED + MASS_ENDINGS:
        steps = _mass_ending(chance)
    elif kind < TARGETED + MASS_ENDINGS + SLOW:
        steps, call_timeout_seconds = _slow_all_along(chance, accounts), HASTE_SECONDS
    elif kind < TARGETED + MASS_ENDINGS + SLOW + BEFORE_THE_OPEN:
        opens_after = chance.uniform(2.0, CHAOS_SECONDS)
        steps = _at_random(chance, aims, accounts, hours="next_open")
    elif is_by_hand := hands.random() < BY_HAND:
        lag = hands.choice((0.0, 0.4, 1.0))
        fills = Fills(delay_seconds=hands.choice((0.0, 0.05)))
        venue = venue.model_copy(update={"positions_lag_seconds": lag, "fills": fills, "rejection_probability": 0.0})
        capabilities = replace(capabilities, position_lag_seconds=lag, max_position_age_seconds=hands.choice((0.0, 5.0)))
        steps = _by_hand(chance, hands)
    elif (stops := random.Random(f"{seed}/stops")).random() < GUARDED:
        steps = _guarded(chance, stops)
    else:
        steps = _at_random(chance, aims, accounts)
    return s.Scenario(
        seed,
        key_class,
        venue,
        capabilities,
        commit_seconds=chance.choice((0.0, 0.002, 0.05, 0.3)),
        call_timeout_seconds=call_timeout_seconds,
        breaker_failures=chance.choice((3, 20, 20, 20)),
        max_signal_age_seconds=chance.choice((None, None, 20.0)),
        may_be_short=not is_by_hand and aims.random() < MAY_BE_SHORT,
        steps=tuple(enumerate(sorted(steps, key=lambda each: each.at))),
        opens_after=opens_after,
    )


def _at_random(chance: ScenarioRandom, aims: random.Random, accounts: Sequence[str], **whims: Any) -> Iterator[s.Step]:
    signals = [signal | whims for signal in _signals(chance, accounts)]
    yield from _deliveries(chance, signals)
    moments = [*chance.busy]
    if aims.random() < OF_EXITS:
        named = {name: signals[0][name] for name in ("account_id", "symbol", "strategy_name")}
        signals = [{"signal_id": "opens", "side": aims.choice(("BUY", "BUY", "SELL")), "quantity": 10} | named, *signals]
        moments = [round(aims.uniform(0.1, 1.5), 3), *moments]
        yield s.Delivered(moments[0], json.dumps(signals[0]))
    yield from _exits(aims, signals, moments)
    yield from _faults(chance, [signal["signal_id"] for signal in signals])


def _by_hand(chance: ScenarioRandom, hands: random.Random) -> Iterator[s.Step]:
    """Somebody else trades what we hold; much later it is closed, all of it or in parts, by exits that come close together."""
    symbol = hands.choice(sorted(PRICES))
    named: dict[str, Any] = {"account_id": "SIM", "symbol": symbol}
    for name in STRATEGIES[: hands.choice((1, 2))]:
        signal = {"signal_id": f"in-{name}", "strategy_name": name, "side": "BUY", "quantity": hands.choice((10, 20))}
        at = round(hands.uniform(0.1, 0.6), 3)
        chance.busy.append(at)
        yield s.Delivered(at, json.dumps(named | signal))
    if units := hands.choice((0, -4, -10, -10, -20, -25, 5)):
        yield s.TradedByHand(round(hands.uniform(1.0, 2.5), 3), "SIM", INSTRUMENTS[symbol], Decimal(units))
    at = hands.uniform(9.7, 10.5)
    for number in range(hands.choice((2, 3, 4))):
        aim = hands.choice(({"position_effect": "CLOSE"}, {"side": "SELL", "quantity": 10}, {"side": "SELL", "role": "EXIT"}))
        signal = {"signal_id": f"x{number}", "strategy_name": hands.choice(STRATEGIES)}
        yield s.Delivered(_within(at), json.dumps(signal | named | aim))
        chance.busy.append(_within(at))
        at += hands.choice((0.05, 0.4, 0.9))
    for _ in range(hands.choice((0, 0, 1, 3))):
        make = hands.choice((_request_fault, _query_fault, _report_fault, _death, _commit, _slow))
        yield make(chance, [])


def _guarded(chance: ScenarioRandom, stops: random.Random) -> Iterator[s.Step]:
    for step in guarded.steps(stops):
        yield replace(step, at=_within(step.at))
        chance.busy.append(_within(step.at))
    for _ in range(stops.choice((0, 0, 1, 2))):
        yield stops.choice(_COMPANIONS)(chance, ["stop-default"])


def _targeted(chance: ScenarioRandom, target: targeted_faults.Target) -> Iterator[s.Step]:
    steps = targeted_faults.steps(chance, target, lambda: chance.choice(_COMPANIONS)(chance, [targeted_faults.TARGET]))
    return (replace(each, at=_within(each.at)) for each in steps)


def _mass_ending(chance: ScenarioRandom) -> Iterator[s.Step]:
    ending = mass_ending.a_mass_ending(chance)
    yield from ending.steps()
    for _ in range(chance.choice((0, 0, 1, 2))):
        companion = chance.choice(_COMPANIONS)(chance, ending.signal_ids)
        yield replace(companion, at=_within(ending.ends_at + chance.uniform(-1.0, 2.0)))


def _slow_all_along(chance: ScenarioRandom, accounts: Sequence[str]) -> Iterator[s.Step]:
    """From when it has started, and long enough for every attempt of an order to be too late."""
    signals = list(_signals(chance, accounts))
    yield s.StoreSlow(1.0, HASTE_SECONDS * chance.choice((0.6, 0.9, 1.2, 1.8)), CHAOS_SECONDS)
    yield from (replace(each, at=1.1 + each.at / 6) for each in _deliveries(chance, signals))
    for _ in range(chance.choice((0, 0, 1, 2))):
        yield chance.choice(_COMPANIONS)(chance, [signal["signal_id"] for signal in signals])


def _venue(chance: ScenarioRandom, seed: int, key_class: str, accounts: Sequence[str]) -> VenueSettings:
    parts = Decimal(chance.choice((2, 4))) if chance.random() < 0.7 else None
    return VenueSettings(
        seed=seed,
        accounts=tuple(VenueAccount(account_id=account) for account in accounts),
        prices=PriceSource(volatility=0.0),
        fills=Fills(delay_seconds=chance.choice((0.0, 0.05, 0.7, 2.5)), max_quantity=parts),
        keys=KEY_CLASSES[key_class],
        commission=VenueCommission(per_order=Decimal(1), per_unit=Decimal("0.01")) if chance.random() < 0.5 else VenueCommission(),
        reports_commission_apart=chance.random() < 0.3,
        rejection_probability=0.1 if chance.random() < 0.3 else 0.0,
        latency_seconds=chance.choice((0.0, 0.01, 0.2)),
        accept_delay_seconds=chance.choice((0.0, 0.0, 0.4)),
        cancel_delay_seconds=chance.choice((0.0, 0.3, 1.5)),
        replace_delay_seconds=chance.choice((0.0, 0.3, 1.5)),
    )


# --- signals -------------------------------------------------------------------------------------------------------------------


def _signals(chance: ScenarioRandom, accounts: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number in range(chance.choice((1, 1, 2, 2, 3, 4))):
        symbol = chance.choice(sorted(PRICES)[: chance.choice((1, 3))])
        yield {
            "signal_id": f"s{number}",
            "account_id": chance.choice(accounts),
            "strategy_name": STRATEGIES[number % 2],
            "symbol": symbol,
            "side": chance.choice(("BUY", "BUY", "SELL")),
            "quantity": chance.choice((1, 3, 6, 10)),
            **_terms(chance, Decimal(PRICES[symbol])),
        } | _whims(chance)


def _terms(chance: ScenarioRandom, price: Decimal) -> dict[str, Any]:
    kind = OrderType(chance.choice((*["MARKET", "LIMIT"] * 3, *OrderType)))
    near = str(price * Decimal(chance.choice(("0.9", "1", "1.1"))))
    terms: dict[str, Any] = {"order_type": kind.value}
    if kind.traits.needs_limit_price:
        terms["limit_price"] = near
    if kind.traits.needs_stop_price:
        terms["stop_price"] = str(price * Decimal(chance.choice(("0.95", "1.05"))))
    if kind.traits.trails:
        terms["trail_percent"] = "2"
    if kind.traits.needs_limit_offset:
        terms["limit_offset"] = "1"
    return terms


def _whims(chance: ScenarioRandom) -> dict[str, Any]:
    whims: dict[str, Any] = {}
    if chance.random() < 0.15:
        whims["time_in_force"] = chance.choice(("IOC", "GTC"))
    if chance.random() < 0.25:
        whims["timeout_seconds"] = chance.choice((3, 8))
    if chance.random() < 0.1:
        whims |= {"quantity": None, "notional": chance.choice((700, 3000))}
    if chance.random() < 0.2:
        whims["role"] = "EXIT"
    return whims


def _deliveries(chance: ScenarioRandom, signals: Sequence[dict[str, Any]]) -> Iterator[s.Step]:
    for signal in signals:
        at = _moment(chance, 0.7)
        chance.busy.append(at)
        yield s.Delivered(at, json.dumps(signal))
        while chance.random() < 0.3:
            at += chance.choice((0.0, 0.01, 0.5, 4.0))
            yield s.Delivered(at, json.dumps(signal))
    if chance.random() < 0.15:
        yield s.Delivered(
            _moment(chance), chance.choice(('{"symbol": 1', "{}", '{"signal_id": "m", "symbol": "NONE", "side": "BUY"}'))
        )
    if chance.random() < 0.1:
        yield s.Delivered(_moment(chance), json.dumps(signals[0] | {"quantity": 2, "notional": None}))


def _exits(aims: random.Random, signals: Sequence[dict[str, Any]], moments: Sequence[float]) -> Iterator[s.Step]:
    """What closes or turns round what an entry opened, or leads it to a target, some at once with it and some twice."""
    for number, (entry, moment) in enumerate(zip(signals, moments, strict=False)):
        while aims.random() < (0.8 if entry["signal_id"] == "opens" else 0.3):
            at = _within(moment + aims.choice((0.2, 4.0, 7.0, 10.0)) * aims.uniform(0.6, 1.0))
            if aims.random() < 0.1:
                yield s.Commanded(at, "close", None, (("symbol", entry["symbol"]),))
                continue
            named = {name: entry[name] for name in ("account_id", "symbol", "strategy_name")}
            is_long, price = entry["side"] == "BUY", Decimal(PRICES[entry["symbol"]])
            back, way = {"side": "SELL" if is_long else "BUY"}, 1 if is_long else -1
            worse, better = str(price * (1 - way * Decimal("0.1"))), str(price * (1 + way * Decimal("0.05")))
            aim = aims.choice(
                (
                    back,
                    back | {"role": "EXIT"},
                    {"position_effect": "CLOSE"},
                    {"position_effect": "CLOSE", "percent": aims.choice((30, 50, 100))},
                    back | {"position_effect": "CLOSE", "quantity": aims.choice((1, 4, 20))},
                    back | {"position_effect": "CLOSE", "order_type": "LIMIT", "limit_price": PRICES[entry["symbol"]]},
                    back | {"role": "EXIT", "order_type": "STOP", "stop_price": worse, "quantity": aims.choice((4, 10))},
                    back | {"role": "EXIT", "order_type": "LIMIT", "limit_price": better, "quantity": aims.choice((4, 10))},
                    {"target_quantity": way * aims.choice((0, 0, 2, 5, 14))},
                    {"target_quantity": way * aims.choice((-3, -12, 5, 14))},
                    back | {"quantity": aims.choice((13, 15, 25))},
                    back | {"position_effect": "OPEN", "quantity": aims.choice((2, 6))},
                )
            )
            name = f"x{number}-{aims.getrandbits(16)}"
            yield s.Delivered(at, json.dumps({"signal_id": name} | named | aim))


# --- faults -----------------------------------------------------------------------------------------------------------------


def _moment(chance: ScenarioRandom, part: float = 1.0) -> float:
    if chance.busy and chance.random() < 0.75:
        moment = chance.choice(chance.busy) + chance.choice((0.0, 0.05, 0.5, 3.0)) * chance.random()
    else:
        moment = chance.uniform(0, CHAOS_SECONDS * part)
    return _within(moment)


def _shortly_before(chance: ScenarioRandom) -> float:
    """A fault must be laid before what it strikes."""
    return _within(_moment(chance) - chance.choice((0.1, 0.5, 2.0)))


def _few(chance: ScenarioRandom, mean: float) -> range:
    """Often none, sometimes many."""
    return range(min(round(chance.expovariate(1 / mean)), 8))


def _faults(chance: ScenarioRandom, signal_ids: Sequence[str]) -> Iterator[s.Step]:
    for _ in range(chance.choice((0, 1, 2, 3))):
        yield from _two_at_once(chance, signal_ids)
    intensity = chance.choice((0.3, 0.7, 1.4, 2.5))
    for mean, make in _KINDS:
        for _ in _few(chance, mean * intensity):
            yield make(chance, signal_ids)


def _two_at_once(chance: ScenarioRandom, signal_ids: Sequence[str]) -> Iterator[s.Step]:
    """A fault of a request, and while its outcome is unknown, something else."""
    moment, point = chance.choice(chance.busy), chance.choice((Point.SUBMIT, Point.SUBMIT, Point.CANCEL, Point.REPLACE))
    if point is not Point.SUBMIT:
        moment += chance.uniform(0.3, 3.0)
        yield _request(chance, point.value, _within(moment), chance.choice(signal_ids))
    yield s.Laid(_within(moment - 0.3), _fault_of_request(chance, point))
    companion = chance.choice(_COMPANIONS)
    yield replace(companion(chance, signal_ids), at=_within(moment + chance.uniform(0.0, 3.0)))


def _within(moment: float) -> float:
    return round(min(max(moment, 0.0), CHAOS_SECONDS), 3)


def _request_fault(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.Laid(_shortly_before(chance), _fault_of_request(chance, chance.choice(_REQUESTS)))


def _fault_of_request(chance: ScenarioRandom, on: Point) -> Fault:
    seconds = round(chance.choice((0.3, 3.5, 3.5)) * chance.uniform(0.9, 1.0), 2)
    return Fault(kind=chance.choice(_REQUEST_KINDS), on=on, nth=1, seconds=seconds, silent=chance.random() < 0.3)


def _query_fault(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    nth = chance.choice((1, 1, 2, None))
    seconds = round(chance.uniform(0.1, 3.0), 2)
    fault = Fault(kind=chance.choice(_QUERY_KINDS), on=chance.choice(_QUERIES), nth=nth, seconds=seconds)
    return s.Laid(_moment(chance), fault)


def _report_fault(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    on = chance.choice((Point.REPORT, Point.FILL_REPORT))
    nth = chance.choice((1, 1, 2, None))
    return s.Laid(_moment(chance), Fault(kind=chance.choice(_REPORT_KINDS), on=on, nth=nth, seconds=chance.choice((0.3, 2.0, 6.0))))


def _fill_fault(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    seconds = chance.choice((0.0, 0.5, 3.0, 9.0))
    if chance.random() < 0.6:
        return s.Laid(_moment(chance), Fault(kind=FaultKind.BUST, on=Point.FILL, nth=chance.choice((1, 2)), seconds=seconds))
    price, quantity = Decimal(chance.choice((199, 401))), Decimal(chance.choice((1, 2, 5)))
    fault = Fault(kind=FaultKind.CORRECTION, on=Point.FILL, nth=1, seconds=seconds, price=price, quantity=quantity)
    return s.Laid(_moment(chance), fault)


def _death(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    steps = int(2 ** chance.uniform(0, 9))
    return s.Killed(_moment(chance), steps, chance.choice((0.0, 0.5, 3.5, 8.0)))


def _pause(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.Paused(_moment(chance), int(2 ** chance.uniform(0, 8)), chance.choice((1.0, 4.0, 9.0)))


def _stop(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.Stopped(_moment(chance), chance.choice((0.0, 2.0)))


def _jump(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.ClockJumped(_moment(chance), chance.choice((1, 1, -1)) * chance.choice((0.5, 20.0, 300.0)))


def _commit(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.CommitFails(
        _moment(chance), chance.choice(list(s.CommitFault)), chance.choice((0, 0, 1, 3)), chance.choice((0.5, 3.0))
    )


def _away(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.StoreAway(_moment(chance), chance.choice((0.3, 2.0, 6.0)), chance.random() < 0.4)


def _slow(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.StoreSlow(_shortly_before(chance), chance.choice(SLOW_SECONDS), chance.choice((2.0, 6.0)))


def _receiver(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.ReceiverFails(_moment(chance), chance.random() < 0.5)


def _bookmark(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.AcknowledgementFails(_moment(chance))


def _price(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    symbol = chance.choice(sorted(PRICES))
    return s.PriceMoved(
        _moment(chance), INSTRUMENTS[symbol], PRICES[symbol] * Decimal(chance.choice(("0.85", "0.94", "1", "1.06")))
    )


def _command(chance: ScenarioRandom, signal_ids: Sequence[str]) -> s.Step:
    at = _moment(chance)
    kind = chance.choice(
        ("cancel",) * 6 + ("replace",) * 6 + ("kill", "resume", "resume", "submit", "switch", "recover", "reconcile")
    )
    if kind in ("cancel", "replace"):
        return _request(chance, kind, at, chance.choice(signal_ids))
    match kind:
        case "kill":
            return s.Commanded(at, kind, None, tuple((name, chance.random() < 0.3) for name in ("cancel_all", "flatten")))
        case "submit":
            signal = {"signal_id": f"by-hand-{at}", "account_id": "SIM", "symbol": "SPY", "side": "BUY", "quantity": 3}
            return s.Commanded(at, kind, None, (("signal", json.dumps(signal)),))
        case "switch":
            return s.Commanded(at, "auto_trading", None, (("enabled", chance.random() < 0.5),))
        case _:
            return s.Commanded(at, kind)


def _request(chance: ScenarioRandom, kind: str, at: float, signal_id: str) -> s.Step:
    if kind == "cancel":
        return s.Commanded(at, kind, signal_id)
    name, value = chance.choice((("quantity", (2, 4, 12)), ("limit_price", (190, 380, 520))))
    return s.Commanded(at, kind, signal_id, ((name, str(chance.choice(value))),))


def _halt_row(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.HaltPut(_moment(chance))


def _staff(chance: ScenarioRandom, signal_ids: Sequence[str]) -> s.Step:
    act = chance.choice(("close", "restate", "bust", "fill", "place", "drop", "drop"))
    return s.VenueActed(_moment(chance), act, chance.choice(signal_ids), Decimal(chance.choice((2, 5, 11))))


def _transfer(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    giver, taker = chance.sample(STRATEGIES, 2)
    units, price = chance.choice((1, 2, 5, -1)), chance.choice((None, "300"))
    named = {"instrument": INSTRUMENTS[chance.choice(sorted(PRICES))], "from": giver, "to": taker, "quantity": str(units)}
    return s.Commanded(_moment(chance), "transfer", None, tuple((named | {"price": price, "evidence": "ours"}).items()))


def _flatten(chance: ScenarioRandom, _: Sequence[str]) -> s.Step:
    return s.Commanded(_moment(chance), "kill", None, (("flatten", True),))


_COMPANIONS = (
    *(_jump, _jump, _death, _death, _death, _pause, _stop),
    *(_commit, _away, _slow, _command, _command, _halt_row, _staff, _price),
)
"""What comes while a request is struck by a fault."""

_KINDS: Sequence[tuple[float, Callable[[ScenarioRandom, Sequence[str]], s.Step]]] = (
    (2.0, _request_fault),
    (0.7, _query_fault),
    (0.9, _report_fault),
    (0.5, _fill_fault),
    (0.9, _death),
    (0.25, _pause),
    (0.25, _stop),
    (0.5, _jump),
    (0.6, _commit),
    (0.25, _away),
    (0.25, _slow),
    (0.2, _receiver),
    (0.2, _bookmark),
    (0.6, _price),
    (1.2, _command),
    (0.1, _halt_row),
    (0.4, _staff),
    (0.4, _transfer),
    (0.15, _flatten),
)
"""How many of each come in a history of middling intensity."""
