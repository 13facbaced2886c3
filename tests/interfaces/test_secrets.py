"""No command shows a password that stands in the address of a database, however it is written and whatever fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.addresses import HEAD, TAIL, is_hidden_in, written
from tests.interfaces.command_line import COMMAND, SETTINGS, CommandLine, coin

_COMMANDS = (
    ("doctor",),
    ("doctor", "--json"),
    ("run", "--until-idle"),
    ("status",),
    ("orders", "--json"),
    ("replay",),
    ("replay", "--verify"),
    ("backup", "copy.db"),
    ("kill",),
    ("init", "settings.toml"),
)
_real_commands = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _everything_said(cli: CommandLine) -> str:
    return "".join(file.read_text() for file in cli.folder.rglob("*.log"))


@_real_commands
@given(written(), st.sampled_from(_COMMANDS))
def test_no_command_shows_the_password_of_its_store(cli: CommandLine, address: str, command: tuple[str, ...]) -> None:
    (cli.folder / "settings.toml").unlink(missing_ok=True)
    chosen = () if command[0] == "init" else ("--store", address)
    result = cli.run(*command, *chosen)
    assert is_hidden_in(result.output + _everything_said(cli)), result.output
    assert "this is a defect" not in result.output


@_real_commands
@given(written(), st.sampled_from(_COMMANDS))
def test_no_command_shows_the_password_of_its_read_models(cli: CommandLine, address: str, command: tuple[str, ...]) -> None:
    (cli.folder / "settings.toml").unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LIVEORDER_READ_MODEL", address.replace("\0", ""))
        result = cli.run(*command)
    assert is_hidden_in(result.output + _everything_said(cli)), result.output
    assert "this is a defect" not in result.output


@_real_commands
@given(written(), st.booleans())
def test_a_backup_does_not_show_the_password_of_its_target(cli: CommandLine, address: str, is_second: bool) -> None:
    if not (cli.folder / "liveorder.db").exists():
        assert cli.run("run", "--until-idle").exit_code == 0
    result = cli.run("backup", *(["copy.db"] if is_second else []), "--", address)
    assert is_hidden_in(result.output), result.output
    assert "this is a defect" not in result.output


@_real_commands
@given(written())
def test_a_copy_of_a_server_does_not_show_the_password_of_its_target(cli: CommandLine, address: str) -> None:
    result = cli.run("backup", "--store", "postgresql://127.0.0.1:1/db", "--", address)
    assert is_hidden_in(result.output), result.output
    assert "this is a defect" not in result.output


@pytest.mark.parametrize("setting", ["store", "read_model"])
@pytest.mark.parametrize(
    "url",
    [
        "@h:port/db",
        "@[::1/db",
        "postgresql://@h:port/db",
        "postgresql://[::1/db",
        "postgresql://bob:pa/ss@h/db",
        "postgresql://bob:p@ss@h/db",
        "postgresql://bob:p?ss@h/db",
        "postgresql://bob:100%@h/db",
        "postgresql://h/db?password",
        "postgresql://h/db?nonsense=1",
        "host=h password=PW",
        "sqlite://bob:PW@x/y",
        "sqlite:x.db",
        "sqlite:///",
        "mysql://h/db",
        "orders.db",
        "",
    ],
)
def test_a_broken_address_is_a_settings_error_that_says_how_to_write_it(cli: CommandLine, setting: str, url: str) -> None:
    cli.write("liveorder.toml", f'{setting} = "{url}"\n{SETTINGS.replace("store =", "#")}')
    is_harmless = "@" not in url and "password" not in url
    for command in (["run", "--until-idle"], ["status"], ["doctor"], ["replay"], ["backup", "copy.db"]):
        result = cli.run(*command)
        assert result.exit_code == ExitCode.SETTINGS, result.output
        assert result.stderr.startswith(f"error: {setting}: ")
        assert "postgresql://USER:PASSWORD@HOST" in result.stderr
        assert "LIVEORDER_" in result.stderr
        assert is_harmless or url not in result.output


@pytest.mark.parametrize(
    "variable",
    [
        "ALPACA_BASE_URL",
        "LIVEORDER_ALPACA__DATA_URL",
        "LIVEORDER_ALPACA__STREAM_URL",
        "LIVEORDER_KITE__ROOT",
        "LIVEORDER_KITE__TICKER_ROOT",
    ],
)
@pytest.mark.parametrize(
    "address",
    [f"https://bob:{HEAD}@h", f"https://{HEAD}/{TAIL}@h", f"wss://bob:{HEAD}/x@h", f"https://h?api_key={HEAD}", f"{HEAD}@h"],
)
def test_credentials_in_a_brokers_address_are_refused_unseen(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(variable, address)
    result = cli.run("doctor")
    assert result.exit_code == ExitCode.SETTINGS, result.output
    assert is_hidden_in(result.output), result.output


def test_credentials_in_an_address_of_one_account_are_refused_unseen(cli: CommandLine) -> None:
    accounts = f'[[accounts]]\nid = "A"\nbroker = "alpaca"\n[accounts.options]\napi_key = "{TAIL}"\nsecret_key = "s"\n'
    cli.write("liveorder.toml", f'trading_mode = "PAPER"\n{accounts}base_url = "https://bob:{HEAD}@paper.example"\n')
    for command in (["doctor"], ["doctor", "--json"], ["run", "--until-idle"]):
        result = cli.run(*command)
        assert result.exit_code in (ExitCode.SETTINGS, ExitCode.UNHEALTHY)
        assert is_hidden_in(result.output), result.output


def test_the_tokens_of_telegram_and_kite_are_not_shown(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TELEGRAM_BOT_TOKEN",
        "KITE_ACCESS_TOKEN",
        "KITE_API_KEY",
        "KITE_API_SECRET",
        "ALPACA_API_KEY",
        "ALPACA_SECRET_KEY",
    ):
        monkeypatch.setenv(name, f"{HEAD}-{name}")
    monkeypatch.setenv("USE_MOCK_BROKER", "true")
    cli.signals(coin("a"))
    results = [cli.run("doctor"), cli.run("doctor", "--json"), cli.trade(), cli.run("status")]
    assert is_hidden_in("".join(result.output for result in results) + _everything_said(cli))


@pytest.mark.parametrize(
    "misplaced",
    [
        {"LIVEORDER_ALPACA": HEAD},
        {"LIVEORDER_ACCOUNTS": f'[{{"id": 5, "options": {{"api_key": "{HEAD}"}}}}]'},
        {"LIVEORDER_SIMULATION__VENUE": f"bob:{HEAD}@h:1"},
    ],
)
def test_a_value_that_does_not_fit_is_not_shown_where_a_secret_may_be_in_it(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, misplaced: dict[str, str]
) -> None:
    for name, value in misplaced.items():
        monkeypatch.setenv(name, value)
    result = cli.run("doctor")
    assert result.exit_code == ExitCode.SETTINGS
    assert is_hidden_in(result.output), result.output


@pytest.mark.parametrize(
    "arguments", [["orders", "{url}"], ["status", "--stoer={url}"], ["doctor", "--store", "sqlite:///x.db", "{url}"], ["{url}"]]
)
@pytest.mark.parametrize(
    "url", [f"postgresql://bob:{HEAD}@h/db", f"postgresql://bob:{HEAD}/{TAIL}@h/db", f"host=h password={HEAD}"]
)
def test_a_command_line_that_is_wrong_is_not_repeated_with_its_password(cli: CommandLine, arguments: list[str], url: str) -> None:
    result = cli.run(*(argument.format(url=url) for argument in arguments))
    assert result.exit_code == ExitCode.USAGE
    assert is_hidden_in(result.output), result.output


_PATHS = (
    ("doctor", "-c"),
    ("status", "--config"),
    ("run", "--until-idle", "--signals"),
    ("run", "--follow", "--signals"),
    ("run", "--until-idle", "--quotes"),
    ("init",),
    ("venue", "--data"),
    ("venue", "--ready-file"),
    ("demo", "--directory"),
    ("kite", "login", "token", "--file"),
)


@_real_commands
@given(written(), st.sampled_from(_PATHS))
def test_an_address_in_the_place_of_a_path_is_refused_unseen(cli: CommandLine, address: str, command: tuple[str, ...]) -> None:
    (cli.folder / "settings.toml").unlink(missing_ok=True)
    result = cli.run(*command[:-1], f"{command[-1]}={address}") if command[-1][:2] == "--" else cli.run(*command, "--", address)
    assert is_hidden_in(result.output + _everything_said(cli)), result.output
    assert result.exit_code == ExitCode.USAGE, result.output


@_real_commands
@given(
    written(),
    st.sampled_from(
        [
            "LIVEORDER_CONFIG",
            "LIVEORDER_SIMULATION__QUOTES",
            "LIVEORDER_SIMULATION__VENUE_SETTINGS",
            "LIVEORDER_SIMULATION__VENUE_DATA",
            "LIVEORDER_LOGS__DIRECTORY",
            "LIVEORDER_CONFIRMATIONS",
            "LIVEORDER_KITE__ACCESS_TOKEN_FILE",
        ]
    ),
)
def test_an_address_in_the_place_of_a_path_in_the_settings_is_refused_unseen(cli: CommandLine, address: str, variable: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(variable, address)
        result = cli.run("run", "--until-idle")
    assert is_hidden_in(result.output + _everything_said(cli)), result.output
    assert result.exit_code == ExitCode.SETTINGS, result.output
    assert not list(cli.folder.rglob(f"*{HEAD}*"))


@pytest.mark.parametrize("name", ["a@b.toml", "2025-03-10T09:20.toml", "with space = 1.toml", "monkey=1.toml"])
def test_a_path_that_only_looks_odd_is_taken(cli: CommandLine, name: str) -> None:
    assert cli.run("init", name).exit_code == 0
    assert cli.run("run", "--until-idle", "-c", name).exit_code == 0


def test_a_traceback_that_was_asked_for_shows_no_password(cli: CommandLine) -> None:
    """Whoever looks for a defect sends it to others."""
    crash = f"raise ValueError('no answer from https://bob:' + {HEAD[::-1]!r}[::-1] + '/' + {TAIL[::-1]!r}[::-1] + '@h/x')"
    (cli.folder / "sitecustomize.py").write_text(
        f"import liveorder.bootstrap\ndef crash(*_, **__):\n    {crash}\nliveorder.bootstrap.load_settings = crash\n"
    )
    environment = os.environ | {"LIVEORDER_TRACEBACK": "1", "PYTHONPATH": str(cli.folder)}
    ended = subprocess.run([*COMMAND, "status"], cwd=cli.folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == ExitCode.UNEXPECTED
    assert "Traceback" in ended.stderr
    assert "sitecustomize.py" in ended.stderr
    assert is_hidden_in(ended.stdout + ended.stderr), ended.stderr


def test_a_read_models_address_with_several_hosts_and_encoded_parts_works(cli: CommandLine, tmp_path: Path) -> None:
    """The first host does not answer: libpq goes on to the next, for the read models as for the store."""
    from tests.postgres_databases import lend_database, take_back_database, url_of_database

    name = lend_database()
    try:
        plain = url_of_database(name)
        several = plain.replace("@127.0.0.1:5432", "@127.0.0.1:1,127.0.0.1:5432")
        assert several != plain
        cli.signals(coin("a"))
        result = cli.run("run", "--signals", "signals.jsonl", "--until-idle", "--store", several)
        assert result.exit_code == 0, result.output
        assert cli.run("orders", "--store", several).exit_code == 0
        assert cli.run("replay", "--verify", "--store", several).exit_code == 0
    finally:
        take_back_database(name)
