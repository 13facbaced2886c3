"""Signals by HTTP over real sockets: signed, once, durable before the answer, within bounds."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession

from liveorder.bootstrap import load_settings
from liveorder.domain.errors import SettingsError, StoreUnavailable
from liveorder.infrastructure.http import nonces as the_nonces
from liveorder.infrastructure.http import signals as the_signals
from liveorder.infrastructure.http.nonces import NonceReused, Nonces
from tests.interfaces.command_line import ENOUGH_SECONDS, SETTINGS, CommandLine, coin, eventually
from tests.interfaces.http_doors import SECRET, Answer, Door, door, signed
from tests.interfaces.test_http_health import ANY_PORT_HERE, ports, running

BODY = json.dumps(coin("a"))


def said(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body.get("error", "")


async def orders_of(http: Door, name: str = "Requested") -> list[str]:
    """The signals that became orders, or whatever has this event."""
    stored = [item async for page in http.service.engine.store.log() for item in page]
    return [item.envelope.correlation_id for item in stored if item.event.shown_name == name]


# --- orders and dead letters ---------------------------------------------------------------------------------------------------


async def test_a_signed_signal_becomes_one_order_and_says_where_it_is(cli: CommandLine) -> None:
    async with door(secret=SECRET) as http:
        first = await http.send(BODY, nonce="nonce-00001")
        assert (first.status, first.headers["Location"]) == (202, f"/orders/{first.body['order_id']}")
        assert (first.body["order"], first.body["signal_id"], first.body["account_id"]) == (first.headers["Location"], "a", "SIM")
        order = await http.service.engine.orders.get(UUID(first.body["order_id"]))
        assert order.intent.signal_id == "a"
        repeated = await http.send(BODY, nonce="nonce-00001")
        assert (repeated.status, repeated.body) == (first.status, first.body)
        again = await http.send(BODY)  # the same signal, signed anew
        assert (again.status, again.body) == (first.status, first.body)
        assert said(await http.send(json.dumps(coin("b")), nonce="nonce-00001")) == (409, "nonce_reused")
        assert await orders_of(http) == ["a"]
        path = first.headers["Location"]
        shown = await http.get(path, **signed(path.encode()))
        assert (shown.status, shown.body["signal_id"]) == (200, "a")
        assert said(await http.get(path, **signed(b""))) == (401, "bad_signature")
        nowhere = f"/orders/{UUID(int=7)}"
        assert said(await http.get(nowhere, **signed(nowhere.encode()))) == (404, "not_found")


async def test_what_is_no_signal_is_a_dead_letter_and_stays_one(cli: CommandLine) -> None:
    async with door(secret=SECRET) as http:
        bodies = ("{", "[]", "5", '{"symbol": "ETH/USD"}', json.dumps(coin("x", account_id="elsewhere")))
        for number, body in enumerate(bodies):
            first = await http.send(body, nonce=f"nonce-{number:05}")
            assert said(first) == (422, "unusable"), body
            assert (await http.send(body, nonce=f"nonce-{number:05}")).body == first.body
        assert said(await http.send(BODY)) == (202, "")
        other = await http.send(json.dumps(coin("a", quantity="0.2")))
        assert (other.status, "already became order" in other.body["message"]) == (422, True)
        assert await orders_of(http) == ["a"]
        assert len(await orders_of(http, "SignalDeadLettered")) == 6


async def test_many_deliveries_of_one_signal_at_once_are_one_order(cli: CommandLine) -> None:
    async with door(secret=SECRET) as http:
        answers = await asyncio.gather(*(http.send(BODY, nonce=f"nonce-{number % 10:05}") for number in range(60)))
        assert {each.status for each in answers} == {202}
        assert len({each.body["order_id"] for each in answers}) == 1
        assert await orders_of(http) == ["a"]


async def test_the_answer_does_not_wait_for_the_broker(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(secret=SECRET) as http:
        broker, let_go = next(iter(http.service.engine.gateways.values())).broker, asyncio.Event()
        submit = broker.submit

        async def held(*given: Any, **named: Any) -> Any:
            await let_go.wait()
            return await submit(*given, **named)

        monkeypatch.setattr(broker, "submit", held)
        accepted = await http.send(BODY)
        order = await http.service.engine.orders.get(UUID(accepted.body["order_id"]))
        assert (accepted.status, order.broker_order_id) == (202, None)
        let_go.set()


async def test_what_is_not_durable_gets_no_2xx_and_the_same_request_does_later(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    async with door(secret=SECRET) as http:
        for method in ("save_checkpoint", "append"):
            with monkeypatch.context() as broken:
                broken.setattr(http.service.engine.store, method, away)
                refused = await http.send(BODY, nonce="nonce-00001")
                assert (*said(refused), refused.headers["Retry-After"]) == (503, "not_stored", "1")
        assert await orders_of(http) == []
        assert said(await http.send(BODY, nonce="nonce-00001")) == (202, "")
        http.service.engine.send_no_more()
        assert said(await http.send(json.dumps(coin("b")))) == (503, "not_stored")
        assert await orders_of(http) == ["a"]


async def test_a_sender_that_would_wait_too_long_is_to_ask_again(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_signals, "ANSWER_SECONDS", 0.05)
    async with door(secret=SECRET) as http:
        engine, let_go = http.service.engine, asyncio.Event()
        market, latest = next(iter(engine.gateways.values())), asyncio.Event()
        resolve = market.resolve

        async def slow(*given: Any, **named: Any) -> Any:
            latest.set()
            await let_go.wait()
            return await resolve(*given, **named)

        monkeypatch.setattr(market, "resolve", slow)
        assert said(await http.send(BODY, nonce="nonce-00001")) == (503, "not_known_yet")
        await asyncio.wait_for(latest.wait(), ENOUGH_SECONDS)
        monkeypatch.setattr(the_signals, "ANSWER_SECONDS", ENOUGH_SECONDS)
        let_go.set()
        assert said(await http.send(BODY, nonce="nonce-00001")) == (202, "")
        monkeypatch.setattr(the_signals, "AT_ONCE", 0)
        assert said(await http.send(BODY)) == (503, "busy")


# --- who may ----------------------------------------------------------------------------------------------------------------


async def test_only_fresh_and_true_signatures_are_taken(cli: CommandLine) -> None:
    now, usual = time.time(), {"Content-Type": "application/json"}
    async with door(secret=SECRET) as http:
        assert said(await http.ask("POST", "/signals", data=BODY, headers=usual)) == (401, "unsigned")
        for name, value in (("Timestamp", "1e9"), ("Nonce", "short"), ("Nonce", "a.b.c.d.e.f"), ("Signature", "0" * 63)):
            assert said(await http.send(BODY, {f"X-Liveorder-{name}": value})) == (401, "unsigned")
        assert said(await http.send(BODY, secret=SECRET[::-1])) == (401, "bad_signature")
        altered = usual | signed(BODY.encode())
        assert said(await http.ask("POST", "/signals", data=BODY.replace("BUY", "SELL"), headers=altered)) == (401, "bad_signature")
        moved = altered | {"X-Liveorder-Timestamp": str(int(now) - 1)}
        assert said(await http.ask("POST", "/signals", data=BODY, headers=moved)) == (401, "bad_signature")
        for at in (now - 310, now + 310):
            assert said(await http.send(BODY, at=at)) == (401, "stale")
        assert said(await http.send(BODY, at=now - 290)) == (202, "")
        assert said(await http.send(BODY, {"Origin": "null"})) == (403, "origin_refused")
        assert said(await http.send(BODY, {"Host": "evil"})) == (421, "unknown_host")
        assert await orders_of(http) == ["a"]


async def test_without_a_secret_none_are_taken_on_loopback_too(cli: CommandLine) -> None:
    async with door() as http:
        assert said(await http.send(BODY)) == (404, "no_secret")


def test_a_secret_is_taken_from_the_environment_or_a_file_of_its_own(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.write("liveorder.toml", SETTINGS + f'[http]\nsecret = "{SECRET}"\n')
    with pytest.raises(SettingsError, match="does not belong in the settings file") as refused:
        load_settings()
    assert SECRET not in str(refused.value)
    cli.write("liveorder.toml", SETTINGS)
    monkeypatch.setenv("LIVEORDER_HTTP__SECRET", SECRET)
    load_settings().check()
    cli.write("secret", SECRET)
    with pytest.raises(SettingsError, match="both set"):
        load_settings(http={"secret_file": "secret"}).check()
    monkeypatch.delenv("LIVEORDER_HTTP__SECRET")
    by_file = load_settings(http={"secret_file": "secret"})
    by_file.check()
    assert SECRET in {each.get_secret_value() for each in by_file.secrets}
    for content, words in (("short", "at least 16 characters"), (None, "cannot be read")):
        cli.write("secret", content) if content is not None else (cli.folder / "secret").unlink()
        with pytest.raises(SettingsError, match=words):
            load_settings(http={"secret_file": "secret"}).check()


# --- bodies -----------------------------------------------------------------------------------------------------------------


async def test_other_kinds_of_bodies_are_refused_before_they_are_read(cli: CommandLine) -> None:
    async with door(secret=SECRET) as http:
        assert said(await http.send(BODY, {"Content-Type": "text/plain"})) == (415, "not_json")
        assert said(await http.send(BODY, {"Content-Type": "application/json; charset=utf-16"})) == (415, "not_json")
        for encoding in ("gzip", "deflate", "br"):
            packed = gzip.compress(bytes(10_000_000))  # 10 MB of zeros are 10 kB
            assert said(await http.send(packed, {"Content-Encoding": encoding})) == (415, "compressed")


async def test_large_deep_and_broken_bodies_cost_little_memory(cli: CommandLine) -> None:
    large = b'{"signal_id": "' + b"a" * 10_000_000 + b'"}'

    headers, sized = {"Content-Type": "application/json"} | signed(large), {"Content-Length": str(len(large))}

    async def in_chunks() -> Any:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    async with door(secret=SECRET) as http:
        await http.send(BODY)  # what is imported and kept once
        tracemalloc.start()
        assert said(await http.ask("POST", "/signals", data=in_chunks(), headers=headers)) == (413, "too_large")
        assert said(await http.ask("POST", "/signals", data=in_chunks(), headers=headers | sized)) == (413, "too_large")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3_000_000
        for deep in ("[" * 60_000, '{"a":' * 12_000, '{"symbol":' + "[" * 30_000 + "]" * 30_000 + "}"):
            assert said(await http.send(deep)) == (422, "unusable")
        assert said(await http.send("a" * (64 * 1024))) == (422, "unusable")
        assert said(await http.send("a" * (64 * 1024 + 1))) == (413, "too_large")


async def test_a_body_that_does_not_come_is_not_waited_for(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveorder.infrastructure.http.bodies.READ_SECONDS", 0.05)
    async with door(secret=SECRET) as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.listener.port)
        lines = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": "100", **signed(b"")}
        writer.write(
            "".join(["POST /signals HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines.items()), "\r\n{"]).encode()
        )
        assert b" 408 " in await asyncio.wait_for(reader.readline(), ENOUGH_SECONDS)
        writer.close()
        await writer.wait_closed()


async def test_text_from_outside_does_no_harm(cli: CommandLine) -> None:
    nasty = "a'; DROP TABLE events; --\r\n\x1b[31m${HOME}<script>{{7*7}}"
    async with door(secret=SECRET) as http:
        taken = await http.send(json.dumps(coin(nasty, strategy_name="../../etc", symbol_name="<b>", tags=["\u202e"])))
        assert taken.status in (202, 422)
        for field in ("symbol", "account_id", "exchange", "order_type", "side", "currency"):
            assert said(await http.send(json.dumps(coin("b") | {field: nasty})))[0] in (202, 422)
    for line in (cli.folder / "logs" / "execution_service.log").read_text().split("\n"):
        assert "\x1b" not in line


# --- nonces -------------------------------------------------------------------------------------------------------------------


class Rows:
    """Bookmarks in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    async def checkpoint(self, name: str) -> str | None:
        return self.rows.get(name)

    async def save_checkpoint(self, name: str, value: str) -> None:
        await asyncio.sleep(0)
        self.rows[name] = value


class Wound:
    """A clock that is set by hand, in seconds since the epoch."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> Any:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


async def test_a_nonce_is_kept_until_its_time_has_passed_over_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_nonces, "NONCES_IN_A_ROW", 3)
    rows, clock = Rows(), Wound(1000.0)
    first = Nonces(rows, clock)
    await asyncio.gather(*(first.take(f"n{number}", b"one", 1300 + number) for number in range(20)))
    for at in (1000.0, 1300.0):
        clock.at = at
        for each in (first, Nonces(rows, clock)):
            for number in range(20):
                await each.take(f"n{number}", b"one", 1300 + number)
                with pytest.raises(NonceReused):
                    await each.take(f"n{number}", b"two", 1300 + number)
    clock.at = 1310.0
    later = Nonces(rows, clock)
    await later.take("n5", b"two", 1610)
    with pytest.raises(NonceReused):
        await later.take("n15", b"two", 1610)


async def test_the_rows_of_expired_nonces_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_nonces, "NONCES_IN_A_ROW", 3)
    rows, clock = Rows(), Wound(1000.0)
    kept = Nonces(rows, clock)
    for number in range(3000):
        await kept.take(f"n{number}", b"one", clock.at + 300)
        clock.at += 10
        if number % 500 == 499:
            kept = Nonces(rows, clock)
    assert len(rows.rows) < 25


def test_a_restart_lets_no_replay_through(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same request gets the same answer from the next process, and its nonce is no other body's."""
    cli.write("liveorder.toml", ANY_PORT_HERE)
    monkeypatch.setenv("LIVEORDER_HTTP__SECRET", SECRET)
    headers = {"Content-Type": "application/json"} | signed(BODY.encode())
    answers: list[tuple[int, Any]] = []
    for number in (signal.SIGKILL, signal.SIGTERM):
        with running(cli) as process:
            eventually(lambda: len(ports(cli)) > len(answers), process)
            port = ports(cli)[-1]
            answers.append(asyncio.run(_posted(port, BODY, headers)))
            other = json.dumps(coin("b"))
            stolen = headers | {"X-Liveorder-Signature": signed(other.encode(), **_of(headers))["X-Liveorder-Signature"]}
            assert asyncio.run(_posted(port, other, stolen))[0] == 409
            process.send_signal(number)
            _, err = process.communicate(timeout=ENOUGH_SECONDS)
            assert (SECRET in err, "no source of signals" in " ".join(err.split())) == (False, False)
    assert answers[0][0] == 202
    assert answers[0] == answers[1]
    assert [order["signal_id"] for order in cli.json("orders")] == ["a"]
    assert _files_with(cli.folder, SECRET) == []


def _of(headers: dict[str, str]) -> dict[str, Any]:
    return {"nonce": headers["X-Liveorder-Nonce"], "at": float(headers["X-Liveorder-Timestamp"])}


async def _posted(port: str, body: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with ClientSession() as session, session.post(f"http://127.0.0.1:{port}/signals", data=body, headers=headers) as answer:
        return answer.status, await answer.json()


def _files_with(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


async def test_no_log_event_or_answer_shows_the_secret(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a sender puts it where it does not belong."""
    monkeypatch.setenv("LIVEORDER_HTTP__SECRET", SECRET)
    answers = []
    async with door() as http:
        answers.append(await http.send(BODY))
        answers.append(await http.get(f"/orders/{SECRET}"))
        answers.append(await http.get(f"/{SECRET}", **{"X-Liveorder-Nonce": SECRET, "User-Agent": SECRET}))
        answers.append(await http.send(BODY, {"X-Liveorder-Signature": SECRET}))
        reader, writer = await asyncio.open_connection("127.0.0.1", http.listener.port)
        writer.write(f"{SECRET} nonsense\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert [each.status for each in answers] == [202, 401, 404, 401]
    assert not any(SECRET in f"{each.body}{each.headers}" for each in answers)
    assert _files_with(cli.folder, SECRET) == []


def test_doctor_does_not_show_the_secret(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.write("secret", SECRET)
    monkeypatch.setenv("LIVEORDER_HTTP__SECRET_FILE", "secret")
    assert SECRET not in cli.run("doctor").output
