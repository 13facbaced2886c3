"""What serves a name of the settings, and what is said where nothing does, several do, or it fails: never with a secret."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.bootstrap.brokerages import brokerage_of, check_supplied
from liveorder.bootstrap.doors import check_doors, open_doors
from liveorder.bootstrap.parts import clock_of, log_of, open_store
from liveorder.domain.errors import LiveOrderError, SettingsError
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.settings import Settings
from tests.harness.worlds import RememberedLog
from tests.installing import install_module

MARK = "hunter2-of-the-desk"
BROKER = """
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator
from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.plugin import BrokerPlugin
class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pin: SecretStr
    port: int = 1
    @field_validator("pin")
    def is_long(cls, pin):
        if len(pin.get_secret_value()) < 12:
            raise ValueError("is too short: " + pin.get_secret_value())
        return pin
def brokerage(access, options):
    if options.port == 2:
        raise RuntimeError("cannot use " + options.pin.get_secret_value())
    if options.port == 3:
        return "none"
    return Brokerage(access.account_id, options, None)
PLUGIN = BrokerPlugin(Options, brokerage)
"""
READ_MODEL = """
from typing import NamedTuple
from liveorder.application.reporting.projections import ORDERS
from liveorder.application.reporting.projections.read_model import ReadModel, view_of
class Row(NamedTuple):
    began: int
MODEL = ReadModel("NAME", row=Row, key=("began",), about="", project=print, view=view_of(Row))
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package whose one module has `source`; what was imported of it is forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    target, names = tmp_path / "installed", list[str]()
    target.mkdir()
    monkeypatch.syspath_prepend(target)

    def installed(name: str, source: str, version: str = "1.0", **points: dict[str, str]) -> None:
        names.append(name.replace("-", "_"))
        install_module(target, name, version, source, {f"liveorder.{group}": named for group, named in points.items()})

    yield installed
    for name in names:
        sys.modules.pop(name, None)


def refused(settings: Settings) -> str:
    with pytest.raises(SettingsError) as raised:
        open_doors(settings)
    return str(raised.value)


def broker_settings(**options: object) -> Settings:
    accounts = [{"id": "a", "broker": "mine"}]
    return Settings.model_validate({"trading_mode": "PAPER", "accounts": accounts, "brokers": {"mine": options}})


def opened(settings: Settings) -> object:
    settings.check()
    return brokerage_of(settings, settings.trading_accounts[0], clock_of(settings), RememberedLog())


async def sources_of(settings: Settings) -> object:
    doors = open_doors(settings)
    store, clock, log = await _rest(settings)
    return [source(store, clock, log) for source in doors.sources]


async def outboxes_of(settings: Settings) -> object:
    return open_doors(settings).outboxes(*await _rest(settings))


async def _rest(settings: Settings) -> tuple[DatabaseOrderStore, Clock, RememberedLog]:
    return await open_store(settings), clock_of(settings), RememberedLog()


def with_source(url: str) -> Settings:
    return Settings.model_validate({"sources": [{"url": url}]})


# --- names ---


def test_a_scheme_that_nothing_serves_names_the_setting_and_what_there_is(install: Install) -> None:
    install("carrier", "", sources={"pigeon": "carrier:source"})
    said = refused(with_source("pidgeon://loft"))
    assert "sources.0.url: there is no source 'pidgeon'; use one of file, stdin, redis, rediss, pigeon" in said
    assert "the entry point 'pidgeon' in the group liveorder.sources" in said


def test_two_packages_that_claim_a_name_are_both_named(install: Install) -> None:
    install("carrier", "", sources={"pigeon": "carrier:source"})
    install("loft", "", "2.1", sources={"pigeon": "loft:source"})
    said = refused(with_source("pigeon://loft"))
    assert said.startswith("sources.0.url: the source 'pigeon' is claimed by ")
    assert "carrier 1.0" in said
    assert "loft 2.1" in said


def test_a_package_cannot_take_the_name_of_what_is_built_in(install: Install, tmp_path: Path) -> None:
    install("carrier", "", publishers={"file": "carrier:publisher"}, brokers={"alpaca": "carrier:broker"})
    said = refused(Settings.model_validate({"publishers": [{"url": "file:filled.jsonl"}]}))
    assert "the publisher 'file' is claimed by liveorder itself and by carrier 1.0" in said
    settings = Settings.model_validate({"trading_mode": "PAPER", "alpaca": {"api_key": "k", "secret_key": "s"}})
    with pytest.raises(SettingsError, match="account 'alpaca': broker: the broker 'alpaca' is claimed by liveorder itself and by"):
        opened(settings)


def test_a_package_that_nothing_names_is_not_imported(install: Install, tmp_path: Path) -> None:
    install("broken", "raise RuntimeError", sources={"broken": "broken:source"})
    (tmp_path / "signals.jsonl").write_text("")
    assert len(open_doors(with_source("file:signals.jsonl")).sources) == 1
    assert "broken" not in sys.modules


# --- failures ---


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("raise SystemExit('redis://me:hunter2-of-the-desk@host')", "SystemExit: redis://me:**********@host"),
        ("", "AttributeError"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named(source: str, reason: str, install: Install) -> None:
    install("carrier", source, sources={"pigeon": "carrier:source"})
    said = refused(with_source("pigeon://loft"))
    assert said.startswith("sources.0.url: the source 'pigeon' of the package carrier 1.0 cannot be imported: ")
    assert reason in said


@pytest.mark.parametrize("url", [f"pigeon://me:{MARK}@loft", "pigeon://me:${PIGEON}@loft", f"pigeon://loft?token={MARK}"])
async def test_a_plugin_that_fails_on_its_url_is_named_and_shows_no_secret(
    url: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIGEON", MARK)
    source = f"def source(access):\n assert '{MARK}' in access.url\n raise KeyError('no loft ' + access.url[-30:] + access.shown)"
    install("carrier", source, sources={"pigeon": "carrier:source"})
    with pytest.raises(SettingsError) as raised:
        await sources_of(with_source(url))
    said = str(raised.value)
    assert "the source 'pigeon' of the package carrier 1.0 cannot be opened: KeyError" in said
    assert MARK not in said
    assert raised.value.__cause__ is None


SAYS_IT = """
import os
class Own(BaseException): pass
class Silent(Exception):
    def __str__(self): raise ValueError
raise {error}
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("KeyError(os.environ['PIGEON'])", "KeyError: '**********'"),
        ("RuntimeError('no ' + repr(os.environ['PIGEON']))", "RuntimeError: no '**********'"),
        ("Own(os.environ['PIGEON'])", "Own: **********"),
        ("Silent()", "Silent"),
    ],
)
def test_a_package_that_fails_at_its_import_shows_no_secret(
    error: str, said: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIGEON", MARK)
    install("carrier", SAYS_IT.format(error=error), sources={"pigeon": "carrier:source"})
    shown = refused(with_source("pigeon://me:${PIGEON}@loft"))
    assert shown.endswith(f"cannot be imported: {said}")
    assert MARK not in shown


async def test_a_plugin_that_makes_something_else_is_named(install: Install) -> None:
    install("carrier", "def source(access): return 7", sources={"pigeon": "carrier:source"})
    with pytest.raises(SettingsError, match="cannot be used: it made a int, not a SignalSource: it lacks name, finite, messages"):
        await sources_of(with_source("pigeon://loft"))


async def test_two_destinations_of_one_name_are_refused(install: Install) -> None:
    urls = [{"url": "file:here/filled.jsonl"}, {"url": "file:there/filled.jsonl"}]
    with pytest.raises(SettingsError, match=r"publishers.0.url and publishers.1.url: both are named 'jsonl:filled.jsonl'"):
        await outboxes_of(Settings.model_validate({"publishers": urls}))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("MODEL = 7", "cannot be used: it is a int, not a ReadModel"),
        (READ_MODEL.replace("NAME", "other"), "cannot be used: its read model is named 'other'"),
        (READ_MODEL.replace("NAME", "mine").replace("row=Row", "row=Row, beside=ORDERS"), "cannot extend another table"),
        (READ_MODEL.replace("NAME", "Mine"), "cannot be imported: TypeError: 'Mine' is no name of a read model"),
    ],
)
def test_what_is_no_projection_is_named(source: str, reason: str, install: Install) -> None:
    install("tally", source, projections={"mine": "tally:MODEL"})
    said = refused(Settings.model_validate({"projections": ["mine"]}))
    assert said.startswith("projections.0: the projection 'mine' of the package tally 1.0 ")
    assert reason in said


def test_a_projection_is_none_that_is_always_there(install: Install) -> None:
    settings = Settings.model_validate({"projections": ["orders"]})
    assert "projections.0: orders is part of liveorder and always there" in refused(settings)
    install("tally", "", projections={"orders": "tally:MODEL"})
    assert "the projection 'orders' is claimed by liveorder itself and by tally 1.0" in refused(settings)


# --- brokers ---


def test_a_plugins_settings_are_its_table_with_the_options_of_the_account(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("desk", BROKER, brokers={"mine": "desk:PLUGIN"})
    monkeypatch.setenv("DESK_PIN", MARK)
    accounts = [{"id": "a", "broker": "mine", "options": {"port": 7}}]
    table = {"mine": {"pin": "${DESK_PIN}", "port": 1}}
    made = opened(Settings.model_validate({"trading_mode": "PAPER", "accounts": accounts, "brokers": table}))
    options = made.market_data  # type: ignore[attr-defined]  # where this plugin leaves what it was given
    assert (options.port, options.pin.get_secret_value()) == (7, MARK)


def test_the_environment_sets_a_plugins_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "liveorder.toml").write_text('[[accounts]]\nid = "a"\nbroker = "mine"\n[brokers.mine]\nport = 1\n')
    monkeypatch.setenv("LIVEORDER_BROKERS__MINE__PORT", "7")
    monkeypatch.setenv("LIVEORDER_BROKERS__MINE__PIN", MARK)
    settings = Settings.load()
    assert settings.plugin_options(settings.accounts[0]) == {"port": "7", "pin": MARK}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"port": 4}, "pin in [brokers.mine] or the options of 'a': Field required; its settings are pin, port"),
        ({"pin": MARK, "prot": 4}, "prot in [brokers.mine]"),
        ({"pin": MARK, "port": "x"}, "port in [brokers.mine]"),
        ({"pin": "too-short"}, "is too short: **********"),
        ({"pin": MARK, "port": 2}, "RuntimeError: cannot use **********"),
        ({"pin": MARK, "port": 3}, "it made a str, not a Brokerage"),
        ({"pin": "${NOT_SET}"}, "brokers.mine.pin: ${NOT_SET} is not set; set NOT_SET in the environment or in .env"),
    ],
)
def test_what_is_wrong_with_a_plugins_settings_is_said_without_a_secret(
    options: dict[str, object], reason: str, install: Install
) -> None:
    install("desk", BROKER, brokers={"mine": "desk:PLUGIN"})
    with pytest.raises(SettingsError) as raised:
        opened(broker_settings(**options))
    assert reason in str(raised.value)
    assert MARK not in str(raised.value)
    assert "too-short" not in str(raised.value)


def test_what_is_no_plugin_of_a_broker_is_named(install: Install) -> None:
    install("desk", "PLUGIN = 1", brokers={"mine": "desk:PLUGIN"})
    with pytest.raises(SettingsError, match=r"desk 1.0 cannot be used: it is a int, not a BrokerPlugin\(settings, open\)"):
        opened(broker_settings())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("kite", "brokers.kite: kite is built in; its settings are in [kite]"),
        ("simulated", "brokers.simulated: simulated is built in"),
        ("other", "brokers.other: no account is at this broker"),
    ],
)
def test_a_table_that_nothing_reads_is_refused(name: str, reason: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.model_validate({"brokers": {name: {"api_key": "k"}}}).check()
    assert reason in str(raised.value)


def test_options_beside_a_brokerage_of_the_programs_own_are_refused() -> None:
    settings = Settings.model_validate({"accounts": [{"id": "a", "broker": "mine", "options": {"x": 1}}], "use_mock_broker": True})
    given = Brokerage(None, None, None)  # type: ignore[arg-type]  # nothing is asked of it
    with pytest.raises(SettingsError, match="account 'a': nothing reads its options"):
        check_supplied(settings, {"a": given})


# --- secrets ---


def test_secrets_of_plugins_are_masked_wherever_settings_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIGEON", "coo-coo-coo")
    (tmp_path / ".env").write_text("DESK_PIN=1234-5678\n")
    settings = Settings.model_validate(
        {
            "accounts": [{"id": "a", "broker": "mine", "options": {"pin": "${DESK_PIN}"}}],
            "brokers": {"mine": {"api_key": MARK, "host": "here"}},
            "sources": [{"url": f"pigeon://me:{MARK}%40@loft?stream=s"}, {"url": "pigeon://:${PIGEON}@loft"}],
            "publishers": [{"url": f"pigeon:me:{MARK}@loft"}],
            "notifiers": [{"url": f"pigeon://loft?token={MARK}"}],
        }
    )
    shown = str(settings.masked()) + repr(settings) + str([(each.shown, each.problem) for each in check_doors(settings)])
    for secret in (MARK, "coo-coo-coo", "1234-5678"):
        assert secret not in shown
    assert "pigeon://me:**********@loft?stream=s" in shown
    known = {secret.get_secret_value() for secret in settings.secrets}
    assert {MARK, f"{MARK}@", "coo-coo-coo", "1234-5678"} <= known


def test_a_log_blots_out_what_a_plugin_says_of_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIGEON", "coo-coo-coo")
    settings = Settings.model_validate(
        {"sources": [{"url": "pigeon://:${PIGEON}@loft"}], "logs": {"console": False, "directory": tmp_path / "logs"}}
    )
    with closing(log_of(settings, clock_of(settings))) as log:
        log.write("ERROR", "the loft does not know coo-coo-coo")
    (written,) = (tmp_path / "logs").glob("orders_*.log")
    assert "the loft does not know **********" in written.read_text()


@pytest.mark.parametrize("url", ["no url", f"me:{MARK} @loft", ""])
def test_what_is_no_url_is_refused_and_not_shown(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "liveorder.toml").write_text(f'[[sources]]\nurl = "{url}"\n')
    with pytest.raises(SettingsError) as raised:
        Settings.load()
    assert str(raised.value).startswith("sources.0.url: this is not a URL")
    assert MARK not in str(raised.value)


# --- files ---


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file://host/signals.jsonl", "sources.0.url: this does not name a file; write file:PATH or file:///PATH"),
        ("file:signals.jsonl?folow=true", "sources.0.url: ?folow=… is not an option of such a file; use follow=true"),
        ("file:signals.jsonl?follow=1", "sources.0.url: ?follow=…"),
        ("file:signals.jsonl?from_beginning=true", "it applies to a followed file only"),
        ("file:absent.jsonl", "no file at absent.jsonl"),
    ],
)
def test_a_file_by_its_url_is_refused_as_by_its_path(
    url: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LiveOrderError) as raised:
        open_doors(with_source(url))
    assert reason in str(raised.value)
