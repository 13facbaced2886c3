"""What the commands leave on the disk is its owner's alone, and what others may touch is found."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, CommandLine, coin, eventually

NEW_FOLDERS = """
store = "sqlite:///var/deep/orders.db"
confirmations = "told/confirmations.jsonl"
[logs]
directory = "logs/deep"
[risk]
max_position_size = 100000
[simulation]
venue_data = "venue/venue.db"
venue_settings = "venue.toml"
[[accounts]]
id = "SIM"
"""


@pytest.fixture(params=[0o000, 0o022], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def wider(folder: Path) -> dict[str, str]:
    """What others may do anything with, but for what the test itself wrote."""
    given = {"liveorder.toml", "venue.toml", "signals.jsonl"}
    found = [path for path in folder.rglob("*") if path.name not in given]
    return {str(path.relative_to(folder)): oct(path.lstat().st_mode) for path in found if path.lstat().st_mode & 0o077}


@pytest.mark.usefixtures("umask")
def test_whatever_a_run_leaves_is_private(cli: CommandLine) -> None:
    cli.write("liveorder.toml", NEW_FOLDERS)
    cli.signals(coin("a"))
    assert cli.trade().exit_code == 0
    for command in (["backup", "copy.db"], ["replay", "--verify"], ["replay"], ["init", "new.toml"], ["doctor"]):
        assert cli.run(*command).exit_code == 0, command
    kept = {path.name for path in cli.folder.rglob("*") if path.is_file()}
    assert {"orders.db", "orders-views.db", "venue.db", "copy.db", "new.toml", "confirmations.jsonl"} <= kept
    assert wider(cli.folder) == {}


@pytest.mark.usefixtures("umask")
def test_the_files_of_a_running_service_are_private(cli: CommandLine) -> None:
    cli.write("liveorder.toml", NEW_FOLDERS)
    cli.signals()
    service = cli.start("run", "--signals", "signals.jsonl", "--follow")
    names = ("var/deep/orders.db-wal", "var/deep/orders.db-shm", "var/deep/orders-views.db-wal", "venue/venue.db-wal")
    try:
        eventually(lambda: all((cli.folder / name).exists() for name in names), service)
        assert wider(cli.folder) == {}
    finally:
        service.terminate()
        service.communicate()


@pytest.mark.usefixtures("umask")
def test_the_journal_of_an_emergency_is_private_and_makes_its_folder(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS.replace("sqlite:///liveorder.db", "postgresql://127.0.0.1:1/db"))
    result = cli.run("kill", "--emergency")
    assert list((cli.folder / "var").glob("postgresql-*-emergency.jsonl")), result.output
    assert wider(cli.folder) == {}


def test_a_log_that_is_a_link_is_refused_and_trading_goes_on(cli: CommandLine) -> None:
    elsewhere = cli.folder / "not-ours"
    (cli.folder / "logs").mkdir()
    (cli.folder / "logs" / f"orders_{datetime.now(UTC):%Y%m%d}.log").symlink_to(elsewhere)
    cli.signals(coin("a"))
    result = cli.trade()
    assert result.exit_code == 0
    assert "is a symbolic link" in result.stderr
    assert not elsewhere.exists()
    diagnosis = cli.run("doctor")
    assert diagnosis.exit_code == ExitCode.UNHEALTHY
    assert "FAIL links: " in diagnosis.stdout


def test_confirmations_that_are_a_link_are_refused_and_written_once_they_are_none(cli: CommandLine) -> None:
    cli.write("liveorder.toml", f'confirmations = "told.jsonl"\n{SETTINGS}')
    link, elsewhere = cli.folder / "told.jsonl", cli.folder / "not-ours"
    link.symlink_to(elsewhere)
    cli.signals(coin("a"))
    cli.trade()
    assert not elsewhere.exists()
    assert "is a symbolic link" in "".join(log.read_text() for log in (cli.folder / "logs").iterdir())
    link.unlink()
    assert cli.trade().exit_code == 0
    assert '"a"' in link.read_text()


def test_an_emergency_journal_that_is_a_link_is_refused_and_the_stop_goes_on(cli: CommandLine) -> None:
    elsewhere = cli.folder / "not-ours"
    (cli.folder / "liveorder.db-emergency.jsonl").symlink_to(elsewhere)
    result = cli.run("kill", "--emergency")
    assert "is a symbolic link" in result.stderr
    assert not elsewhere.exists()


def test_the_doctor_says_what_others_may_do_and_changes_nothing(cli: CommandLine) -> None:
    cli.signals(coin("a"))
    assert cli.trade().exit_code == 0
    for path in cli.folder.iterdir():
        if path.is_file():
            path.chmod(0o600)
    assert "  ok   files: " in cli.run("doctor").stdout
    open_to_others = {"liveorder.db": 0o644, "liveorder-views.db": 0o620, "venue.db": 0o606, "liveorder.toml": 0o640, ".env": 0o644}
    (cli.folder / ".env").touch()
    for name, mode in open_to_others.items():
        (cli.folder / name).chmod(mode)
    (log,) = (cli.folder / "logs").glob("orders_*.log")
    log.chmod(0o664)
    (cli.folder / "logs").chmod(0o755)
    result = cli.run("doctor")
    assert result.exit_code == 0
    (files,) = (line for line in result.stdout.splitlines() if "WARN files: " in line)
    assert "chmod go-rwx" in files
    assert all(name in files for name in (*open_to_others, f"logs/{log.name}"))
    assert "WARN folders: " in result.stdout
    assert "chmod go-rwx logs" in result.stdout
    modes = {name: stat.S_IMODE((cli.folder / name).stat().st_mode) for name in open_to_others}
    assert modes == open_to_others


def test_the_doctor_looks_at_the_files_that_tokens_are_in(cli: CommandLine) -> None:
    cli.write(
        "liveorder.toml",
        f'{SETTINGS}[accounts.options]\naccess_token_file = "of-the-account"\n[kite]\naccess_token_file = "token"\n',
    )
    for name in ("token", "of-the-account"):
        (cli.folder / name).touch(0o644)
    (files,) = (check["detail"] for check in cli.json("doctor")["checks"] if check["name"] == "files")
    assert "of-the-account token`" in files


def test_the_command_that_the_doctor_names_ends_its_warning(cli: CommandLine) -> None:
    cli.write("liveorder.toml", f'confirmations = "told; rm -rf x.jsonl"\n{SETTINGS}')
    cli.signals(coin("a"))
    assert cli.trade().exit_code == 0
    (cli.folder / "told; rm -rf x.jsonl").chmod(0o666)
    (cli.folder / "logs").chmod(0o777)
    checks = {check["name"]: check["detail"] for check in cli.json("doctor")["checks"]}
    for name in ("files", "folders"):
        assert os.system(checks[name].partition("`")[2].partition("`")[0]) == 0  # noqa: S605 - it is what a person would do
    assert [check["is_pressing"] for check in cli.json("doctor")["checks"] if check["name"] in ("files", "folders")] == [
        False,
        False,
    ]
