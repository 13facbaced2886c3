"""What each setting does that is not a broker's or the venue's."""

from __future__ import annotations

import asyncio
import io
import os
import time
from contextlib import closing, redirect_stderr
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from liveorder import Runner
from liveorder.bootstrap import file_source, open_service
from liveorder.bootstrap.doors import open_doors
from liveorder.bootstrap.http import listener
from liveorder.bootstrap.parts import clock_of, log_of
from liveorder.domain.errors import SettingsError
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.order import LiveOrder
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from tests.effects.catalogue import found
from tests.effects.observing import (
    BY_HAND,
    KEYS,
    LIMIT,
    Effect,
    Observe,
    becomes,
    in_real_time,
    leaves,
    refusal,
    refused_by,
    sends,
    staged,
    takes,
    trades_at,
    virtually,
)
from tests.effects.stage import Stage, Tables, settings_in, stage
from tests.harness.worlds import RememberedLog

TURNED_AWAY = {"faults": {"faults": [{"kind": "unavailable"}]}}
SIXTEEN = "0123456789abcdef"
TLS = {"tls_certificate": Path("cert.pem"), "tls_key": Path("key.pem")}
SILENT = {"faults": {"faults": [{"kind": "request_lost", "silent": True}]}}
UNHEARD = {"faults": {"faults": [{"kind": "report_lost", "on": "report"}]}}
"""Nothing is pushed."""


async def _said_on_the_console(folder: Path) -> bool:
    settings = settings_in(folder, {}, {"logs": {"console": False}})
    with redirect_stderr(io.StringIO()) as console, closing(log_of(settings, clock_of(settings))) as log:
        log.write("WORD", "a word")
    return bool(console.getvalue())


def _leaves_a_log(name: str, **logs: Any) -> Observe:
    return leaves(f"logs/{name}", store="sqlite:///mine.db", logs={"console": False, "directory": Path("logs"), **logs})


def _keeps_a_log_of_last_year(**logs: Any) -> Observe:
    """Whether a file of 2 MB that was last written 300 days ago is there after a line of today."""

    async def observe(folder: Path) -> bool:
        old = folder / "orders_20240101.log"
        old.write_bytes(bytes(2_000_000))
        moment = time.time() - 300 * 86_400
        os.utime(old, (moment, moment))
        settings = settings_in(folder, {}, {"logs": {"directory": folder, **logs}})
        with closing(log_of(settings, clock_of(settings))) as log:
            log.write("WORD", "a word")
        return old.exists()

    return in_real_time(observe)


def _attempts(order: LiveOrder) -> tuple[int, str | None]:
    return order.attempts, order.reason


async def _sale_of_what_another_strategy_holds(played: Stage) -> str:
    bought = await played.order("in", strategy_name="A")
    while not (await played.now(bought)).is_finished:
        await played.clock.sleep(1)
    return (await played.order("out", strategy_name="B", side="SELL")).status.value


async def _sent(played: Stage) -> Any:
    return await played.order()


async def _closed(played: Stage, **fields: Any) -> None:
    order = await played.order(**fields)
    while not (await played.now(order)).status.is_closed:
        await played.clock.sleep(1)


async def _limit_closed(played: Stage) -> None:
    await _closed(played, **LIMIT)


async def _is_halted_after_two_failures(played: Stage) -> bool:
    await played.order()
    return bool(played.engine.halts.standing())


async def _stopped_with_a_call_out(folder: Path) -> int:
    async with stage(folder, SILENT, {"timeouts": {"drain_seconds": 2}}) as played:
        await played.engine.dispatcher.post_signal(played.order)
        await asyncio.sleep(1)
        began = played.clock.monotonic()
    return round(played.clock.monotonic() - began)


async def _compared_with_the_broker(played: Stage) -> int:
    positions, asked = played.broker.positions, []

    async def counted() -> Any:
        asked.append(played.clock.monotonic())
        return await positions()

    played.broker.positions = counted
    await asyncio.sleep(95)
    return len(asked)


async def _lease_seconds(played: Stage) -> int:
    state = await played.engine.ownership.lease.state()
    assert state is not None
    return round((state.expires_at - state.now).total_seconds() / 10) * 10


async def _at_once(played: Stage) -> int:
    """Signals that are being worked on together while the exchange says nothing."""
    begun: list[str] = []

    async def work(signal_id: str) -> None:
        begun.append(signal_id)
        await played.order(signal_id)

    async def post() -> None:
        for number in range(5):
            await played.engine.dispatcher.post_signal(partial(work, f"sig-{number}"))

    posting = asyncio.create_task(post())
    await asyncio.sleep(1)
    at_once = len(begun)
    await posting
    return at_once


async def _seen_in_a_followed_file(folder: Path) -> int:
    path = folder / "signals.jsonl"
    path.write_text("")
    async with stage(folder, {}, {"engine": {"source_poll_seconds": 20}}) as played:
        store = played.engine.store
        assert isinstance(store, DatabaseOrderStore)
        source = file_source(played.settings, path, follow=True)(store, played.clock, played.engine.log)
        reading = asyncio.ensure_future(anext(source.messages().__aiter__()))
        await asyncio.sleep(1)
        path.write_text("{}\n")
        began = played.clock.monotonic()
        await reading
        return round(played.clock.monotonic() - began)


async def _named_sources(folder: Path) -> list[str]:
    settings = settings_in(folder, {}, {"sources": [{"url": "file:signals.jsonl"}]})
    (folder / "signals.jsonl").write_text("")
    store: Any = None  # a file that is read once needs none
    return [source(store, clock_of(settings), RememberedLog()).name.partition(":")[0] for source in open_doors(settings).sources]


def _options_of_a_plugin(folder: Path) -> Any:
    settings = settings_in(folder, {}, {"accounts": [{"id": "A", "broker": "mine"}], "brokers": {"mine": {"host": "here"}}})
    return settings.plugin_options(settings.accounts[0])


def _named_projections(folder: Path) -> str:
    try:
        open_doors(settings_in(folder, {}, {"projections": ["mine"]}))
    except SettingsError as error:
        return str(error).split(";")[0]
    return ""


async def _times_that_a_fill_is_said(folder: Path) -> int | str:
    """As it happens; and once more where the log is named to hear of it."""
    log = RememberedLog()
    told = [{"url": "log:", "events": {"fill": "on"}}]
    try:
        async with Runner.open(simulation={"venue_data": folder / "venue.db"}, notifiers=told, log=log) as runner:
            order = await runner.buy("ETH/USD", "0.1", signal_id="one")
            await runner.wait_closed(order.order_id, 10)
    except SettingsError as error:
        return str(error)
    return len([sentence for sentence in log.of("EXECUTION") if "filled" in sentence])


async def _answered(folder: Path, host: str, **http: Any) -> int:
    """The status of a question about its health that comes under this name."""
    settings = settings_in(folder, {}, {"http": http, "store": f"sqlite:///{folder / 'mine.db'}"})
    async with open_service(settings) as service:
        listening = listener(settings, None, service)
        async with listening.serving(), ClientSession() as session:
            await listening.is_listening.wait()
            async with session.get(f"http://127.0.0.1:{listening.port}/healthz", headers={"Host": host}) as answer:
                return answer.status


class _Addresses:
    """A log that remembers whom it names."""

    def __init__(self) -> None:
        self.named: list[str] = []

    def write(self, category: str, sentence: str, **fields: object) -> None:
        self.named += [str(fields["address"])] if "address" in fields else []


async def _refused_from(folder: Path, **http: Any) -> list[str]:
    """Whom the log names for a request without a signature that a proxy passed on; nobody without a secret."""
    settings, log = settings_in(folder, {}, {"http": {"listen": "127.0.0.1:0", **http}, "store": "sqlite:///mine.db"}), _Addresses()
    async with open_service(settings, log=log) as service:
        listening = listener(settings, None, service)
        async with listening.serving(), ClientSession() as session:
            await listening.is_listening.wait()
            async with session.post(f"http://127.0.0.1:{listening.port}/signals", headers={"X-Forwarded-For": "203.0.113.9"}):
                pass
    return log.named


def _of_a_file(folder: Path) -> Any:
    path = folder / "secret"
    path.write_text(SIXTEEN)
    return in_real_time(partial(_refused_from, secret_file=path))(folder)


HOLIDAY: Tables = {
    "simulation": {"hours": "exchange"},
    "special_sessions": [{"calendar": "XNYS", "day": date(2025, 3, 10)}],
}
SATURDAY: Tables = {
    "simulation": {"starts_at": "2025-03-08T16:00:00Z", "hours": "exchange"},
    "special_sessions": [{"calendar": "XNYS", "day": date(2025, 3, 8), "hours": ["09:30-16:00"]}],
}

ROWS = {
    "trading_mode": Effect(["alpaca at alpaca"], trades_at(trading_mode="PAPER", alpaca=KEYS)),
    "enable_auto_trading": Effect(["auto_trading"], refused_by(enable_auto_trading=False)),
    "use_mock_broker": Effect(["SIM at simulated"], trades_at(use_mock_broker=True, alpaca=KEYS)),
    "broker": Effect(
        ["alpaca at alpaca"], trades_at(trading_mode="PAPER", broker="alpaca", alpaca=KEYS, ibkr={"host": "127.0.0.1"})
    ),
    "store": Effect(True, leaves("mine.db", store="sqlite:///mine.db")),
    "read_model": Effect(True, leaves("lists.db", store="sqlite:///mine.db", read_model="sqlite:///lists.db")),
    "confirmations": Effect(True, leaves("filled.jsonl", store="sqlite:///mine.db", confirmations=Path("filled.jsonl"))),
    "brokers": Effect({"host": "here"}, _options_of_a_plugin),
    "sources": Effect(["file"], in_real_time(_named_sources)),
    "sources.url": Effect(["file"], in_real_time(_named_sources)),
    "projections": Effect("projections.0: there is no projection 'mine'", _named_projections),
    "publishers": Effect(True, leaves("filled.jsonl", publishers=[{"url": "file:filled.jsonl"}])),
    "publishers.url": Effect(True, leaves("filled.jsonl", publishers=[{"url": "file:filled.jsonl"}])),
    "notifiers": Effect(2, in_real_time(_times_that_a_fill_is_said)),
    "notifiers.url": Effect(2, in_real_time(_times_that_a_fill_is_said)),
    "notifiers.events": Effect(2, in_real_time(_times_that_a_fill_is_said)),
    "namespace": Effect(SignalKey("desk", "SIM", "sig-1").client_order_id, sends("client_order_id", namespace="desk")),
    "default_account": Effect("B", sends("account", default_account="B", accounts=[{"id": "A"}, {"id": "B"}])),
    "positions": Effect("SUBMITTED", staged(_sale_of_what_another_strategy_holds, positions="by_account")),
    "default_exchange": Effect("NSE:DUAL", found(default_exchange="NSE")),
    "default_product": Effect("CNC", sends("product", default_product="CNC")),
    "default_currency": Effect([], refused_by({"symbol": "RELIANCE"}, default_currency="INR", accounts=[{"id": "SIM"}])),
    "special_sessions": Effect(["market_closed"], refused_by(**HOLIDAY)),
    "special_sessions.calendar": Effect(["market_closed"], refused_by(**HOLIDAY)),
    "special_sessions.day": Effect(["market_closed"], refused_by(**HOLIDAY)),
    "special_sessions.hours": Effect([], refused_by(**SATURDAY)),
    "retry.max_attempts": Effect((2, "RETRIES_EXHAUSTED"), becomes(_attempts, {}, TURNED_AWAY, retry={"max_attempts": 2})),
    "retry.first_wait_seconds": Effect(7, takes(_sent, TURNED_AWAY, retry={"max_attempts": 2, "first_wait_seconds": 7})),
    "retry.max_wait_seconds": Effect(
        3, takes(_sent, TURNED_AWAY, retry={"max_attempts": 2, "first_wait_seconds": 20, "max_wait_seconds": 3})
    ),
    "timeouts.market_order_seconds": Effect(21, takes(_closed, BY_HAND, timeouts={"market_order_seconds": 20})),
    "timeouts.day_limit_order_seconds": Effect(21, takes(_limit_closed, timeouts={"day_limit_order_seconds": 20})),
    "timeouts.broker_call_seconds": Effect(2, takes(_sent, SILENT, timeouts={"broker_call_seconds": 2})),
    "timeouts.drain_seconds": Effect(2, virtually(_stopped_with_a_call_out)),
    "engine.poll_seconds": Effect(21, takes(_closed, UNHEARD, engine={"poll_seconds": 20})),
    "engine.source_poll_seconds": Effect(19, virtually(_seen_in_a_followed_file)),
    "engine.reconcile_seconds": Effect(9, staged(_compared_with_the_broker, engine={"reconcile_seconds": 10})),
    "engine.lease_seconds": Effect(40, staged(_lease_seconds, engine={"lease_seconds": 40})),
    "engine.circuit_breaker_failures": Effect(
        True, staged(_is_halted_after_two_failures, TURNED_AWAY, engine={"circuit_breaker_failures": 2})
    ),
    "engine.signals_at_once": Effect(2, staged(_at_once, SILENT, engine={"signals_at_once": 2})),
    "logs.directory": Effect(True, leaves("said/*", store="sqlite:///mine.db", logs={"console": False, "directory": Path("said")})),
    "logs.service_file": Effect(True, _leaves_a_log("lines.log", service_file=Path("lines.log"))),
    "logs.signals_file": Effect(True, _leaves_a_log("journeys.log", signals_file=Path("journeys.log"))),
    "logs.keep_days": Effect(False, _keeps_a_log_of_last_year(keep_days=30)),
    "logs.keep_megabytes": Effect(False, _keeps_a_log_of_last_year(keep_days=None, keep_megabytes=1)),
    "logs.console": Effect(False, in_real_time(_said_on_the_console)),
    "http.listen": Effect(200, in_real_time(partial(_answered, host="localhost", listen="127.0.0.1:0"))),
    "http.hosts": Effect(200, in_real_time(partial(_answered, host="desk", listen="127.0.0.1:0", hosts=["desk"]))),
    "http.tls_certificate": Effect(None, refusal(http={"listen": "0.0.0.0:1", **TLS})),
    "http.tls_key": Effect(None, refusal(http={"listen": "0.0.0.0:1", **TLS})),
    "http.behind_proxy": Effect(None, refusal(http={"listen": "0.0.0.0:1", "behind_proxy": True})),
    "http.secret": Effect(["127.0.0.1"], in_real_time(partial(_refused_from, secret=SIXTEEN))),
    "http.secret_file": Effect(["127.0.0.1"], _of_a_file),
    "http.trusted_proxies": Effect(
        ["203.0.113.9"], in_real_time(partial(_refused_from, secret=SIXTEEN, trusted_proxies=["127.0.0.0/8"]))
    ),
    "telegram.enabled": Effect("telegram.enabled is true", refusal(telegram={"enabled": True})),
}
