"""Settings files, check-ups, copies and rebuilding."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta

import pytest

from liveorder import __version__
from liveorder.application.reporting.projections.draft import Changes, RowReader
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, CommandLine, coin

COMMANDS = """run submit validate cancel replace kill resume status orders order positions signals doubts reconcile recover settle
adopt init doctor backup replay schema kite demo venue"""


@pytest.fixture
def traded(cli: CommandLine) -> CommandLine:
    cli.signals(coin("a"))
    assert cli.trade().exit_code == 0
    return cli


def test_init_writes_a_file_that_changes_nothing_and_overwrites_none(cli: CommandLine) -> None:
    assert cli.run("init", "new.toml").exit_code == 0
    written = (cli.folder / "new.toml").read_text()
    assert "#max_daily_trades = 10" in written
    assert cli.run("doctor", "--config", "new.toml", "--json").exit_code == ExitCode.OK
    again = cli.run("init", "new.toml")
    assert (again.exit_code, (cli.folder / "new.toml").read_text()) == (ExitCode.INVALID_INPUT, written)


def test_the_doctor_finds_a_good_house_healthy(traded: CommandLine) -> None:
    result = traded.run("doctor")
    assert result.exit_code == 0
    assert "ok   store: whole: " in result.stdout
    assert "ok   broker of SIM: simulated answers" in result.stdout
    assert "FAIL" not in result.stdout


def test_the_doctor_shows_settings_without_their_secrets(traded: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITE_API_SECRET", "do-not-tell")
    monkeypatch.setenv("USE_MOCK_BROKER", "true")
    for arguments in (("doctor",), ("doctor", "--json")):
        result = traded.run(*arguments)
        assert "api_secret" in result.stdout
        assert "do-not-tell" not in result.output


@pytest.mark.parametrize(("days_left", "mark", "code"), [(61, "ok", 0), (60, "WARN", 0), (-1, "FAIL", ExitCode.UNHEALTHY)])
def test_the_doctor_warns_before_the_calendar_of_a_default_exchange_ends(
    cli: CommandLine, days_left: int, mark: str, code: int
) -> None:
    last = ExchangeCalendars().last_session("XBOM")
    assert last is not None
    simulation = f'[simulation]\nhours = "exchange"\nstarts_at = "{last - timedelta(days=days_left)}T06:00:00+00:00"'
    cli.write("liveorder.toml", SETTINGS.replace("[simulation]", simulation) + 'exchange = "NSE"\n')
    cli.run("run", "--until-idle")
    found = cli.run("doctor")
    (line,) = [line for line in found.stdout.splitlines() if "calendar XBOM" in line]
    assert (line.split()[0], str(last) in line, found.exit_code) == (mark, True, code)
    assert ("upgrade exchange_calendars" in line) == (mark != "ok")


def test_a_simulated_market_that_never_closes_has_no_calendar_that_ends(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS + 'exchange = "NSE"\n')
    cli.signals(coin("a", symbol="SPY", quantity="1"))
    cli.trade()
    assert "calendar" not in cli.run("doctor").stdout


def test_the_doctor_looks_at_calendars_of_instruments_that_were_ordered(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS.replace("[simulation]", '[simulation]\nhours = "exchange"'))
    assert cli.json("doctor")["checks"][2]["name"] != "calendar XNYS"
    cli.signals(coin("a", symbol="SPY"))
    cli.trade()
    check = cli.json("doctor")["checks"][2]
    assert (check["name"], check["is_healthy"]) == ("calendar XNYS", True)


def test_the_doctor_tells_a_damaged_store(traded: CommandLine) -> None:
    with sqlite3.connect(traded.folder / "liveorder.db") as database:
        (table,) = database.execute("SELECT name FROM sqlite_master WHERE name LIKE '%event%' AND type='table'").fetchone()
        database.execute(f"DELETE FROM {table} WHERE rowid = 2")  # noqa: S608 - the name comes from the schema
    database.close()
    result = traded.run("doctor")
    assert result.exit_code == ExitCode.UNHEALTHY
    assert "FAIL store: " in result.stdout


def test_replay_repairs_what_verify_finds(traded: CommandLine) -> None:
    verified = traded.run("replay", "--verify")
    assert (verified.exit_code, verified.stderr) == (0, "")
    with sqlite3.connect(traded.folder / "liveorder-views.db") as database:
        database.execute("DELETE FROM positions")
    database.close()
    differs = traded.run("replay", "--verify")
    assert differs.exit_code == ExitCode.DIFFERS
    assert "1 difference" in differs.stdout
    assert traded.json("replay", "--verify")["is_equal"] is False
    assert traded.run("replay").stdout == "read models rebuilt from 5 events\n"
    assert traded.run("replay", "--verify").exit_code == 0


def test_replay_builds_what_is_missing_once(traded: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    ends, apply = list[int](), SqlViews.apply

    async def note_and_apply(self: SqlViews, after: int, upto: int, project: Callable[[RowReader], Changes]) -> None:
        ends.append(upto)
        await apply(self, after, upto, project)

    monkeypatch.setattr(SqlViews, "apply", note_and_apply)
    for path in traded.folder.glob("liveorder-views.db*"):
        path.unlink()
    assert traded.run("replay").exit_code == 0
    assert ends == [5]


def test_a_backup_is_a_whole_store_and_overwrites_none(traded: CommandLine) -> None:
    assert traded.run("backup", "copy.db").exit_code == 0
    assert traded.json("order", "a", "--store", "sqlite:///copy.db")["status"] == "FILLED"
    assert traded.run("backup", "copy.db").exit_code == ExitCode.STORE_REFUSED


def test_the_schema_is_json_schema(cli: CommandLine) -> None:
    schema = json.loads(cli.run("schema").stdout)
    assert schema["title"] == "Signal"
    assert "signal_type" in schema["properties"]


def test_the_version_is_told(cli: CommandLine) -> None:
    assert cli.run("--version").stdout == f"liveorder {__version__}\n"


def test_the_help_lists_every_command_and_every_exit_code(cli: CommandLine) -> None:
    text = cli.run("--help").stdout
    for word in [*COMMANDS.split(), *(str(code.value) for code in ExitCode)]:
        assert f" {word} " in text


@pytest.mark.parametrize(
    ("store", "target", "says"),
    [
        ("sqlite:///liveorder.db", "postgresql://127.0.0.1:1/db", "target: this is PostgreSQL, and the store is in a file"),
        ("postgresql://127.0.0.1:1/db", "copy.db", "target: this is a file, and the store is in PostgreSQL"),
    ],
)
def test_a_copy_of_another_kind_than_the_store_is_refused(traded: CommandLine, store: str, target: str, says: str) -> None:
    before = sorted(traded.folder.iterdir())
    result = traded.run("backup", "--store", store, target)
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert says in result.stderr
    assert sorted(traded.folder.iterdir()) == before


def test_a_copy_may_be_named_by_its_address(traded: CommandLine) -> None:
    assert traded.run("backup", "sqlite:///copy.db").exit_code == 0
    assert traded.run("status", "--store", "sqlite:///copy.db").exit_code == 0


def test_the_doctor_names_the_transfers_that_mend_what_is_nobodys(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.signals(coin("a", strategy_name="trend"))
    assert cli.trade().exit_code == 0
    adopt = ("adopt", "position", "--account", "SIM", "--price", "3100", "--evidence", "as a kill left it")
    with monkeypatch.context() as before:  # the name was not yet reserved
        before.setattr("liveorder.domain.given_by_hand.FLATTEN", "")
        assert cli.run(*adopt, "ETH/USD", "--quantity=-0.1", "--strategy", "flatten").exit_code == 0
    assert cli.run(*adopt, "BTC/USD", "--quantity", "0.5").exit_code == 0
    checks = [check for check in cli.json("doctor")["checks"] if check["name"].startswith("position of")]
    assert [(check["is_healthy"], check["is_pressing"]) for check in checks] == [(True, True)] * 2
    mends = [check["detail"].split("`")[1] for check in checks]
    assert mends == [
        "liveorder transfer CRYPTO:ETH/USD --account SIM --from flatten --to trend --quantity -0.1 --evidence WHY",
        "liveorder transfer CRYPTO:BTC/USD --account SIM --from adopted --to STRATEGY --quantity 0.5 --evidence WHY",
    ]
    assert cli.run(*mends[0].split()[1:]).exit_code == 0
    (trend,) = cli.json("positions", "--strategy", "trend")
    assert (trend["status"], trend["realized_pnl"]) == ("CLOSED", "10")
    assert len([check for check in cli.json("doctor")["checks"] if check["name"].startswith("position of")]) == 1
