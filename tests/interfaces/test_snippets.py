"""Every snippet of the README and the documentation is run, or read by what it is meant for."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from liveorder.domain.signal import Signal
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.settings import Settings
from liveorder.interfaces.cli.main import app
from tests.documentation import ROOT, SNIPPETS, Snippet

ELSEWHERE = {
    "README.md-1": "a picture",
    "README.md-2": "commands; tests/interfaces/test_readme.py runs them",
    "README.md-3": "signals; tests/interfaces/test_readme.py trades them",
    "README.md-4": "commands; tests/interfaces/test_readme.py runs them",
    "README.md-5": "a program; tests/interfaces/test_readme.py runs it",
    "docs/brokers/README.md-1": "a part of an account; tests/architecture/test_generated_docs.py reads it as one",
    "docs/http.md-2": "a command; tests/interfaces/test_http_page.py runs it",
    "docs/http.md-3": "commands; tests/interfaces/test_http_page.py does what they do",
    "docs/http.md-4": "commands; tests/interfaces/test_http_page.py runs them",
    "docs/lifecycle.md-1": "drawn by docs/generate.py; tests/architecture/test_generated_docs.py compares it",
    "docs/operating.md-1": "needs root and systemd; tests/architecture/test_deployment.py compares it with the unit",
    "docs/operating.md-3": "a line of the log; tests/interfaces/test_followed_files.py demands it word for word",
    "docs/redis.md-2": "commands; tests/doors/test_redis_page.py does what they do",
    "docs/redis.md-3": "a confirmation; tests/doors/test_redis_page.py compares its names",
    "docs/writing-a-broker.md-1": "an outline; tests/contract/brokers/test_the_page_of_the_example.py looks up its names",
    "docs/writing-a-broker.md-2": "what pytest prints; tests/contract/brokers/test_the_page_of_the_example.py counts",
    "docs/writing-a-plugin.md-1": "the entry points of the example; tests/interfaces/test_plugins.py compares them",
    "docs/writing-a-plugin.md-4": "the end of a file of the example; tests/interfaces/test_plugins.py compares it",
    "docs/writing-a-plugin.md-5": "an error; tests/unit/test_plugins.py demands such ones",
    "docs/writing-a-plugin.md-3": "the end of a file of the example; tests/interfaces/test_plugins.py compares it",
    "docs/writing-a-broker.md-3": "needs a broker; tests/contract/brokers/test_the_page_of_the_example.py runs it at the example's",
}
"""Snippets that are not run here, each with the reason."""
PRINTED = {
    "docs/coming-from-your-own-script.md-1": r"0\.010* 0\.?0* 0 True\n",
    "docs/embedding.md-1": "",
    "docs/embedding.md-2": r"0\.01 BTC/USD, 0\.?0* to go\n",
    "docs/embedding.md-3": "FILLED\n",
    "docs/embedding.md-4": "1 bought SPY\n",
    "docs/positions.md-1": "SELL 0.005\n",
}
"""Programs, and the form of all that they print, on any day at any hour."""
IN_SESSION, ON_A_SUNDAY = "2025-03-10T15:00:00Z", "2025-03-09T15:00:00Z"
EXAMPLES = {
    "embedded_events.py": "tests/interfaces/test_examples.py",
    "embedded_parts.py": "tests/interfaces/test_examples.py",
    "embedded_runner.py": "tests/interfaces/test_examples.py",
    "liveorder.toml": "tests/interfaces/test_examples.py",
    "own_events.py": "tests/interfaces/test_examples.py",
    "quotes.csv": "tests/interfaces/test_examples.py",
    "signals.jsonl": "tests/interfaces/test_examples.py",
    "redis_demo.py": "tests/doors/test_redis_page.py",
    "venue.toml": "tests/interfaces/test_examples.py",
    "plugin/desk/broker.py": "tests/interfaces/test_plugins.py",
    "plugin/desk/notifier.py": "tests/interfaces/test_plugins.py",
    "plugin/desk/publisher.py": "tests/interfaces/test_plugins.py",
    "plugin/desk/source.py": "tests/interfaces/test_plugins.py",
    "plugin/desk/turnover.py": "tests/interfaces/test_plugins.py",
    "plugin/liveorder.toml": "tests/interfaces/test_plugins.py",
    "plugin/pyproject.toml": "tests/interfaces/test_plugins.py",
    "writing_a_broker/corner.py": "tests/contract/brokers/test_the_example.py",
    "writing_a_broker/twin.py": "tests/contract/brokers/test_the_example.py",
}
"""Every file that is shipped as an example, and what runs it."""
PROGRAM = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), "snippet", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
done = eval(code)
if inspect.iscoroutine(done):
    asyncio.run(done)
from pathlib import Path
if Path("orders.db").exists():
    from liveorder import ThreadedRunner
    with ThreadedRunner(store="sqlite:///orders.db") as runner:
        ended = [runner.wait_closed(order.order_id, 60).status for order in runner.orders()]
    assert ended and set(ended) == {"FILLED"}, ended
"""
"""Runs a snippet, and demands that all orders that it placed are filled in the end."""


@pytest.mark.parametrize("name", sorted(SNIPPETS.keys() - ELSEWHERE.keys()))
def test_a_snippet_does_what_its_page_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippet = SNIPPETS[name]
    assert snippet.language in TRIED, f"a fence without a language, or with a new one: {snippet.language!r}"
    TRIED[snippet.language](snippet, tmp_path)


def test_only_snippets_that_are_there_are_excused() -> None:
    assert sorted(ELSEWHERE.keys() - SNIPPETS.keys()) == []
    assert sorted(PRINTED.keys() - SNIPPETS.keys()) == []


def test_every_example_is_run_by_a_test() -> None:
    folder = ROOT / "examples"
    shipped = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.suffix != ".pyc"}
    assert {name for name in shipped if not name.endswith("__init__.py")} == EXAMPLES.keys()
    assert [test for test in EXAMPLES.values() if not (ROOT / test).is_file()] == []


def run_program(snippet: Snippet, folder: Path) -> None:
    for time in (IN_SESSION, ON_A_SUNDAY):
        there = folder / time[:10]
        there.mkdir()
        told = printed(snippet.text, there, LIVEORDER_SIMULATION__STARTS_AT=time)
        assert re.fullmatch(PRINTED[snippet.name], told), told


def printed(program: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=program,
        cwd=folder,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_signals(snippet: Snippet, _: Path) -> None:
    for line in snippet.text.splitlines():
        Signal.parse(line)


def read_settings_file(snippet: Snippet, folder: Path) -> None:
    (folder / "liveorder.toml").write_text(snippet.text)
    assert Settings.load() == Settings.load(folder / "liveorder.toml")


def read_environment(snippet: Snippet, folder: Path) -> None:
    """As `.env`, which takes the same lines. They name a broker, so that an account at it follows."""
    (folder / ".env").write_text(snippet.text)
    settings = Settings.load()
    assert settings.mode is TradingMode.PAPER
    assert [account.broker for account in settings.trading_accounts] == [Path(snippet.page).stem]


def find_commands(snippet: Snippet, _: Path) -> None:
    """Lines of a shell call `make` with targets that there are, or `liveorder` with a command and options that it takes."""
    for line in snippet.text.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program in ("make", "liveorder")
        if program == "make":
            subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True, env=os.environ)
        else:
            parse_arguments(arguments)


def parse_arguments(arguments: list[str]) -> None:
    command = typer.main.get_command(app)
    context = command.make_context("liveorder", arguments)
    while isinstance(command, TyperGroup):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, name
        command, context = found, found.make_context(name, arguments, parent=context)


TRIED: dict[str, Callable[[Snippet, Path], None]] = {
    "python": run_program,
    "json": read_signals,
    "toml": read_settings_file,
    "ini": read_environment,
    "sh": find_commands,
}
"""By language: what a snippet has to pass."""
