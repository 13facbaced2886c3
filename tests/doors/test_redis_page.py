"""The page on Redis, and the demonstration, are true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import ROOT, SNIPPETS
from tests.doors.listening import until
from tests.doors.test_redis_publisher import FIELDS
from tests.doors.test_redis_service import are_filled, running, settings_in, url
from tests.redis_server import REDIS, Redis


async def test_the_first_order_of_the_page(redis: Redis, name: str, tmp_path: Path) -> None:
    command = SNIPPETS["docs/redis.md-2"].text.splitlines()[0]
    (signal,) = [part for part in command.split("'") if part.startswith("{")]
    async with running(settings_in(tmp_path, sources=[url(name)])) as service:
        await redis.xadd(name, {"data": signal})
        await until(are_filled(service, "first"))


def test_the_confirmation_of_the_page_has_the_names_of_one() -> None:
    assert list(json.loads(SNIPPETS["docs/redis.md-3"].text)) == FIELDS


async def test_the_demonstration_listens_trades_validates_and_tracks(redis: Redis, name: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
        [sys.executable, str(ROOT / "examples" / "redis_demo.py")],
        cwd=tmp_path,
        env=os.environ | {"DEMO_REDIS": REDIS},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for part in (
        "RELIANCE new -> ",
        "INFY new -> ",
        "TCS new -> ",
        "a BUY of score 75 would be refused because: nothing",
        "a BUY of score 40 would be refused because: ",
        "RELIANCE: FILLED ",
    ):
        assert part in done.stdout
    assert done.stdout.count("confirmed: {") == 3
    assert not await redis.exists("liveorder-demo:trading-signals", "liveorder-demo:execution-confirmations")


def test_the_demonstration_says_what_is_missing(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "examples" / "redis_demo.py")]
    environment = os.environ | {"DEMO_REDIS": "redis://127.0.0.1:1/0"}
    done = subprocess.run(program, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no Redis answers" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", [line for line in (ROOT / "Makefile").read_text().splitlines() if "redis_demo" in line])
def test_make_runs_the_demonstration(line: str) -> None:
    assert line == "\t$(BIN)/python examples/redis_demo.py"
