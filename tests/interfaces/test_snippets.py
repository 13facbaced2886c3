"""Every snippet of the README and the documentation is run, or read by what it is meant for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from liveorder.domain.signal import Signal
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.settings import Settings
from tests.documentation import ROOT, SNIPPETS, Snippet

ELSEWHERE = {
    "docs/lifecycle.md-1": "drawn by docs/generate.py; tests/architecture/test_generated_docs.py compares it",
    "docs/operating.md-1": "a line of the log; tests/interfaces/test_followed_files.py demands it word for word",
    "docs/writing-a-broker.md-1": "an outline; tests/contract/brokers/test_the_page_of_the_example.py looks up its names",
    "docs/writing-a-broker.md-2": "what pytest prints; tests/contract/brokers/test_the_page_of_the_example.py counts",
    "docs/writing-a-broker.md-3": "needs a broker; tests/contract/brokers/test_the_page_of_the_example.py runs it at the example's",
}
"""Snippets that are not run here, each with the reason."""
PRINTED = {
    "README.md-3": r"(FILLED 100 [0-9.]+|REJECTED 0 None)\n",
    "docs/embedding.md-1": "",
    "docs/embedding.md-2": "",
}
"""Programs, and all that they print. Whether the order is filled depends on the hour."""
PROGRAM = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), "snippet", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
done = eval(code)
if inspect.iscoroutine(done):
    asyncio.run(done)
"""


@pytest.mark.parametrize("name", sorted(SNIPPETS.keys() - ELSEWHERE.keys()))
def test_a_snippet_does_what_its_page_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippet = SNIPPETS[name]
    assert snippet.language in TRIED, f"a fence without a language, or with a new one: {snippet.language!r}"
    TRIED[snippet.language](snippet, tmp_path)


def test_only_snippets_that_are_there_are_excused() -> None:
    assert sorted(ELSEWHERE.keys() - SNIPPETS.keys()) == []
    assert sorted(PRINTED.keys() - SNIPPETS.keys()) == []


def run_program(snippet: Snippet, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=snippet.text, cwd=folder, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(PRINTED[snippet.name], done.stdout)


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
    """Lines of a shell call `make` with targets that there are."""
    for line in snippet.text.splitlines():
        program, *targets = line.partition("#")[0].split()
        assert program == "make"
        subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True, env=os.environ)


TRIED: dict[str, Callable[[Snippet, Path], None]] = {
    "python": run_program,
    "json": read_signals,
    "toml": read_settings_file,
    "ini": read_environment,
    "sh": find_commands,
}
"""By language: what a snippet has to pass."""
