"""What the page on HTTP shows, done against a service: its commands with the tools that they name."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from uuid import UUID

import pytest

from tests.documentation import SNIPPETS
from tests.interfaces.command_line import CommandLine
from tests.interfaces.http_doors import SECRET, Door, door

SECRET_VARIABLE = "LIVEORDER_HTTP__SECRET"  # noqa: S105 - its name
SHOWN_AT = "127.0.0.1:8787"
TOOLS = ("bash", "curl", "openssl", "sed", "date")


@pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)}")
async def test_the_commands_of_the_page_sign_a_signal_and_ask_whether_it_is_ready(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    asked, _, answer = SNIPPETS["docs/http.md-2"].text.partition("\n")
    async with door() as http:
        assert json.loads(await _done(http, asked.removeprefix("$ "))) == json.loads(answer)
        answered = await _done(http, SNIPPETS["docs/http.md-4"].text)
        order = await http.service.engine.orders.get(UUID(json.loads(answered.splitlines()[-1])["order_id"]))
    assert answered.startswith("HTTP/1.1 202")
    assert (order.intent.signal_id, order.intent.instrument.symbol) == ("sig_1", "ETH/USD")


def test_the_page_gives_the_secret_as_the_settings_take_it() -> None:
    assert f"export {SECRET_VARIABLE}=" in SNIPPETS["docs/http.md-3"].text


async def _done(http: Door, commands: str) -> str:
    there = commands.replace(SHOWN_AT, f"127.0.0.1:{http.listener.port}")
    script = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", there, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ
    )
    said, complained = await script.communicate()
    assert script.returncode == 0, complained.decode()
    return said.decode().replace("\r", "")
