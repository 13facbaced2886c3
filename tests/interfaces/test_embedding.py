"""What a program that embeds a runner may rely on: ids, arguments, callbacks, the events, the log, the end."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import liveorder
from liveorder import (
    Brokerage,
    BrokerTimeoutError,
    DecisionRefused,
    FillView,
    HistoryView,
    InvalidInput,
    LiveOrderError,
    OrderNotFound,
    OrderStatus,
    OrderView,
    RiskManagementError,
    Runner,
    RunnerClosed,
    SettingsError,
    Signal,
    StoppedBefore,
    ThreadedRunner,
    UnusableSignal,
    tune_process,
)
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings import Settings
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.settings import VenueAccount, VenueSettings
from tests.interfaces.test_runner import settings

PUBLIC = sorted(name for name, member in vars(Runner).items() if inspect.isfunction(member) and not name.startswith("_"))
"""The methods of a runner that is open."""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedRunner]:
    accounts = [{"id": "A"}, {"id": "B"}]
    with ThreadedRunner(**settings(tmp_path_factory.mktemp("embedding"), accounts=accounts)) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled(runner: ThreadedRunner) -> OrderView:
    return runner.wait_closed(runner.buy("BTC/USD", "0.01", signal_id="filled-1").order_id, 60)


# --- ids ------------------------------------------------------------------------------------------------------------------------

NAMING: dict[str, Callable[[OrderView], UUID | str]] = {
    "UUID": lambda order: order.order_id,
    "text": lambda order: str(order.order_id),
    "capitals": lambda order: str(order.order_id).upper(),
    "hexadecimal": lambda order: order.order_id.hex,
    "client order id": lambda order: order.client_order_id,
    "broker's id": lambda order: order.broker_order_id or "",
    "signal id": lambda order: order.signal_id,
}
OF_AN_ORDER: dict[str, dict[str, Any]] = {
    "order": {},
    "order_status": {},
    "history": {},
    "order_history": {},
    "wait_closed": {},
    "cancel": {},
    "replace": {"quantity": 2},
    "settle": {"evidence": "seen", "actor": "ann"},
}
"""The methods that take the id of an order, with what else they need."""
ARE_TOO_LATE = ("cancel", "replace", "settle")


def test_every_method_that_takes_the_id_of_an_order_is_tried() -> None:
    assert {name for name in PUBLIC if "order_id" in inspect.signature(getattr(Runner, name)).parameters} == {*OF_AN_ORDER}


@pytest.mark.parametrize("method", OF_AN_ORDER)
@pytest.mark.parametrize("naming", NAMING)
def test_an_order_is_named_by_any_of_its_ids(runner: ThreadedRunner, filled: OrderView, method: str, naming: str) -> None:
    named, call = NAMING[naming](filled), getattr(runner, method)
    if method in ARE_TOO_LATE:
        with pytest.raises(DecisionRefused):
            call(named, **OF_AN_ORDER[method])
    else:
        assert call(named) == call(filled.order_id)


@pytest.mark.parametrize("method", OF_AN_ORDER)
@pytest.mark.parametrize(
    "unknown", [UUID(int=7), str(UUID(int=7)), "no-such-order", "0", "'; DROP TABLE orders; --", "\x00", "é" * 300]
)
def test_an_id_that_no_order_has_is_not_found(runner: ThreadedRunner, method: str, unknown: UUID | str) -> None:
    with pytest.raises(OrderNotFound, match="no order with id"):
        getattr(runner, method)(unknown, **OF_AN_ORDER[method])


@pytest.mark.parametrize("method", OF_AN_ORDER)
@pytest.mark.parametrize("wrong", [None, 5, 5.5, b"x", ["x"], {}, object(), "", "  ", Decimal(1)])
def test_what_is_no_id_is_named_as_such(runner: ThreadedRunner, method: str, wrong: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        getattr(runner, method)(wrong, **OF_AN_ORDER[method])
    assert refused.value.field == "order_id"


def test_an_id_that_several_orders_share_is_refused_with_the_ids_that_tell_them_apart(runner: ThreadedRunner) -> None:
    both = [runner.buy("BTC/USD", "0.01", signal_id="shared", account_id=account) for account in ("A", "B")]
    with pytest.raises(InvalidInput, match=r"^order_id: shared is shared by 2 orders; name one by its order id: ") as refused:
        runner.order("shared")
    assert all(str(order.order_id) in str(refused.value) for order in both)


def test_the_order_of_that_id_counts_before_one_whose_signal_has_it(runner: ThreadedRunner, filled: OrderView) -> None:
    child = runner.buy("BTC/USD", "0.01", signal_id=str(filled.order_id))
    assert runner.order(str(filled.order_id)) == filled
    assert runner.order(child.client_order_id).order_id == child.order_id


def test_a_signal_id_that_is_a_uuid_names_its_order_too(runner: ThreadedRunner) -> None:
    name = uuid4()
    order = runner.buy("BTC/USD", "0.01", signal_id=str(name))
    assert runner.order(name).order_id == runner.order(str(name)).order_id == order.order_id


def test_the_stream_of_something_else_is_no_order(runner: ThreadedRunner) -> None:
    runner.kill("for its event")
    runner.resume()
    others = {event.stream_id for event in _until_now(runner) if event.fact == "TradingHalted"}
    assert others
    for other in others:
        with pytest.raises(OrderNotFound):
            runner.history(other)


# --- arguments ------------------------------------------------------------------------------------------------------------------

GIVEN: dict[str, dict[str, Any]] = {
    "account": {"account_id": "A", "max_age_seconds": 5},
    "adopt": {"account_id": "A", "broker_order_id": "V1", "evidence": "seen", "actor": "ann", "strategy_name": "s"},
    "close": {"symbol": "BTC/USD"},
    "events": {"after": 0},
    "execute": {"signal": {"symbol": "BTC/USD", "side": "BUY", "signal_id": "x"}},
    "execute_limit_order": {"symbol": "BTC/USD", "quantity": 1, "limit_price": 1, "side": "BUY"},
    "execute_market_order": {"symbol": "BTC/USD", "quantity": 1, "side": "BUY"},
    "buy": {"symbol": "BTC/USD", "quantity": 1},
    "sell": {"symbol": "BTC/USD", "quantity": 1},
    "on_error": {"function": print},
    "on_fill": {"function": print},
    "on_status": {"function": print},
    "replace": {"quantity": 1, "limit_price": 1, "stop_price": 1},
    "report": {"name": "fills"},
    "resume": {"scope": "*", "detail": "fine"},
    "settle": {"found": "V1", "evidence": "seen", "actor": "ann"},
    "target": {"symbol": "BTC/USD", "quantity": 1},
    "transfer": {
        "instrument": "X",
        "from_strategy": "a",
        "to_strategy": "b",
        "quantity": 1,
        "price": 1,
        "account_id": "A",
        "product": "CNC",
        "evidence": "seen",
        "actor": "ann",
    },
    "validate": {"signal": {"symbol": "BTC/USD", "side": "BUY", "signal_id": "x"}},
    "wait_closed": {"timeout_seconds": 1},
}
"""Arguments that are right as such, by method. The ids of orders, and the filters of lists, have tests of their own."""
NOT_JUDGED = {"order_id", "detail of kill", "cancel_all", "flatten", "strict", "percent"}
WRONG: list[Any] = [object(), 2.5, b"x", ["x"], float("nan")]
ARGUMENTS = [(method, name) for method, arguments in GIVEN.items() for name in arguments]


def test_every_argument_of_every_method_is_tried() -> None:
    taken = {
        (method, name)
        for method in PUBLIC
        for name, parameter in inspect.signature(getattr(Runner, method)).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in ("self", *NOT_JUDGED) and method != "kill"
    }
    assert taken == {*ARGUMENTS}


@pytest.mark.parametrize(("method", "name"), ARGUMENTS)
def test_an_argument_of_a_wrong_type_is_refused_by_its_name(
    runner: ThreadedRunner, filled: OrderView, method: str, name: str
) -> None:
    for wrong in WRONG:
        if name.endswith("_seconds") and wrong == 2.5:
            continue
        first = [filled.order_id] if method in OF_AN_ORDER else []
        with pytest.raises(InvalidInput) as refused:
            getattr(runner, method)(*first, **GIVEN[method] | {name: wrong})
        known = {"function": method, "name": "report", "quantity": "target_quantity" if method == "target" else "quantity"}
        assert refused.value.field == known.get(name, name)


def test_a_kill_stops_whatever_its_arguments_are(runner: ThreadedRunner) -> None:
    assert runner.kill(5, cancel_all="yes").is_durable  # type: ignore[arg-type]  # wrong on purpose
    assert runner.resume()


@pytest.mark.parametrize("name", sorted(inspect.signature(Runner.open).parameters.keys() - {"config", "settings"}))
async def test_an_argument_of_open_misspelt_is_refused_with_the_one_that_was_meant(tmp_path: Path, name: str) -> None:
    for misspelt in (name[:-1], f"{name}s", name.replace("_", ""), f"{name}_"):
        wrong: dict[str, Any] = {misspelt: None}
        if misspelt not in {*inspect.signature(Runner.open).parameters, *Settings.model_fields}:
            with pytest.raises(SettingsError, match=f"^{misspelt}: no such .*; did you mean {name}[?]"):
                async with Runner.open(**wrong, **settings(tmp_path)):
                    raise AssertionError("opened")


@pytest.mark.parametrize("called", ["buy", "sell", "close", "target", "execute_market_order", "execute_limit_order"])
def test_a_field_misspelt_or_given_twice_is_refused_by_its_name(runner: ThreadedRunner, called: str) -> None:
    call = getattr(runner, called)
    with pytest.raises(InvalidInput, match="'strategy_nam': unknown; did you mean 'strategy_name'"):
        call(**GIVEN[called], strategy_nam="x")
    said = {"close": "position_effect", "target": "target_quantity"}.get(called, "signal_type")
    with pytest.raises(InvalidInput, match=rf"^{said}: {called}\(\) says it itself; leave it out, or use execute\(\)"):
        call(**GIVEN[called], **{said: "BUY"})


@pytest.mark.parametrize("method", ["buy", "sell", "execute_market_order"])
def test_a_quantity_of_none_is_no_size_of_the_settings(runner: ThreadedRunner, method: str) -> None:
    """What a calculation that went wrong returns must not become an order of the usual size."""
    with pytest.raises(InvalidInput, match=r"^quantity: None is no quantity; give a number, or leave it out"):
        getattr(runner, method)(**GIVEN[method] | {"quantity": None})


def test_without_a_quantity_another_size_counts_and_else_that_of_the_settings(tmp_path: Path) -> None:
    risk = {"risk": settings(tmp_path)["risk"] | {"position_size": 500}}
    with ThreadedRunner(**settings(tmp_path) | risk) as runner:
        worth = [runner.buy("ETH/USD", **size) for size in ({}, {"notional": 500})]
        sizes = [order.quantity or order.filled_quantity for order in worth]
        assert abs(sizes[0] - sizes[1]) < Decimal("0.01")  # the price moves between the two
        assert sizes[0] > Decimal("0.1")
        held = runner.wait_closed(worth[0].order_id, 30).filled_quantity + runner.wait_closed(worth[1].order_id, 30).filled_quantity
        assert runner.sell("ETH/USD").quantity == held  # on the other side of what is held: all of it


# --- signals as dicts -------------------------------------------------------------------------------------------------------------

LINES = [
    '{"symbol":"BTC/USD","side":"BUY","quantity":"0.01","signal_id":"d1","sybmol":"x"}',
    '{"symbol":"BTC/USD","side":"BYE","quantity":"0.01","signal_id":"d1"}',
    '{"symbol":"BTC/USD","side":"BUY","quantity":"-1","signal_id":"d1"}',
    '{"symbol":"BTC/USD","side":"BUY","quantity":true,"signal_id":"d1"}',
    '{"symbol":"BTC/USD","side":"BUY","signal_type":"BUY","signal_id":"d1"}',
    '{"symbol":"BTC/USD","side":"BUY","order_type":"LIMIT","signal_id":"d1"}',
    '{"symbol":" BTC/USD","side":"BUY","signal_id":"d1"}',
    '{"side":"BUY","signal_id":"d1"}',
    "{}",
]


@pytest.mark.parametrize("line", LINES)
def test_a_dict_is_refused_in_the_words_that_a_line_of_a_file_is(runner: ThreadedRunner, line: str) -> None:
    with pytest.raises(UnusableSignal) as of_a_line:
        Signal.parse(line)
    for call in (runner.execute, runner.validate):
        with pytest.raises(InvalidInput) as of_a_dict:
            call(json.loads(line))
        assert str(of_a_dict.value) == str(of_a_line.value)


def test_a_dict_is_the_signal_that_its_line_is(runner: ThreadedRunner) -> None:
    fields = {"signal_id": "d-2", "symbol": "BTC/USD", "signal_type": "BUY", "quantity": "0.01", "stop_loss": None}
    assert runner.execute(fields).order_id == runner.execute(Signal(**fields)).order_id
    assert fields["signal_type"] == "BUY"  # and is left as it was
    for wrong in ("BTC/USD", b"{}", [fields], None, 5):
        with pytest.raises(InvalidInput, match=r"signal: a .* is no signal; give a Signal or a dict"):
            runner.execute(wrong)  # type: ignore[arg-type]  # wrong on purpose


# --- names that people look for --------------------------------------------------------------------------------------------------


def test_a_threaded_runner_has_every_method_of_a_runner_with_the_same_arguments() -> None:
    for name in PUBLIC:
        own, other = getattr(Runner, name), getattr(ThreadedRunner, name)
        named, there = [*inspect.signature(own).parameters], inspect.signature(other).parameters
        passes_on = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in there.values())
        assert passes_on or [*there] == named, name


def test_the_names_of_others_are_those_of_ours(runner: ThreadedRunner, filled: OrderView) -> None:
    assert runner.order_status(filled.order_id) is OrderStatus.FILLED
    assert runner.all_orders() == runner.orders()
    assert runner.order_history("filled-1") == runner.history(filled.order_id)
    market = runner.execute_market_order("BTC/USD", "0.01", "buy")
    limit = runner.execute_limit_order("BTC/USD", "0.01", 100, "BUY", strategy_name="s")
    assert (market.side, market.order_type, market.quantity) == ("BUY", "MARKET", Decimal("0.01"))
    assert (limit.order_type, limit.limit_price, limit.strategy_name) == ("LIMIT", Decimal(100), "s")
    runner.cancel(limit.order_id)


def test_an_order_has_the_attributes_of_others_to_read_and_not_to_write(filled: OrderView) -> None:
    assert filled.avg_fill_price == filled.average_price is not None
    assert (filled.submission_time, filled.last_update_time) == (filled.submitted_at, filled.last_update_at)
    assert (filled.retry_count, len(filled.fills), filled.error_message) == (0, 1, None)
    assert filled.remaining_quantity == 0
    assert filled.model_copy(update={"attempts": 3}).retry_count == 2
    assert filled.model_copy(update={"attempts": 0}).retry_count == 0
    assert not {"avg_fill_price", "submission_time", "last_update_time", "retry_count"} & filled.to_dict().keys()
    for name in ("avg_fill_price", "retry_count", "status"):
        with pytest.raises((AttributeError, ValueError)):
            setattr(filled, name, 1)


def test_a_strict_validation_raises_every_reason(runner: ThreadedRunner) -> None:
    fine = {"signal_id": "v", "symbol": "BTC/USD", "side": "BUY", "quantity": "0.01"}
    assert runner.validate(fine, strict=True) == []
    refusals = runner.validate(fine | {"score": "5"})
    assert refusals
    with pytest.raises(RiskManagementError) as refused:
        runner.validate(fine | {"score": "5"}, strict=True)
    assert refused.value.refusals == tuple(refusals)
    assert all(each.message in str(refused.value) for each in refusals)


def test_everything_that_a_method_says_it_raises_can_be_imported_from_the_package() -> None:
    texts = [str(inspect.getdoc(member)) for of in (Runner, ThreadedRunner) for member in (of, *vars(of).values())]
    raised = {
        name for text in texts for part in re.findall(r"Raises? (.+?)(?:\.\s|\.$|$)", text, re.DOTALL) for name in _classes(part)
    }
    builtin = {"TimeoutError", "RuntimeError"}
    assert raised > {"InvalidInput", "UnusableSignal", "OrderNotFound", "RunnerClosed", "StoreUnavailable", "LeaseLost"}
    assert [name for name in sorted(raised - builtin) if not _is_error(name)] == []
    listed = "BrokerConnectionError BrokerTimeoutError BrokerRateLimitError InsufficientBalanceError InvalidSymbolError "
    listed += "OrderValidationError OrderRetryExhaustedError RiskManagementError"
    assert [name for name in listed.split() if not _is_error(name)] == []


def _classes(text: str) -> list[str]:
    return [name for name in re.findall(r"`([A-Z]\w+)`", text) if name != "Runner"]


def _is_error(name: str) -> bool:
    return name in liveorder.__all__ and issubclass(getattr(liveorder, name), LiveOrderError)


def test_a_process_can_be_tuned_by_a_name_of_the_package() -> None:
    assert callable(tune_process)
    assert "tune_process" in liveorder.__all__


# --- callbacks ------------------------------------------------------------------------------------------------------------------


async def test_callbacks_are_added_and_removed_while_it_runs_and_called_in_their_order(tmp_path: Path) -> None:
    heard: list[str] = []
    where: ContextVar[str] = ContextVar("where", default="nowhere")

    def telling(name: str) -> Callable[..., None]:
        return lambda order, other: heard.append(f"{name} {order.signal_id} {order.status}")

    async with Runner.open(on_status=telling("opened"), **settings(tmp_path)) as runner:
        where.set("here")
        added = [runner.on_status(telling("first")), runner.on_status(telling("second"))]
        runner.on_fill(lambda order, fill: heard.append(f"fill in {where.get()}"))
        where.set("there")
        await runner.wait_closed((await runner.buy("BTC/USD", 1, signal_id="a")).order_id, 30)
        names = ["opened", "first", "second"]
        steps = [heard[at : at + 3] for at in range(0, 9, 3)]
        assert steps[0] == [f"{name} a {steps[0][0].split()[-1]}" for name in names]
        assert heard[-4:] == ["fill in here", *(f"{name} a FILLED" for name in names)]  # all of them before wait_closed returned

        heard.clear()
        added[0].remove()
        added[0].remove()
        added[1]()
        await runner.wait_closed((await runner.buy("BTC/USD", 1, signal_id="b")).order_id, 30)
        assert {each.split()[0] for each in heard} == {"opened", "fill"}
    with pytest.raises(RunnerClosed):
        runner.on_fill(print)


async def test_a_callback_that_removes_itself_is_not_called_again_and_may_add_another(tmp_path: Path) -> None:
    heard: list[str] = []
    async with Runner.open(**settings(tmp_path)) as runner:

        def later(order: OrderView, before: OrderStatus | None) -> None:
            heard.append(f"later {order.status}")

        def once(order: OrderView, before: OrderStatus | None) -> None:
            heard.append(f"once {order.status}")
            subscription.remove()
            runner.on_status(later)

        subscription = runner.on_status(once)
        order = await runner.wait_closed((await runner.buy("BTC/USD", 1)).order_id, 30)
    assert [each for each in heard if each.startswith("once")] == heard[:1]
    assert heard[-1] == f"later {order.status}"


async def test_a_coroutine_has_begun_when_wait_closed_returns_and_ended_when_the_block_has(
    tmp_path: Path,
) -> None:
    steps: list[str] = []
    may_go_on = asyncio.Event()

    async def slow(order: OrderView, fill: FillView) -> None:
        steps.append("began")
        await may_go_on.wait()
        steps.append("ended")

    async with Runner.open(on_fill=slow, **settings(tmp_path)) as runner:
        order = await runner.buy("BTC/USD", 1)
        await runner.wait_closed(order.order_id, 30)
        assert steps == ["began"]
        assert (await runner.wait_closed(order.order_id, 30)).status == "FILLED"
        may_go_on.set()
    assert steps == ["began", "ended"]


async def test_callbacks_of_open_hear_of_a_fill_that_recovery_finds(tmp_path: Path) -> None:
    """A request that arrived when nobody here was listening any more."""
    clock = SystemClock()
    venue = VenueSettings(accounts=(VenueAccount(account_id="SIM"),))
    floor = Floor(open_venue(venue, clock.now()), venue, clock)

    def connected() -> Brokerage:
        line = InProcess(floor, clock)
        return Brokerage(SimulatedBroker(line), SimulatedMarketData(line), SimulatedInstruments())

    on_its_way: list[Any] = []

    async def late(prepared: Any) -> Any:
        on_its_way.append(prepared)
        raise BrokerTimeoutError("no answer")

    first = connected()
    first.broker.submit = late  # type: ignore[method-assign]  # a fault of our own making
    async with Runner.open(brokers={"SIM": first}, **settings(tmp_path)) as runner:
        order = await runner.buy("BTC/USD", 1, signal_id="a")
        assert order.fills == ()
    network = connected().broker
    await network.connect()
    await network.submit(on_its_way[0])
    await network.close()
    heard: list[str] = []
    opening = Runner.open(
        brokers={"SIM": connected()}, on_fill=lambda order, fill: heard.append(order.signal_id), **settings(tmp_path)
    )
    async with opening as runner:
        assert (await runner.wait_closed("a", 60)).status == "FILLED"
        assert heard == ["a"]
    floor.close()


@pytest.mark.parametrize("kind", ["on_fill", "on_status", "on_error"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (5, "5 cannot be called"),
        ("print", "'print' cannot be called"),
        (lambda order: None, r"<lambda>\(order\) does not take what it is called with"),
        (lambda *, order, fill: None, r"<lambda>\(\*, order, fill\) does not take"),
        (lambda a, b, c: None, r"<lambda>\(a, b, c\) does not take"),
    ],
)
async def test_what_cannot_be_called_back_is_refused_at_once(tmp_path: Path, kind: str, wrong: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{kind}: .*{says}.*; give a function of \(order, "):
        async with Runner.open(**{kind: wrong}, **settings(tmp_path)):
            raise AssertionError("opened")
    assert not (tmp_path / "orders.db").exists()


def test_callbacks_of_a_threaded_runner_come_and_go_from_any_thread_and_may_trade_by_its_other_half(tmp_path: Path) -> None:
    closed = threading.Event()
    heard: list[str] = []

    async def close(order: OrderView, fill: FillView) -> None:
        if order.signal_id == "a":
            await trading.asynchronous.close("BTC/USD", signal_id="b")
        else:
            closed.set()

    with ThreadedRunner(**settings(tmp_path)) as trading:
        trading.on_fill(close)
        counted = trading.on_fill(lambda order, fill: heard.append(order.signal_id))
        trading.buy("BTC/USD", 1, signal_id="a")
        assert closed.wait(60)
        counted.remove()
        trading.wait_closed(trading.buy("BTC/USD", 1, signal_id="c").order_id, 30)
    assert heard == ["a", "b"]


# --- events ---------------------------------------------------------------------------------------------------------------------


def _until_now(runner: ThreadedRunner, after: int = 0) -> list[HistoryView]:
    end = runner.position()
    found: list[HistoryView] = []
    for event in runner.events(after):
        found.append(event)
        if event.position >= end:
            break
    return found


async def test_events_come_once_in_order_live_and_after_a_restart_from_the_position_reached(tmp_path: Path) -> None:
    seen: list[HistoryView] = []
    enough = asyncio.Event()

    async def follow(runner: Runner, after: int) -> None:
        async for event in runner.events(after):
            seen.append(event)
            if event.fact == "Filled":
                enough.set()

    async with Runner.open(**settings(tmp_path)) as runner:
        following = asyncio.create_task(follow(runner, 0))
        orders = [await runner.wait_closed((await runner.buy("BTC/USD", "0.01", signal_id="a")).order_id, 30)]
        await enough.wait()
    await following  # it ends with the runner
    enough.clear()
    async with Runner.open(**settings(tmp_path)) as runner:
        following = asyncio.create_task(follow(runner, seen[-1].position))
        orders.append(await runner.wait_closed((await runner.buy("BTC/USD", "0.01", signal_id="b")).order_id, 30))
        await enough.wait()
        end = await runner.position()
        rest = [event async for event in _up_to(runner, seen[-1].position, end)] if seen[-1].position < end else []
        whole = [event async for event in _up_to(runner, 0, end)]
    await following
    positions = [event.position for event in (*seen, *rest)]
    assert positions == sorted(set(positions))
    assert [*seen, *rest][: len(whole)] == whole
    assert [event.position for event in whole] == [*range(1, end + 1)]
    for order in orders:
        assert sum(event.stream_id == order.order_id for event in whole) == order.version


async def _up_to(runner: Runner, after: int, end: int) -> Any:
    async for event in runner.events(after):
        yield event
        if event.position == end:
            return


async def test_a_position_that_the_log_has_not_reached_is_refused(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        beyond = await runner.position() + 1
        with pytest.raises(
            InvalidInput, match=f"^after: the log ends at {beyond - 1}, before {beyond}; the store has lost its end"
        ):
            await anext(aiter(runner.events(beyond)))
        for wrong in (-1, 1.0, "1", True, None):
            with pytest.raises(InvalidInput, match=r"^after: .* is not a position of the log"):
                runner.events(wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_thread_that_waits_for_an_event_ends_with_the_runner(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        has_begun = threading.Event()

        def follow(events: Iterator[HistoryView]) -> int:
            count = 0
            for _ in events:
                count += 1
                has_begun.set()
            return count

        with ThreadedRunner(**settings(tmp_path)) as runner:
            following = threads.submit(follow, runner.events())
            runner.wait_closed(runner.buy("BTC/USD", "0.01").order_id, 30)
            assert has_begun.wait(30)
        assert following.result(30) > 0


# --- the log --------------------------------------------------------------------------------------------------------------------


async def test_a_logger_of_the_standard_library_receives_the_log_with_secrets_masked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPACA_SECRET_KEY", "hunter2-hunter2")

    def leak(*_: object) -> None:
        raise ValueError("hunter2-hunter2 at postgresql://bob:swordfish@db/x, 100% of it %s")

    with caplog.at_level(logging.DEBUG, "mine"):
        async with Runner.open(
            log=logging.getLogger("mine"), on_fill=leak, trading_mode="SIMULATION", **settings(tmp_path)
        ) as runner:
            order = await runner.wait_closed((await runner.buy("BTC/USD", "0.01", signal_id="s-1")).order_id, 30)
    records = [record for record in caplog.records if record.name == "mine"]
    (filled,) = [record for record in records if "filled" in record.getMessage() and record.levelno == logging.INFO]
    assert filled.getMessage().startswith("[EXECUTION] | Order filled: 0.01 @ ")
    assert f"order_id={order.order_id}" in filled.getMessage()
    told = filled.liveorder  # type: ignore[attr-defined]  # what the adapter adds
    assert (told["signal_id"], told["category"], told["symbol"]) == ("s-1", "EXECUTION", "BTC/USD")
    (raised,) = [record for record in records if record.levelno == logging.ERROR]
    assert "leak raised ValueError" in raised.getMessage()
    everything = "".join(f"{record.getMessage()} {vars(record)}" for record in records)
    assert "hunter2" not in everything
    assert "swordfish" not in everything
    assert not (tmp_path / "logs").exists()


async def test_a_handler_that_raises_does_not_touch_trading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ZeroDivisionError("mine")

    logger = logging.getLogger("broken")
    logger.addHandler(Broken())
    logger.setLevel(logging.INFO)
    async with Runner.open(log=logging.LoggerAdapter(logger, {}), **settings(tmp_path)) as runner:
        assert (await runner.wait_closed((await runner.buy("BTC/USD", "0.01")).order_id, 30)).status == "FILLED"
    assert capsys.readouterr().err.count("log lines are being lost (mine)") == 1


@pytest.mark.parametrize("wrong", ["x", 5, logging, logging.Logger, print, StringIO()])
async def test_what_is_no_log_is_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(SettingsError, match=r"^log: a .* is no log; give logging.getLogger\(…\), or an object with write"):
        async with Runner.open(log=wrong, **settings(tmp_path)):
            raise AssertionError("opened")


# --- the end --------------------------------------------------------------------------------------------------------------------


def _every_call(runner: Runner | ThreadedRunner, order_id: UUID) -> dict[str, Callable[[], Any]]:
    def calling(method: str) -> Callable[[], Any]:
        first = [order_id] if method in OF_AN_ORDER else []
        return lambda: getattr(runner, method)(*first, **GIVEN.get(method, OF_AN_ORDER.get(method, {})))

    return {method: calling(method) for method in PUBLIC} | {"recorder": lambda: runner.recorder}


async def test_every_call_after_the_block_and_from_another_loop_says_so(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        calls = _every_call(runner, UUID(int=1))
        for name, call in calls.items():
            if name != "events":

                async def elsewhere(call: Callable[[], Any] = call) -> None:
                    answer = call()
                    await answer

                with pytest.raises(RuntimeError, match="belongs to another event loop"):
                    await asyncio.to_thread(asyncio.run, elsewhere())
    assert runner.recovery is not None
    for call in calls.values():
        with pytest.raises(RunnerClosed, match="this runner has ended with its block; open another one"):
            await call()


def test_every_call_before_and_after_the_block_of_a_threaded_runner_says_so(tmp_path: Path) -> None:
    runner = ThreadedRunner(**settings(tmp_path))
    calls = _every_call(runner, UUID(int=1)) | {"recovery": lambda: runner.recovery, "asynchronous": lambda: runner.asynchronous}
    for call in calls.values():
        with pytest.raises(RunnerClosed, match="not open yet"):
            call()
    with runner:
        pass
    for call in calls.values():
        with pytest.raises(RunnerClosed, match="has ended with its block; make another one"):
            call()
    with pytest.raises(RunnerClosed, match="has been opened before"), runner:
        pass


async def test_who_waits_for_an_order_when_the_runner_ends_is_told(tmp_path: Path) -> None:
    async with Runner.open(**settings(tmp_path)) as runner:
        resting = await runner.buy("BTC/USD", 1, order_type="LIMIT", limit_price=100)
        waiting = asyncio.create_task(runner.wait_closed(resting.order_id))
        for _ in range(5):  # until it waits
            await asyncio.sleep(0)
    with pytest.raises(RunnerClosed):
        await waiting


def test_a_thread_that_waits_for_an_order_when_the_runner_ends_is_told(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        with ThreadedRunner(**settings(tmp_path)) as runner:
            resting = runner.buy("BTC/USD", 1, order_type="LIMIT", limit_price=100)
            waiting = [threads.submit(runner.wait_closed, resting.order_id) for _ in range(4)]
        for each in waiting:
            with pytest.raises((RunnerClosed, StoppedBefore)):
                each.result(30)
