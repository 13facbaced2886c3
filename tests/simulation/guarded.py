"""A position with its stop, which rests: what else is to sell beside it, or moves the position, and then the price falls."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tests.simulation import scenario as s

SYMBOL, INSTRUMENT, PRICE = "SPY", "ARCA:SPY", Decimal(500)
STRATEGIES = ("default", "carry")
STOP_PRICE, BELOW_THE_STOP = Decimal(475), Decimal(470)
_SELL: dict[str, Any] = {"side": "SELL"}


def steps(chance: random.Random) -> Iterator[s.Step]:
    """One strategy's, or two strategies' on one symbol. Commits fail about when something is asked for."""
    last = 0.0
    for name in STRATEGIES[: chance.choice((1, 1, 2))]:
        entry = round(chance.uniform(0.1, 0.6), 3)
        units = chance.choice((10, 20))
        yield _signal(entry, f"in-{name}", name, {"side": "BUY", "quantity": units})
        rests_from = round(entry + chance.choice((0.0, 0.3, 2.0)) + chance.uniform(0.1, 0.4), 3)
        yield _signal(rests_from, f"stop-{name}", name, _stop(chance, units))
        at = rests_from
        for number in range(chance.choice((1, 1, 2, 3))):
            at = round(at + chance.choice((0.05, 0.5, 2.0)) * chance.uniform(0.5, 1.5), 3)
            yield chance.choice(_BESIDE)(chance, at, name, number, units)
            if chance.random() < 0.3:
                yield s.CommitFails(round(at - 0.01, 3), chance.choice([*s.CommitFault]), chance.choice((0, 0, 1)), 0.5)
        last = max(last, at)
    if chance.random() < 0.8:
        yield s.PriceMoved(round(last + chance.choice((-0.3, 0.1, 1.0, 3.0)), 3), INSTRUMENT, BELOW_THE_STOP)


def _stop(chance: random.Random, units: int) -> dict[str, Any]:
    size = chance.choice(({}, {}, {"quantity": units}, {"quantity": units // 2}))
    kind = chance.choice(({"role": "EXIT"}, {"position_effect": "CLOSE"}, {"role": "STOP_LOSS"}))
    return _SELL | {"order_type": "STOP", "stop_price": str(STOP_PRICE)} | kind | size


def _signal(at: float, signal_id: str, strategy: str, aim: dict[str, Any]) -> s.Step:
    named = {"signal_id": signal_id, "account_id": "SIM", "strategy_name": strategy, "symbol": SYMBOL}
    return s.Delivered(at, json.dumps(named | aim))


def _sale(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    """Of a part, of all, or of more than is held."""
    size = {"quantity": chance.choice((units // 2 - 1, units, units + 3, 2 * units))}
    terms = chance.choice(({}, {}, {"order_type": "LIMIT", "limit_price": "510"}, {"order_type": "LIMIT", "limit_price": "490"}))
    return _signal(at, f"x{number}-{strategy}", strategy, _SELL | size | terms)


def _exit(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    aim = chance.choice(
        (
            {"position_effect": "CLOSE"},
            {"position_effect": "CLOSE", "percent": 50},
            _SELL | {"role": "EXIT", "quantity": units // 2},
            _SELL | {"role": "EXIT", "order_type": "LIMIT", "limit_price": "510"},
        )
    )
    return _signal(at, f"x{number}-{strategy}", strategy, aim)


def _target(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    return _signal(at, f"x{number}-{strategy}", strategy, {"target_quantity": chance.choice((0, units // 2, units, 2 * units, -5))})


def _more(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    return _signal(at, f"x{number}-{strategy}", strategy, {"side": "BUY", "quantity": chance.choice((4, units))})


def _transfer(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    taker = next(name for name in STRATEGIES if name != strategy)
    named = {"instrument": INSTRUMENT, "from": strategy, "to": taker, "quantity": str(chance.choice((units // 2, units)))}
    return s.Commanded(at, "transfer", None, tuple((named | {"price": None, "evidence": "ours"}).items()))


def _change(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    """What a person does with the stop itself."""
    if chance.random() < 0.5:
        return s.Commanded(at, "cancel", f"stop-{strategy}")
    name, value = chance.choice((("quantity", str(chance.choice((2, units, units + 5)))), ("stop_price", "480")))
    return s.Commanded(at, "replace", f"stop-{strategy}", ((name, value),))


def _kill(chance: random.Random, at: float, strategy: str, number: int, units: int) -> s.Step:
    return s.Commanded(at, "kill", None, (("flatten", True),))


_Beside = Callable[[random.Random, float, str, int, int], s.Step]
_BESIDE: tuple[_Beside, ...] = (
    *(_sale, _sale, _sale, _exit, _exit, _exit, _target, _target),
    *(_more, _transfer, _transfer, _change, _kill),
)
