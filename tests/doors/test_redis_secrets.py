"""A canary in place of the password of a Redis server: it is in no log, event, error or report."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.doors.listening import until
from tests.doors.test_redis_service import are_filled, running, settings_in
from tests.harness.worlds import RememberedLog
from tests.interfaces.command_line import SETTINGS, CommandLine, coin
from tests.redis_server import HOST, PORT, Redis, add, is_all_acknowledged

CANARY = "canary-9f3e-of-redis"
USER = "liveorder-test-desk"
URL = f"redis://{USER}:${{REDIS_PASSWORD}}@{HOST}:{PORT}/0"


@pytest.fixture
async def locked(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    """A user with the canary for its password."""
    monkeypatch.setenv("REDIS_PASSWORD", CANARY)
    await redis.execute_command("ACL", "SETUSER", USER, "on", f">{CANARY}", "~*", "&*", "+@all")
    yield redis
    await redis.execute_command("ACL", "DELUSER", USER)


def everything_in(folder: Path) -> bytes:
    """All files, and the events as text."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_the_password_is_nowhere(locked: Redis, name: str, tmp_path: Path) -> None:
    doors: dict[str, Any] = {
        "sources": [{"url": f"{URL}?stream={name}"}, {"url": f"{URL}?channel={name}"}],
        "publishers": [{"url": f"{URL}?stream={name}-confirmations"}],
    }
    settings = settings_in(tmp_path, **doors)
    async with running(settings) as service:
        await add(locked, name, coin("first"))
        await add(locked, name, "nonsense")
        await until(are_filled(service, "first"))
        await until(lambda: is_all_acknowledged(locked, name))
        await locked.execute_command("ACL", "SETUSER", USER, "resetpass", ">another")
        for each in await locked.client_list():
            if each.get("user") == USER:
                await locked.client_kill_filter(_id=each["id"])
        log = service.engine.log
        assert isinstance(log, RememberedLog)

        async def is_refused() -> bool:
            return any("AuthenticationError" in sentence for _, sentence in log.lines)

        await until(is_refused)
    assert CANARY not in f"{log.lines}{settings!r}{settings.masked()}"
    assert CANARY.encode() not in everything_in(tmp_path)
    with closing(sqlite3.connect(tmp_path / "orders.db")) as connection:
        assert CANARY not in "\n".join(connection.iterdump())


def test_no_command_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_PASSWORD", CANARY)
    cli = CommandLine(tmp_path)
    dead = "redis://desk:${REDIS_PASSWORD}@127.0.0.1:1/0"
    cli.write("liveorder.toml", f'{SETTINGS}[[sources]]\nurl = "{dead}?stream=s"\n[[publishers]]\nurl = "{dead}?stream=c"\n')
    for command in (["doctor"], ["doctor", "--json"], ["run", "--until-idle"], ["status"], ["status", "--json"]):
        result = cli.run(*command)
        assert CANARY not in result.output, command
    assert CANARY.encode() not in everything_in(tmp_path)


def test_a_password_on_the_command_line_is_refused_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli = CommandLine(tmp_path)
    cli.write("liveorder.toml", SETTINGS)
    result = cli.run("run", "--signals", f"redis://desk:{CANARY}@127.0.0.1:1/0?stream=s")
    assert result.exit_code != ExitCode.OK
    assert "write ${NAME} in its place" in " ".join(result.output.split())
    assert CANARY not in result.output


def test_a_url_that_cannot_be_used_ends_the_start_with_the_field_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli = CommandLine(tmp_path)
    cli.write("liveorder.toml", f'{SETTINGS}[[sources]]\nurl = "redis://127.0.0.1/0?strem=s"\n')
    said = "sources.0.url: ?strem=… is not an option of Redis here; use stream=… or group=…"
    result = cli.run("run")
    assert result.exit_code == ExitCode.SETTINGS
    assert said in " ".join(result.stderr.split())
    assert said.removeprefix("sources.0.url: ") in json.dumps(cli.json("doctor"), ensure_ascii=False)
