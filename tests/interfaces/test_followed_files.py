"""A followed file: what is written once somebody was told that it is listened to is not lost, nor what came while it started."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.reporting.read_models import Query
from liveorder.bootstrap import Settings, file_source, load_settings, open_service
from liveorder.domain.errors import InvalidInput
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.harness.worlds import RememberedLog
from tests.interfaces.command_line import ENOUGH_SECONDS, SETTINGS, CommandLine, coin, eventually


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signals.jsonl"


def append(path: Path, *signals: str) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(coin(name)) + "\n" for name in signals)


def make_folder(path: Path) -> None:
    path.mkdir()


def settings_in(folder: Path) -> Settings:
    return load_settings(
        None,
        store=f"sqlite:///{folder / 'orders.db'}",
        logs={"console": False, "directory": folder / "logs"},
        simulation={"venue_data": folder / "venue.db"},
        engine={"source_poll_seconds": 0.02, "lease_seconds": 2.0},
    )


async def signals_taken(settings: Settings, source: Any, wanted: int, log: RememberedLog | None = None, **opening: Any) -> set[str]:
    """Of the orders that are there once `wanted` are and the whole file is acknowledged; the service has stopped in good order."""
    folder = settings.logs.directory.parent
    async with open_service(settings, sources=[source], log=log or RememberedLog(), **opening) as service:
        running = asyncio.create_task(service.run())
        async with asyncio.timeout(ENOUGH_SECONDS):
            while len(await orders(service)) < wanted or left_at(folder) < end_of_signals(folder):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        running.cancel()
        return await orders(service)


async def orders(service: Any) -> set[str]:
    await service.settle_views()
    return {order.signal_id for order in await service.views.orders(Query())}


def bookmark(folder: Path) -> str | None:
    """As another process reads it."""
    with closing(sqlite3.connect(folder / "orders.db")) as connection:
        row = connection.execute("SELECT value FROM checkpoints WHERE name LIKE 'signal_source:%'").fetchone()
    return None if row is None else str(row[0])


def left_at(folder: Path) -> int:
    return int((bookmark(folder) or "0").split()[0])


def end_of_signals(folder: Path) -> int:
    return (folder / "signals.jsonl").stat().st_size


async def test_what_is_written_while_the_service_starts_is_read_and_what_was_there_before_is_not(path: Path) -> None:
    settings = settings_in(path.parent)
    append(path, "before")
    source = file_source(settings, path, follow=True)
    append(path, "during")
    assert await signals_taken(settings, source, 1) == {"during"}


async def test_what_is_written_while_a_standby_waits_is_read_by_it(path: Path) -> None:
    settings = settings_in(path.parent)
    append(path, "before")
    async with open_service(settings, log=RememberedLog()):
        log = RememberedLog()
        source = file_source(settings, path, follow=True)
        standby = asyncio.create_task(signals_taken(settings, source, 1, log, wait_for_lease=True))
        async with asyncio.timeout(ENOUGH_SECONDS):
            while not log.of("LEASE"):  # noqa: ASYNC110 - another process's log
                await asyncio.sleep(0.01)
        append(path, "while it waited")
    assert await standby == {"while it waited"}


async def test_a_stored_bookmark_wins_over_the_end_and_over_the_beginning(path: Path) -> None:
    settings = settings_in(path.parent)
    append(path, "before")
    first = file_source(settings, path, follow=True)
    append(path, "one")
    assert await signals_taken(settings, first, 1) == {"one"}
    append(path, "between")
    again = file_source(settings, path, follow=True, from_beginning=True)
    append(path, "two")
    assert await signals_taken(settings, again, 3) == {"one", "between", "two"}


async def test_a_first_start_can_begin_at_the_beginning(path: Path) -> None:
    settings = settings_in(path.parent)
    append(path, "before", "too")
    source = file_source(settings, path, follow=True, from_beginning=True)
    assert await signals_taken(settings, source, 2) == {"before", "too"}


async def test_that_it_listens_is_said_once_its_place_is_durable_with_where_and_what_was_passed_over(path: Path) -> None:
    settings = settings_in(path.parent)
    append(path, "a", "b")
    end = path.stat().st_size  # noqa: ASYNC240 - a small file of the test's own

    class Watched(RememberedLog):
        def write(self, category: str, sentence: str, **fields: object) -> None:
            if "Listens" in sentence:
                stored.append(bookmark(path.parent))
            super().write(category, sentence, **fields)

    stored: list[str | None] = []
    log = Watched()
    source = file_source(settings, path, follow=True)
    append(path, "c")
    assert await signals_taken(settings, source, 1, log) == {"c"}
    (said,) = log.of("SOURCE")
    assert said == f"Listens to follow:{path}: from byte {end}, its end when this process first looked; 2 lines skipped"
    assert [(text or "").split()[0] for text in stored] == [str(end)]
    left = (bookmark(path.parent) or "").split()[0]
    assert await signals_taken(settings, file_source(settings, path, follow=True), 1, log) == {"c"}
    assert f"from byte {left}, where it was left" in log.of("SOURCE")[1]


@pytest.mark.parametrize("is_the_same_inode", [False, True])
async def test_another_days_file_with_lines_of_one_template_is_read_from_its_beginning(path: Path, is_the_same_inode: bool) -> None:
    settings, log = settings_in(path.parent), RememberedLog()
    monday, tuesday = {f"mon{n}" for n in range(3)}, {f"tue{n}" for n in range(5)}
    source = file_source(settings, path, follow=True)
    append(path, *sorted(monday))
    assert await signals_taken(settings, source, 3) == monday
    written = path if is_the_same_inode else path.with_suffix(".new")
    written.write_text("")
    append(written, *sorted(tuesday))
    written.replace(path)
    assert await signals_taken(settings, file_source(settings, path, follow=True), 8, log) == monday | tuesday
    assert "from its beginning: the content before byte" in log.of("SOURCE")[0]


async def test_a_copy_that_appears_slowly_is_waited_for_and_that_is_said(path: Path) -> None:
    settings, log = settings_in(path.parent), RememberedLog()
    append(path, "passed over", "too")
    old = path.read_bytes()  # noqa: ASYNC240 - a small file of the test's own
    running = asyncio.create_task(signals_taken(settings, file_source(settings, path, follow=True), 1, log))
    async with asyncio.timeout(ENOUGH_SECONDS):
        while not log.of("SOURCE"):  # noqa: ASYNC110 - another task's log
            await asyncio.sleep(0.01)
        path.write_bytes(old[:-5])  # noqa: ASYNC240 - a small file of the test's own
        while not any("waits: the file there holds only" in said for said in log.of("WARNING")):  # noqa: ASYNC110 - another task's log
            await asyncio.sleep(0.01)
    path.write_bytes(old)  # noqa: ASYNC240 - a small file of the test's own
    append(path, "new")
    assert await running == {"new"}


async def test_a_start_that_fails_after_its_place_was_stored_loses_nothing_that_is_written_afterwards(path: Path) -> None:
    settings = settings_in(path.parent)
    append(path, "before")
    source, log = file_source(settings, path, follow=True), RememberedLog()

    class Dies(RememberedLog):
        def write(self, category: str, sentence: str, **fields: object) -> None:
            if "Listens" in sentence:
                raise OSError("died here")

    with pytest.raises(OSError, match="died here"):
        await signals_taken(settings, source, 1, Dies())
    append(path, "after")
    assert await signals_taken(settings, file_source(settings, path, follow=True), 1, log) == {"after"}


async def test_a_file_that_cannot_be_read_at_the_first_start_ends_it_with_the_reason(path: Path) -> None:
    make_folder(path)
    settings = settings_in(path.parent)
    with pytest.raises(InvalidInput, match=r"signals: .* cannot be read"):
        await signals_taken(settings, file_source(settings, path, follow=True), 1)


# --- processes ------------------------------------------------------------------------------------------------------------------


def test_a_service_that_is_killed_once_it_listens_has_lost_nothing(cli: CommandLine) -> None:
    """SIGKILL as soon as it says so, again and again; each time something was written after it had."""
    path = cli.folder / "signals.jsonl"
    cli.write("liveorder.toml", SETTINGS + "[engine]\nlease_seconds = 3.0\n")
    append(path, "old")
    told = [f"told {n}" for n in range(3)]
    for name in told:
        process = cli.start("run", "--signals", "signals.jsonl", "--follow")
        assert process.stderr is not None
        while "Listens" not in process.stderr.readline():
            assert process.poll() is None
        append(path, name)
        process.kill()
        process.communicate()
    process = cli.start("run", "--signals", "signals.jsonl", "--follow")
    found = eventually(lambda: found if len(found := cli.json("orders")) == 3 else [], process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=ENOUGH_SECONDS)
    assert sorted(order["signal_id"] for order in found) == told


def test_reading_from_the_beginning_is_for_a_followed_file(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    result = cli.run("run", "--signals", "signals.jsonl", "--from-beginning", "--until-idle")
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert "from-beginning: it applies to a followed file only" in result.stderr


def test_a_file_and_standard_input_are_said_to_be_read(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    assert f"Reads file:{cli.folder / 'signals.jsonl'}: from its beginning to its end" in cli.trade().stderr
