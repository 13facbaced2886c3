import dataclasses
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.ports.brokerage import Brokerage
from liveorder.bootstrap.brokerages import connections_of, needs_venue
from liveorder.bootstrap.supplied import Supplied
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import SettingsError
from liveorder.domain.limit_tables import NarrowLimits
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.alpaca.assembly import ALPACA_CAPABILITIES
from liveorder.infrastructure.brokers.ibkr.capabilities import CAPABILITIES as IBKR_CAPABILITIES
from liveorder.infrastructure.brokers.kite.broker import CAPABILITIES as KITE_CAPABILITIES
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.secrecy import MASK
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.names import ENVIRONMENT_NAMES, TRADER_NAMES, setting_paths
from liveorder.infrastructure.settings.sections import Simulation
from liveorder.infrastructure.settings.template import commented_toml
from tests.harness.worlds import RememberedLog

NOTHING: Any = object()
NOWHERE = Brokerage(NOTHING, NOTHING, NOTHING)
"""Nothing is asked of it."""
TRADERS_VALUES: dict[str, Any] = {
    "KITE_API_KEY": "kite-key",
    "KITE_API_SECRET": "kite-secret",
    "KITE_ACCESS_TOKEN": "kite-token",
    "ENABLE_AUTO_TRADING": True,
    "POSITION_SIZE": Decimal("2500.50"),
    "MAX_POSITION_SIZE": Decimal(50000),
    "MAX_DAILY_TRADES": 25,
    "IBKR_HOST": "127.0.0.1",
    "IBKR_PORT": 4002,
    "IBKR_CLIENT_ID": 7,
    "USE_MOCK_BROKER": True,
    "ALPACA_API_KEY": "alpaca-key",
    "ALPACA_SECRET_KEY": "alpaca-secret",
    "ALPACA_BASE_URL": "https://paper-api.alpaca.markets",
    "TRADING_MODE": TradingMode.PAPER,
    "TELEGRAM_ENABLED": True,
    "TELEGRAM_BOT_TOKEN": "telegram-token",
    "TELEGRAM_CHAT_ID": "42",
    "ORDER_TIMEOUT_SECONDS": 90.0,
    "MAX_RETRY_ATTEMPTS": 5,
}


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No file, no variable: what a test does not write is not there."""
    monkeypatch.chdir(tmp_path)
    for name in (*ENVIRONMENT_NAMES, "liveorder_config"):
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


def load(toml: str = "", dotenv: str = "", **overrides: Any) -> Settings:
    Path("liveorder.toml").write_text(toml)
    Path(".env").write_text(dotenv)
    return Settings.load(**overrides)


def refusal(toml: str = "", dotenv: str = "", **overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load(toml, dotenv, **overrides).check()
    return str(caught.value)


def limits_of(settings: Settings, account_id: str, currency: str = "") -> RiskLimits:
    """Those with which it is traded at the simulated venue."""
    (account,) = (each for each in settings.trading_accounts if each.id == account_id)
    return settings.at_the_venue(account).limits(settings.risk, currency)


def value_at(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in TRADER_NAMES[name.lower()]:
        value = getattr(value, part)
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


# --- where they come from -----------------------------------------------------------------------------------------------------


def test_every_trader_name_is_tested() -> None:
    assert {name.lower() for name in TRADERS_VALUES} == set(TRADER_NAMES)


@pytest.mark.parametrize("name", TRADERS_VALUES)
@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_the_names_that_traders_have_work_in_the_environment(name: str, spelling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(spelling(name), str(TRADERS_VALUES[name]))
    assert value_at(load(), name) == TRADERS_VALUES[name]


@pytest.mark.parametrize("name", TRADERS_VALUES)
def test_the_names_that_traders_have_work_in_a_dotenv_file(name: str) -> None:
    assert value_at(load(dotenv=f"{name}={TRADERS_VALUES[name]}"), name) == TRADERS_VALUES[name]


@pytest.mark.parametrize("name", TRADERS_VALUES)
@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_the_names_that_traders_have_work_in_the_file(name: str, spelling: Any) -> None:
    value = TRADERS_VALUES[name]
    written = (
        str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | float | Decimal) else f'"{value}"'
    )
    assert value_at(load(f"{spelling(name)} = {written}"), name) == value


def test_overrides_win_over_environment_over_dotenv_over_file_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    toml = "[risk]\nmax_daily_trades = 1\nmax_open_orders = 1\nposition_size = 1\nmax_order_value = 1"
    dotenv = "MAX_DAILY_TRADES=2\nLIVEORDER_RISK__MAX_OPEN_ORDERS=2\nPOSITION_SIZE=2"
    monkeypatch.setenv("MAX_DAILY_TRADES", "3")
    monkeypatch.setenv("LIVEORDER_RISK__MAX_OPEN_ORDERS", "3")
    risk = load(toml, dotenv, risk={"max_daily_trades": 4}).risk
    assert [risk.max_daily_trades, risk.max_open_orders, risk.position_size, risk.max_order_value] == [4, 3, 2, 1]
    assert risk.max_position_size == RiskLimits().max_position_size


def test_an_override_of_none_and_an_empty_variable_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEORDER_NAMESPACE", "")
    assert load('namespace = "desk"', namespace=None).namespace == "desk"


def test_money_in_the_file_is_exact() -> None:
    assert str(load("[risk]\nposition_size = 0.1").risk.position_size) == "0.1"
    assert str(load("[risk]\nposition_size = 1000.10").risk.position_size) == "1000.10"


def test_a_limit_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load('[risk]\nmax_position_size = "none"').risk.max_position_size is None
    monkeypatch.setenv("MAX_DAILY_TRADES", "none")
    assert load().risk.max_daily_trades is None


def test_lists_and_tables_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEORDER_RISK__ALLOWED_SYMBOLS", '["SPY", "QQQ"]')
    monkeypatch.setenv("LIVEORDER_ACCOUNTS", '[{"id": "acc_1", "risk": {"position_size": 0.1}}]')
    settings = load()
    assert settings.risk.allowed_symbols == frozenset({"SPY", "QQQ"})
    assert str(limits_of(settings, "acc_1").position_size) == "0.1"


def test_the_file_can_be_named(empty_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_place / "a.toml").write_text('namespace = "a"')
    (empty_place / "b.toml").write_text('namespace = "b"')
    monkeypatch.setenv("LIVEORDER_CONFIG", "a.toml")
    assert load('namespace = "default file"').namespace == "a"
    assert load(config=Path("b.toml")).namespace == "b"


def test_without_any_file_the_defaults_hold() -> None:
    assert Settings.load() == Settings()


def test_settings_made_in_python_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MODE", "LIVE")
    assert Settings().trading_mode is None


# --- what is refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("max_daily_trade = 5", "max_daily_trade: no such setting; did you mean max_daily_trades?"),
        ("[risk]\nmax_dialy_trades = 5", "risk.max_dialy_trades: no such setting; did you mean max_daily_trades?"),
        ("max_open_orders = 5", "max_open_orders: no such setting; did you mean risk.max_open_orders?"),
        ("[retri]\nmax_attempts = 5", "retri: no such setting; did you mean retry?"),
        ("[retri]", "retri: no such setting; did you mean retry?"),
        ("xyzzy = 5", "xyzzy: no such setting; see `liveorder init` for all settings"),
        ("[[accounts]]\nid = 'a'\nbrokre = 'alpaca'", "accounts.0.brokre: no such setting; did you mean broker?"),
        (
            "[[accounts]]\nid = 'a'\n[accounts.risk]\nmax_order_valu = 1",
            "accounts.0.risk.max_order_valu: no such setting; did you mean risk.max_order_value?",
        ),
        ("[[accounts]]\nid = 'a'\n[accounts.capabilities]\nnotionl = true", "accounts.0.capabilities.notionl: no such setting;"),
        (
            "[[accounts]]\nid = 'a'\n[accounts.capabilities]\nusual_times_in_force = { CRYPTO = { MARKT = 'IOC' } }",
            "accounts.0.capabilities.usual_times_in_force.CRYPTO.MARKT = MARKT: input should be 'MARKET', ",
        ),
        (
            "[[accounts]]\nid = 'a'\n[accounts.capabilities]\nusual_times_in_force = { CRYPTO = 'IOC' }",
            "accounts.0.capabilities.usual_times_in_force.CRYPTO: is a table: write its settings in it, each by its name",
        ),
        (
            "[risk]\nmax_daily_trades = -1",
            "risk.max_daily_trades = -1: input should be greater than or equal to 0; correct it in liveorder.toml",
        ),
        ("trading_mode = 'real'", "trading_mode = REAL: input should be 'SIMULATION', 'PAPER' or 'LIVE'; correct it"),
        ("[kite]\napi_key = 5", "kite.api_key: not text: put it in quotes; correct it in liveorder.toml"),
        ("max_daily_trades = 5\n[risk]\nmax_daily_trades = 6", "liveorder.toml: risk.max_daily_trades is set twice"),
        ("risk = 5\nmax_daily_trades = 5", "liveorder.toml: risk.max_daily_trades is set twice"),
        (
            "[risk",
            "liveorder.toml: not TOML (Expected ']' at the end of a table declaration (at end of document))",
        ),
        ("[risk]\nmax_daily_loss = nan", 'risk.max_daily_loss = NaN: not a finite number: write one, or "none"'),
        ("[risk]\nmax_order_value = -inf", 'risk.max_order_value = -Infinity: not a finite number: write one, or "none"'),
        ("[timeouts]\nmarket_order_seconds = nan", "timeouts.market_order_seconds = NaN: not a finite number"),
        (
            "default_currency = 'dollar'",
            "default_currency = dollar: not a currency code; write one in capitals, such as USD",
        ),
        ("[[accounts]]\nid = 'a'\ncurrency = 'usd'", "accounts.0.currency = usd: not a currency code; write one in capitals"),
        (
            "[[accounts]]\ncurrency = 'USD'",
            "accounts.0.id: is missing: each of [[accounts]] needs one, the name by which signals call it",
        ),
        (
            "[accounts]\nid = 'a'",
            "accounts: not a list of tables: write [[accounts]], in two brackets, above each; correct it in liveo",
        ),
        ("projections = 'x'", "projections: not a list: write values in brackets, as in"),
        ("risk = 3", "risk: is a table: write its settings in it, each by its name; correct it in liveorder.toml"),
        ("[simulation]\nvenue = 'here'", "simulation.venue = here: not HOST:PORT: write it like 127.0.0.1:7070; correct it in"),
        ("[logs]\ndirectory = 5", "logs.directory = 5: not a path: put it in quotes; correct it in liveorder.toml"),
        ("[logs]\nconsole = 'maybe'", "logs.console = maybe: neither true nor false; correct it in liveorder.toml"),
        ("default_account = 'b'", "default_account: no account 'b' among [[accounts]]; did you mean 'SIM'?"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_with_a_remedy(toml: str, message: str) -> None:
    assert refusal(toml).startswith(message)


def test_everything_that_is_wrong_is_said_at_once_and_each_thing_once() -> None:
    said = refusal("[risk]\nmax_daily_trades = 'x'\nmax_dialy_loss = 1\n[[accounts]]\nid = 'a'\ncurrency = 'usd'")
    assert said.startswith("3 settings cannot be used: (1) risk.max_daily_trades = x: ")
    assert "; (2) risk.max_dialy_loss: no such setting; did you mean risk.max_daily_loss?; (3) accounts.0.currency = usd: " in said
    said = refusal("default_account = 'b'\n[telegram]\nenabled = true")
    assert said.startswith("2 settings cannot be used: (1) default_account: ")
    assert "(2) telegram.enabled is true, " in said


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("MAX_DAILY_TRADES", "x", "MAX_DAILY_TRADES"),
        ("max_daily_loss", "nan", "max_daily_loss"),
        ("LIVEORDER_RISK__MAX_DAILY_LOSS", "nan", "LIVEORDER_RISK__MAX_DAILY_LOSS"),
        ("LIVEORDER_RISK", '{"max_daily_loss": "much"}', "LIVEORDER_RISK"),
        ("LIVEORDER_ACCOUNTS", '[{"id": "a", "currency": "usd"}]', "LIVEORDER_ACCOUNTS"),
        ("IBKR_PORT", "abc", "IBKR_PORT"),
        ("TRADING_MODE", "real", "TRADING_MODE"),
    ],
)
def test_a_value_from_a_variable_is_said_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, where: str) -> None:
    assert refusal(dotenv=f"{name}={value}").endswith(f"; correct {where} in .env")
    monkeypatch.setenv(name, value)
    assert refusal().endswith(f"; correct {where} in the environment")


LIMITS = [name for name in RiskLimits.model_fields if name.startswith("max_")]


@pytest.mark.parametrize("name", LIMITS)
def test_no_limit_is_set_in_vain_in_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name.upper(), "7")
    assert getattr(load().risk, name) == 7
    monkeypatch.setenv(f"LIVEORDER_RISK__{name.upper()}", "8")
    assert f"risk.{name} is set twice" in refusal()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAX_DAILY_LOS", "MAX_DAILY_LOSS"),
        ("MAX_DAILY_TRADE", "MAX_DAILY_TRADES"),
        ("POSITION_SIZES", "POSITION_SIZE"),
        ("TRADING_MOD", "TRADING_MODE"),
        ("KITE_APIKEY", "KITE_API_KEY"),
        ("ENABLE_AUTOTRADING", "ENABLE_AUTO_TRADING"),
        ("LIVE_ORDER_STORE", "LIVEORDER_…"),
        ("LIVEORDERSTORE", "LIVEORDER_…"),
    ],
)
def test_a_variable_that_is_nearly_ours_is_not_passed_over(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    """It may be a limit that somebody relies on. Looking at a store and the kill switch work nevertheless."""
    assert refusal(dotenv=f"{name}=5").startswith(f"{name} in .env: did you mean {meant}? It is not read; rename it, or unset it")
    monkeypatch.setenv(name, "5")
    assert refusal().startswith(f"{name} in the environment: did you mean {meant}?")
    assert load().mode is TradingMode.SIMULATION


@pytest.mark.parametrize("name", ["POSITION", "MAX_TRADES", "KITE_API_URL", "TELEGRAM_BOT_NAME", "ORDER_TIMEOUT", "HOST", "PATH_X"])
def test_a_variable_of_another_program_is_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "5")
    load().check()


@pytest.mark.parametrize("file", ["liveorder.toml", ".env"])
def test_a_byte_order_mark_hides_no_setting(file: str) -> None:
    """An editor on Windows puts one there; the first name of the file would not be the name any more."""
    Path(file).write_bytes(b"\xef\xbb\xbfMAX_DAILY_TRADES=3\n")
    assert Settings.load().risk.max_daily_trades == 3


@pytest.mark.parametrize(
    ("content", "line"),
    [("MAX_DAILY_LOSS: 5", 1), ("A=1\n\nMAX_DAILY_LOSS", 3), ('A=1\nPASSWORD="open', 2), ("# a\n  = 5", 2)],
)
def test_a_line_of_dotenv_that_sets_nothing_is_refused_and_not_shown(content: str, line: int) -> None:
    assert refusal(dotenv=content) == f".env: line {line} is not NAME=value, and is not shown here; write NAME=value"


@pytest.mark.parametrize("file", ["liveorder.toml", ".env"])
def test_a_file_that_is_no_text_is_refused_by_name(file: str) -> None:
    Path(file).write_bytes(b'namespace="\xff"')
    with pytest.raises(SettingsError, match=f"^{re.escape(file)}: not UTF-8 \\(byte 11\\); save it as UTF-8$"):
        Settings.load()


def test_an_unknown_variable_of_ours_is_an_error_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEORDER_REQUIRE_SERVICES", "1")
    assert load(dotenv="MY_SIZE=5\nLIVE=1\nLIVEORDER_TEST_POSTGRES=x\nLIVEORDER_TRACEBACK=1") == Settings()
    assert refusal(dotenv='LIVEORDER_ACCOUNTS="[oops"').startswith("LIVEORDER_ACCOUNTS in .env: begins like JSON but is not")
    assert refusal(dotenv="LIVEORDER_STOER=x") == "LIVEORDER_STOER in .env: no such setting; did you mean LIVEORDER_STORE?"


def test_a_file_that_is_named_must_be_there() -> None:
    assert "liveorder init" in refusal(config=Path("missing.toml"))


# --- mode and accounts --------------------------------------------------------------------------------------------------------


def test_without_mode_and_credentials_it_is_a_simulation_that_trades_by_itself() -> None:
    settings = load()
    settings.check()
    assert (settings.mode, settings.auto_trading, settings.signals_account) == (TradingMode.SIMULATION, True, "SIM")
    assert [account.broker for account in settings.trading_accounts] == ["simulated"]


ALPACA = "ALPACA_API_KEY=key\nALPACA_SECRET_KEY=secret\n"


def test_outside_a_simulation_nothing_trades_by_itself_unless_told() -> None:
    assert load(dotenv=ALPACA + "TRADING_MODE=paper").auto_trading is False
    assert load(dotenv=ALPACA + "TRADING_MODE=paper\nENABLE_AUTO_TRADING=true").auto_trading is True


def test_credentials_make_an_account_each() -> None:
    settings = load(dotenv=ALPACA + "IBKR_HOST=127.0.0.1\nTRADING_MODE=PAPER")
    settings.check()
    assert [(account.id, account.broker, account.mode) for account in settings.trading_accounts] == [
        ("alpaca", "alpaca", TradingMode.PAPER),
        ("ibkr", "ibkr", TradingMode.PAPER),
    ]
    narrowed = load(dotenv=ALPACA + "IBKR_HOST=h\nTRADING_MODE=PAPER", broker="ibkr")
    assert [account.id for account in narrowed.trading_accounts] == ["ibkr"]


def test_a_store_goes_on_knowing_the_accounts_that_a_broker_named_alone_leaves_out() -> None:
    """Else it would be refused, and a service of one of its brokers could not run."""
    implied = load(dotenv=ALPACA + "IBKR_HOST=h\nTRADING_MODE=PAPER", broker="ibkr")
    assert (implied.account_ids, [account.id for account in implied.closed_accounts]) == (("ibkr", "alpaca"), ["alpaca"])
    written = "trading_mode = 'PAPER'\n" + "".join(f"[[accounts]]\nid='{each}'\nbroker='{each}'\n" for each in ("alpaca", "kite"))
    named = load(written, dotenv=ALPACA, broker="alpaca")
    assert (named.account_ids, [account.id for account in named.trading_accounts]) == (("alpaca", "kite"), ["alpaca"])


@pytest.mark.parametrize(
    ("dotenv", "toml", "message"),
    [
        (ALPACA, "", "TRADING_MODE is not set, but alpaca is configured; set TRADING_MODE to PAPER or LIVE"),
        ("", "[[accounts]]\nid = 'a'\nbroker = 'kite'", "TRADING_MODE is not set, but kite is configured"),
        (
            "TRADING_MODE=LIVE",
            "",
            "TRADING_MODE is LIVE and no account is configured; set ALPACA_API_KEY and ALPACA_SECRET_KEY, or KITE_API_KEY and",
        ),
        (
            "TRADING_MODE=LIVE",
            "broker = 'kite'",
            "TRADING_MODE is LIVE and no account at kite is configured; set KITE_API_KEY and",
        ),
        ("TRADING_MODE=LIVE\nKITE_API_KEY=k", "", "account 'kite' needs credentials for LIVE; set KITE_ACCESS_TOKEN"),
        (
            "TRADING_MODE=PAPER",
            "[[accounts]]\nid = 'a'\nbroker = 'alpaca'",
            "account 'a' needs credentials for PAPER; set ALPACA_API_KEY and ALPACA_SECRET_KEY",
        ),
        ("TRADING_MODE=PAPER\nUSE_MOCK_BROKER=true", "", "TRADING_MODE is PAPER, but the simulated broker is requested; unset one"),
        ("TRADING_MODE=PAPER", "[[accounts]]\nid = 'a'", "account 'a' is simulated, but TRADING_MODE is PAPER; name its broker"),
        (
            ALPACA + "TRADING_MODE=PAPER",
            "[[accounts]]\nid = 'a'\nbroker = 'alpaca'\nmode = 'live'",
            "account 'a' is for LIVE but TRADING_MODE is PAPER; make them agree",
        ),
        ("", "[[accounts]]\nid = 'a'\n[[accounts]]\nid = 'a'", "[[accounts]]: 'a' is used twice; give each account its own id"),
        (
            "",
            "default_account = 'acc_2'\n[[accounts]]\nid = 'acc_1'",
            "default_account: no account 'acc_2' among [[accounts]]; did you mean 'acc_1'?",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_the_start(dotenv: str, toml: str, message: str) -> None:
    assert refusal(toml, dotenv).startswith(message)


TELEGRAM = "telegram.enabled is true, but nothing sends to Telegram yet: alerts are in the log; set TELEGRAM_ENABLED to false"
KITE = "TRADING_MODE=LIVE\nKITE_API_KEY=k\n"
TWO_TOKENS = "account 'kite': kite.access_token is ignored while kite.access_token_file is set; unset one"


@pytest.mark.parametrize(
    ("dotenv", "toml", "message"),
    [
        ("", "[telegram]\nenabled = true", TELEGRAM),
        ("TELEGRAM_ENABLED=true\nTELEGRAM_BOT_TOKEN=t\nTELEGRAM_CHAT_ID=1", "", TELEGRAM),
        ("LIVEORDER_TELEGRAM__ENABLED=1", "", TELEGRAM),
        (KITE + "KITE_ACCESS_TOKEN=t\nLIVEORDER_KITE__ACCESS_TOKEN_FILE=f", "default_currency = 'INR'", TWO_TOKENS),
        ("", "[[accounts]]\nid = 'a'\n[accounts.options]\nseed = 5", "account 'a': options.seed: "),
        ("", "[[accounts]]\nid = 'a'\nbroker = 'kite'\n[accounts.options]\nvarety = 'amo'", "TRADING_MODE is not set"),
        (
            "USE_MOCK_BROKER=1",
            "[[accounts]]\nid = 'a'\nbroker = 'kite'\n[accounts.options]\nvarety = 'amo'",
            "account 'a': options.va",
        ),
    ],
)
def test_a_setting_that_nothing_uses_is_refused_at_the_start(dotenv: str, toml: str, message: str) -> None:
    assert refusal(toml, dotenv).startswith(message)


@pytest.mark.parametrize(
    ("dotenv", "toml"),
    [
        ("", "[telegram]\nenabled = false\nbot_token = 't'\nchat_id = '1'"),
        ("TELEGRAM_ENABLED=false\nTELEGRAM_BOT_TOKEN=t\nTELEGRAM_CHAT_ID=1", ""),
        ("", "[simulation]\nvenue = 'localhost:7000'\nvenue_settings = 'venue.toml'"),
        (KITE + "LIVEORDER_KITE__ACCESS_TOKEN_FILE=f", "default_currency = 'INR'"),
        (KITE + "KITE_ACCESS_TOKEN=t", "[[accounts]]\nid='a'\nbroker='kite'\noptions={access_token='none', access_token_file='f'}"),
        (ALPACA + "TRADING_MODE=PAPER", "[simulation]\nvenue = 'localhost:7000'\nseed = 5"),
    ],
)
def test_a_setting_that_waits_for_its_use_is_taken(dotenv: str, toml: str) -> None:
    load(toml, dotenv).check()


@pytest.mark.parametrize(("name", "value"), [("quotes", "'q.csv'"), ("seed", 5), ("venue_data", "'v.db'")])
def test_what_only_the_process_of_the_venue_reads_is_known(name: str, value: object) -> None:
    shared = f"[simulation]\n{name} = {value}\n"
    assert load(shared).unread == ()
    assert load(shared + "venue = 'localhost:7000'").unread == (f"simulation.{name}",)


@pytest.mark.parametrize("name", Simulation.model_fields)
def test_what_is_set_of_the_simulated_venue_is_not_read_outside_a_simulation(name: str) -> None:
    values = {"seed": 5, "hours": "'exchange'", "starts_at": "'2025-03-10T00:00:00Z'", "venue": "'localhost:7000'"}
    table = f"[simulation]\n{name} = {values.get(name, repr('a.file'))}\n"
    paper = load(table, ALPACA + "TRADING_MODE=PAPER")
    paper.check()
    assert paper.unread == (f"simulation.{name}",)
    assert load("[simulation]", ALPACA + "TRADING_MODE=PAPER").unread == ()


def test_a_setting_that_nothing_uses_keeps_nobody_from_looking_or_stopping() -> None:
    assert load("[telegram]\nenabled = true").telegram.enabled


def test_the_mock_broker_takes_every_account() -> None:
    settings = load("[[accounts]]\nid = 'a'\nbroker = 'kite'\nmode = 'LIVE'", dotenv=ALPACA, use_mock_broker=True)
    settings.check()
    assert [(account.id, account.broker, account.mode) for account in settings.trading_accounts] == [
        ("a", "simulated", TradingMode.SIMULATION)
    ]


@pytest.mark.parametrize("mode", ["PAPER", "LIVE"])
@pytest.mark.parametrize("declared", ["", "[[accounts]]\nid = 'alpaca'\nbroker = 'alpaca'\n"])
def test_nothing_of_a_simulations_profile_holds_at_a_real_broker(mode: str, declared: str) -> None:
    settings = load(declared, ALPACA + f"TRADING_MODE={mode}")
    settings.check()
    with connections_of(settings, SystemClock(), RememberedLog(), Supplied({"alpaca": NOWHERE})) as connections:
        terms = connections["alpaca"].terms
    assert (terms.limits, terms.limits_by_currency) == (RiskLimits(), {})
    assert not needs_venue(settings, {})


@pytest.mark.parametrize("declared", ["", "[[accounts]]\nid = 'SIM'\n"])
def test_nothing_of_it_holds_where_a_program_supplies_the_broker_that_may_be_real(declared: str) -> None:
    settings = load(declared)
    with connections_of(settings, SystemClock(), RememberedLog(), Supplied({"SIM": NOWHERE})) as connections:
        terms = connections["SIM"].terms
    assert (terms.mode, terms.limits, terms.limits_by_currency) == (TradingMode.SIMULATION, RiskLimits(), {})


def test_a_rehearsal_of_a_real_brokers_account_keeps_its_limits() -> None:
    settings = load("[[accounts]]\nid = 'a'\nbroker = 'kite'", use_mock_broker=True)
    (account,) = settings.trading_accounts
    assert (account.broker, limits_of(settings, "a")) == ("simulated", RiskLimits())


def test_a_simulation_has_limits_of_its_own_that_each_setting_overrides() -> None:
    nothing = load()
    assert (limits_of(nothing, "SIM").position_size, limits_of(nothing, "SIM").max_signal_age_seconds) == (Decimal(10_000), None)
    assert limits_of(nothing, "SIM", "INR").max_position_size == Decimal(50_000_000)
    chosen = load("[risk]\nmax_position_size = 500\nmax_signal_age_seconds = 60")
    for currency in ("USD", "INR"):
        limits = limits_of(chosen, "SIM", currency)
        assert (limits.max_position_size, limits.max_signal_age_seconds) == (Decimal(500), 60)
    assert limits_of(load("default_currency = 'INR'"), "SIM").position_size == Decimal(500_000)
    own = load("[[accounts]]\nid = 'a'\n[accounts.risk]\nmax_daily_trades = 2")
    assert limits_of(own, "a").max_daily_trades == 2
    assert own.at_the_venue(own.trading_accounts[0]).risk_by_currency == {}


def test_the_settings_file_that_is_written_says_what_a_simulation_has() -> None:
    written = commented_toml()
    assert "# In a simulation: 1000000 USD, 50000000 INR.\n#max_position_size = 10000 " in written
    assert "# In a simulation: none.\n#max_signal_age_seconds = 60.0 " in written


def test_accounts_have_the_defaults_and_limits_of_their_own() -> None:
    settings = load(
        """
        default_exchange = "NSE"
        default_currency = "INR"
        [risk]
        max_daily_trades = 5
        [[accounts]]
        id = "a"
        [[accounts]]
        id = "b"
        currency = "USD"
        exchange = "NASDAQ"
        [accounts.risk]
        max_daily_trades = 7
        position_size = 10.5
        [accounts.risk_by_currency.EUR]
        position_size = 9
        """
    )
    a, b = settings.trading_accounts
    assert [(account.currency, account.exchange) for account in (a, b)] == [("INR", "NSE"), ("USD", "NASDAQ")]
    wide: dict[str, Any] = {"max_position_size": Decimal(1_000_000), "max_signal_age_seconds": None}
    in_rupees = wide | {"max_position_size": Decimal(50_000_000), "position_size": Decimal(500_000)}
    assert limits_of(settings, "a") == RiskLimits(max_daily_trades=5, **in_rupees)
    assert limits_of(settings, "b") == RiskLimits(max_daily_trades=7, position_size=Decimal("10.5"), **wide)
    assert limits_of(settings, "b", "EUR") == RiskLimits(max_daily_trades=7, position_size=Decimal(9), **wide)


def with_table(table: str, more: str = "") -> str:
    """An account `a` in USD with one table of limits."""
    return f"[risk]\nmax_daily_trades = 5\nmax_signal_age_seconds = 60\n[[accounts]]\nid = 'a'\n{more}\n{table}"


def test_limits_by_strategy_and_by_symbol_hold_beside_the_accounts() -> None:
    settings = load(
        with_table(
            """
            [[accounts.strategies]]
            name = "trend"
            max_daily_trades = 3
            min_buy_score = 60.5
            [[accounts.symbols]]
            symbol = "SPY"
            position_size = 5000
            allow_short_selling = false
            """,
            "[accounts.risk]\nscore_exits = false",
        )
    )
    settings.check()
    (account,) = settings.trading_accounts
    trend, spy = account.tables(limits_of(settings, "a"))
    assert [trend.title, spy.title] == ["[[accounts.strategies]] trend", "[[accounts.symbols]] SPY"]
    assert (trend.limits.max_daily_trades, trend.limits.min_buy_score, trend.limits.max_sell_score) == (3, Decimal("60.5"), None)
    assert (trend.limits.allow_short_selling, spy.limits.allow_short_selling) == (True, False)
    assert (trend.limits.score_exits, trend.position_size, spy.position_size) == (False, None, Decimal(5000))
    assert (spy.limits.max_daily_trades, spy.limits.max_position_size, spy.limits.max_signal_age_seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("max_daily_trades = 6", "max_daily_trades = 6 is wider than the account's 5"),
        ("max_position_size = 1000001", "max_position_size = 1000001 is wider than the account's 1000000"),
        ("min_buy_score = 59", "min_buy_score = 59 is wider than the account's 60"),
        ("max_sell_score = -59", "max_sell_score = -59 is wider than the account's -60"),
        ("max_signal_age_seconds = 61", "max_signal_age_seconds = 61.0 is wider than the account's 60.0"),
        ("allow_short_selling = true", "allow_short_selling = True is wider than the account's False"),
    ],
)
@pytest.mark.parametrize("table", ["[[accounts.strategies]]\nname = 'x'", "[[accounts.symbols]]\nsymbol = 'x'"])
def test_a_limit_that_the_accounts_makes_void_is_refused(table: str, limit: str, said: str) -> None:
    kind = "strategies" if "name" in table else "symbols"
    expected = f"account 'a': {kind} 'x': {said}, which holds as well; narrow it, or leave it out"
    assert refusal(with_table(f"{table}\n{limit}")) == expected


def test_a_shorter_window_is_wider_and_where_the_account_has_no_limit_none_is() -> None:
    window = "[accounts.risk]\nrepeat_window_seconds = 60\n"
    table = "[[accounts.strategies]]\nname = 'x'\nrepeat_window_seconds = "
    assert "repeat_window_seconds = 59.0 is wider than the account's 60.0" in refusal(with_table(f"{table}59", window))
    for allowed in (with_table(f"{table}61", window), with_table(f"{table}5"), with_table(f"{table}5\nmax_order_value = 1000000")):
        load(allowed).check()


def test_what_cannot_be_measured_for_a_strategy_or_a_symbol_is_refused() -> None:
    for name in RiskLimits.model_fields.keys() - NarrowLimits.model_fields.keys():
        said = refusal(with_table(f"[[accounts.symbols]]\nsymbol = 'SPY'\n{name} = 1"))
        assert f"{name} cannot be measured for one strategy or symbol; set it in [accounts.risk]" in said
    assert "no such setting" in refusal(with_table("[[accounts.symbols]]\nsymbol = 'SPY'\nmax_speed = 1"))


@pytest.mark.parametrize("name", ["position_size", "max_position_size", "max_order_value", "max_daily_loss"])
def test_an_amount_is_refused_where_the_account_trades_in_other_currencies(name: str) -> None:
    table = f"[[accounts.strategies]]\nname = 'x'\n{name} = 100"
    said = refusal(with_table(table, "[accounts.risk_by_currency.EUR]\nposition_size = 9"))
    assert said.startswith(f"account 'a': strategies 'x': {name} is an amount in USD, and the account also trades in EUR")
    load(with_table(table)).check()


def test_a_table_without_a_limit_or_that_is_there_twice_is_refused() -> None:
    table = "[[accounts.strategies]]\nname = 'x'\n"
    assert refusal(with_table(table)) == "account 'a': strategies 'x' sets no limit; set one, or leave the table out"
    twice = refusal(with_table(f"{table}max_positions = 1\n{table}max_open_orders = 1"))
    assert twice == "account 'a': strategies 'x' is there twice; put its limits into one table"


def test_an_account_can_correct_what_its_broker_declares() -> None:
    (account,) = load(
        "[[accounts]]\nid = 'a'\n[accounts.capabilities]\nkey_support = 'SEARCHABLE'\nlookup_lag_seconds = 5"
    ).trading_accounts
    assert account.adjusted(BrokerCapabilities(replaces=False)) == BrokerCapabilities(
        key_support=KeySupport.SEARCHABLE, lookup_lag_seconds=5, replaces=False
    )


def toml(value: object) -> str:
    """What an operator would write for it."""
    match value:
        case bool():
            return str(value).lower()
        case str() | Decimal():
            return f"'{value}'"
        case frozenset():
            return f"[{', '.join(toml(each) for each in value)}]"
        case Mapping():
            return f"{{ {', '.join(f'{key} = {toml(each)}' for key, each in value.items())} }}"
    return str(value)


@pytest.mark.parametrize("name", [each.name for each in dataclasses.fields(BrokerCapabilities)])
@pytest.mark.parametrize("declared", [SIMULATED_CAPABILITIES, ALPACA_CAPABILITIES, KITE_CAPABILITIES, IBKR_CAPABILITIES])
def test_every_capability_can_be_set_in_the_settings_file(name: str, declared: BrokerCapabilities) -> None:
    value = getattr(declared, name)
    (account,) = load(f"[[accounts]]\nid = 'a'\n[accounts.capabilities]\n{name} = {toml(value)}").trading_accounts
    assert account.adjusted(BrokerCapabilities()) == dataclasses.replace(BrokerCapabilities(), **{name: value})


def test_an_accounts_options_win_over_its_brokers_table() -> None:
    settings = load(
        "[[accounts]]\nid = 'a'\nbroker = 'alpaca'\n[accounts.options]\napi_key = 'second'", ALPACA + "TRADING_MODE=PAPER"
    )
    options = settings.broker_section(settings.trading_accounts[0]).model_dump()
    assert (options["api_key"].get_secret_value(), options["secret_key"].get_secret_value()) == ("second", "secret")


@pytest.mark.parametrize(
    ("store", "views"),
    [
        ("sqlite:///var/liveorder.db", "sqlite:///var/liveorder-views.db"),
        ("sqlite:///var.d/store", "sqlite:///var.d/store-views"),
        ("postgresql://h/d", "postgresql://h/d"),
    ],
)
def test_read_models_lie_beside_the_store(store: str, views: str) -> None:
    assert Settings(store=store).read_model_url == views
    assert Settings(store=store, read_model="sqlite:///x.db").read_model_url == "sqlite:///x.db"


# --- secrets ------------------------------------------------------------------------------------------------------------------

SECRETS = "\n".join(f"{name}=hunter2-{name}" for name in TRADERS_VALUES if re.search("KEY|SECRET|TOKEN", name))


def test_no_way_of_showing_settings_shows_a_secret() -> None:
    toml = "store = 'postgresql://me:hunter2@host/db'\n[[accounts]]\nid = 'a'\n[accounts.options]\napi_key = 'hunter2-mine'"
    settings = load(toml, SECRETS)
    shown = f"{settings!r} {settings} {settings.masked()} {settings.model_dump_json(exclude={'store'})}"
    assert "hunter2" not in shown
    assert settings.masked()["store"] == f"postgresql://me:{MASK}@host/db"
    assert settings.masked()["alpaca"]["api_key"] == MASK
    assert settings.masked()["telegram"]["chat_id"] is None


@pytest.mark.parametrize(
    "option",
    [
        "access_token = 99887766",
        "access_token = 9.9887766",
        "secret_key = {b = '99887766'}",
        "secret_key = {b = {c = [1, 99887766]}}",
        "login = {password = '99887766', tries = 3}",
        "tokens = ['99887766', 99887766]",
    ],
)
def test_a_secret_of_whatever_type_and_however_deep_is_not_shown(option: str) -> None:
    settings = load(f"[[accounts]]\nid = 'a'\n[accounts.options]\n{option}")
    assert "9887766" not in f"{settings!r} {settings} {settings.masked()} {settings.model_dump_json()}"
    assert any("9887766" in secret.get_secret_value() for secret in settings.secrets)


def test_all_secrets_are_known_to_whoever_must_hide_them() -> None:
    settings = load("[[accounts]]\nid = 'a'\n[accounts.options]\napi_key = 'hunter2-mine'", SECRETS)
    assert {secret.get_secret_value() for secret in settings.secrets} == {
        "hunter2-mine",
        *(line.partition("=")[2] for line in SECRETS.splitlines()),
    }


def test_an_error_about_a_secret_does_not_tell_it() -> None:
    assert "hunter2" not in refusal("[kite]\napi_key = ['hunter2']")


# --- the file that init writes ------------------------------------------------------------------------------------------------


TABLES_OF_THEIR_OWN = {(name,) for name in ("accounts", "brokers", "sources", "publishers", "notifiers", "special_sessions")}


def test_the_settings_file_that_init_writes_sets_nothing() -> None:
    assert load(commented_toml()) == Settings()


def test_the_settings_file_that_init_writes_holds_every_default() -> None:
    uncommented = re.sub(r"^#(?=\w)", "", commented_toml(), flags=re.MULTILINE)
    assert load(uncommented) == Settings()
    assert uncommented.count(" = ") >= len([path for path in setting_paths(Settings) if path not in TABLES_OF_THEIR_OWN])


def test_every_setting_says_what_it_is() -> None:
    text = commented_toml()
    for path in setting_paths(Settings):
        if path not in TABLES_OF_THEIR_OWN:
            assert re.search(rf"^# \S.*\n#{path[-1]} = ", text, flags=re.MULTILINE), path


def is_said(line: str) -> bool:
    """A sentence, and nothing that could be set."""
    return line.startswith("# One table") or line.strip() == "#"


def test_the_examples_of_tables_in_the_settings_file_are_valid() -> None:
    examples = [f"[[{part}" for part in commented_toml().split("# [[")[1:]]
    tables = "".join(line.removeprefix("# ") for part in examples for line in part.splitlines(keepends=True) if not is_said(line))
    settings = load(tables, ALPACA + "TRADING_MODE=PAPER")
    settings.check()
    assert [(each.calendar, each.hours) for each in settings.special_sessions] == [("XBOM", ("18:00-19:00",))]
    assert limits_of(settings, "acc_abc123", "INR").position_size == 50000
