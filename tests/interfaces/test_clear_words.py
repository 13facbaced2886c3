"""What people write wrongly: settings, variables, arguments, files and signals. A row is one input, with what is said of it.

Of each: a message that names what is wrong and what to do, an exit code that fits (never that of a defect), and nothing lost: the
store is as it was, and the good signals beside a bad one are traded.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from liveorder.domain.signal import MAX_SIGNAL_BYTES, Signal, UnusableSignal
from liveorder.infrastructure.settings.names import ENVIRONMENT_NAMES
from liveorder.infrastructure.signals.followed_file import FollowedFile
from liveorder.infrastructure.signals.growing_file import BEGINNING
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.interfaces.command_line import SETTINGS, VENUE, CommandLine, coin
from tests.unit.signals.test_sources import EndOfTest, ScriptedClock, Shelf

GOOD = [coin("good-1"), coin("good-2", side="SELL")]
BOM = b"\xef\xbb\xbf"
VALIDATE = ("validate", "--symbol", "ETH/USD", "--side", "buy", "--quantity", "1")
USAGE, INPUT, SETTING, STORE, AWAY = (
    ExitCode.USAGE,
    ExitCode.INVALID_INPUT,
    ExitCode.SETTINGS,
    ExitCode.STORE_REFUSED,
    ExitCode.STORE_UNAVAILABLE,
)


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two signals were traded. Nothing in it is changed."""
    folder = tmp_path_factory.mktemp("traded")
    with pytest.MonkeyPatch.context() as patch:
        _empty_environment(patch, folder)
        line = CommandLine(folder)
        line.write("liveorder.toml", SETTINGS)
        line.write("venue.toml", VENUE)
        line.signals(*GOOD)
        assert line.trade().exit_code == 0
    return folder


@pytest.fixture
def place(traded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    """A copy of that folder, of which the store has to be afterwards what it was before."""
    folder = tmp_path / "copy"
    shutil.copytree(traded, folder)
    _empty_environment(monkeypatch, folder)
    before = _stored(folder)
    yield CommandLine(folder)
    assert _stored(folder) == before


def _empty_environment(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in os.environ:
        if name.lower().startswith("liveorder_") or name.lower() in ENVIRONMENT_NAMES:
            patch.delenv(name)
    patch.setenv("COLUMNS", "200")
    patch.chdir(folder)


def _stored(folder: Path) -> list[Any]:
    """Everything that the store says of orders and signals. That it was copied halts it, as soon as somebody owns it."""
    with closing(sqlite3.connect(f"file:{folder / 'liveorder.db'}?mode=ro", uri=True)) as store:
        asked = (
            "SELECT * FROM stored_events WHERE topic NOT LIKE '%Halted%' ORDER BY 1, 2",
            "SELECT * FROM signal_claims ORDER BY 1, 2",
        )
        return [store.execute(each).fetchall() for each in asked]


def _said(place: CommandLine, arguments: tuple[str, ...], code: int, *parts: str) -> None:
    result = place.run(*arguments)
    told = result.stderr.splitlines()[-1] if result.stderr else ""
    assert result.exit_code == code, result.output
    for part in parts:
        assert part in told, told
    assert "Traceback" not in result.output
    assert "defect" not in result.output


# --- settings ------------------------------------------------------------------------------------------------------------------

FILES_OF_SETTINGS: list[tuple[str | bytes, str]] = [
    ("x", "liveorder.toml: not TOML"),
    ("[risk", "liveorder.toml: not TOML"),
    ("a = 'b", "liveorder.toml: not TOML"),
    ("namespace = desk", "liveorder.toml: not TOML"),
    ("namespace = 'a'\nnamespace = 'b'", "liveorder.toml: not TOML"),
    (b"namespace = 'a'\x00", "liveorder.toml: not TOML"),
    (b"namespace = '\xff'", "liveorder.toml: not UTF-8 (byte 13); save it as UTF-8"),
    ("namespace = 'a'".encode("utf-16"), "liveorder.toml: not UTF-8 (byte 0); save it as UTF-8"),
    (BOM + b"xyzzy = 1", "xyzzy: no such setting; see `liveorder init` for all settings"),
    ("xyzzy = 1", "xyzzy: no such setting; see `liveorder init` for all settings"),
    ("stroe = 'x'", "stroe: no such setting; did you mean store?"),
    ("[risk]\nmax_daily_los = 5", "risk.max_daily_los: no such setting; did you mean risk.max_daily_loss?"),
    ("[riks]\nmax_daily_loss = 5", "riks: no such setting; did you mean risk?"),
    ("max_daily_loss = 5", "max_daily_loss: no such setting; did you mean risk.max_daily_loss?"),
    ("risk = 5", "risk: is a table: write its settings in it, each by its name; correct it in liveorder.toml"),
    ("[risk]\nmax_daily_loss = nan", "risk.max_daily_loss = NaN: not a finite number: write one, or"),
    ("[risk]\nmax_daily_loss = -nan", "not a finite number: write one, or"),
    ("[risk]\nmax_daily_loss = inf", "risk.max_daily_loss = Infinity: not a finite number: write one, or"),
    ("[risk]\nmax_daily_loss = 'nan'", "risk.max_daily_loss = nan: not a finite number: write one, or"),
    ("[risk]\nmax_daily_loss = -500", "risk.max_daily_loss = -500: input should be greater than 0; correct it in liveorder.toml"),
    ("[risk]\nmax_daily_loss = 0", "risk.max_daily_loss = 0: input should be greater than 0"),
    ("[risk]\nmax_daily_loss = 'much'", "risk.max_daily_loss = much: not a number; correct it in liveorder.toml"),
    ("[risk]\nmax_daily_loss = true", "risk.max_daily_loss"),
    ("[risk]\nmax_daily_trades = 2.5", "risk.max_daily_trades = 2.5: not a whole number; correct it in liveorder.toml"),
    ("[risk]\nmax_daily_trades = 'x'", "risk.max_daily_trades = x: not a whole number"),
    ("[risk]\nmax_daily_trades = -1", "risk.max_daily_trades = -1: input should be greater than or equal to 0"),
    ("[risk]\nmax_signal_age_seconds = nan", "risk.max_signal_age_seconds = NaN: not a finite number"),
    ("[risk]\nallowed_symbols = 'SPY'", "risk.allowed_symbols"),
    ("[risk]\nallow_short_selling = 'perhaps'", "risk.allow_short_selling = perhaps: neither true nor false"),
    ("[risk]\npassed_exit_stop = 'wait'", "risk.passed_exit_stop = wait: input should be 'market' or 'refuse'"),
    (
        "max_daily_trades = 5\n[risk]\nmax_daily_trades = 6",
        "liveorder.toml: risk.max_daily_trades is set twice, to different values",
    ),
    ("[timeouts]\nmarket_order_seconds = inf", "timeouts.market_order_seconds = Infinity: not a finite number"),
    ("[timeouts]\nmarket_order_seconds = 0", "timeouts.market_order_seconds = 0: input should be greater than 0"),
    ("[retry]\nmax_attempts = 0", "retry.max_attempts = 0: input should be greater than or equal to 1"),
    ("trading_mode = 'PAPR'", "trading_mode = PAPR: input should be 'SIMULATION', 'PAPER' or 'LIVE'"),
    ("trading_mode = 'LIVE'", "TRADING_MODE is LIVE and no account is configured; set ALPACA_API_KEY and"),
    ("default_currency = 'dollar'", "default_currency = dollar: not a currency code; write one in capitals, such as USD"),
    ("default_currency = 'usd'", "default_currency = usd: not a currency code; write one in capitals, such as USD"),
    ("default_currency = '$'", "default_currency = $: not a currency code; write one in capitals"),
    ("default_currency = 5", "default_currency = 5: not text: put it in quotes"),
    ("default_account = 'b'", "default_account: no account 'b' among [[accounts]]; did you mean 'SIM'?"),
    ("default_product = 'CASH'", "default_product = CASH: input should be 'MIS', 'NRML', 'CNC' or 'MTF'"),
    ("broker = 'alpaca'", "broker is alpaca, but the mode is SIMULATION"),
    ("store = 'liveorder.db'", "store: this is not a database URL, and is not shown here"),
    ("store = 'mysql://localhost/x'", "store: this is not a database URL, and is not shown here"),
    ("[accounts]\nid = 'a'", "accounts: not a list of tables: write [[accounts]], in two brackets, above each"),
    ("[[accounts]]\ncurrency = 'USD'", "accounts.0.id: is missing: each of [[accounts]] needs one, the name by which signals call"),
    ("[[accounts]]\nid = ''", "accounts.0.id"),
    ("[[accounts]]\nid = 'a'\ncurency = 'USD'", "accounts.0.curency: no such setting; did you mean currency?"),
    ("[[accounts]]\nid = 5", "accounts.0.id = 5: not text: put it in quotes"),
    ("[[accounts]]\nid = ' a'", "accounts.0.id =  a: begins or ends with a space; trim it"),
    ("[[accounts]]\nid = 'a'\ncurrency = 'usd'", "accounts.0.currency = usd: not a currency code; write one in capitals"),
    ("[[accounts]]\nid = 'a'\n[[accounts]]\nid = 'a'", "[[accounts]]: 'a' is used twice; give each account its own id"),
    ("[[accounts]]\nid = 'a'\n[accounts.risk]\nmax_daily_loss = nan", "accounts.0.risk.max_daily_loss = NaN: not a finite number"),
    ("[[accounts]]\nid = 'a'\n[accounts.risk_by_currency.usd]\nposition_size = 5", "accounts.0.risk_by_currency.usd"),
    ("[[accounts]]\nid = 'a'\n[[accounts.symbols]]\nmax_order_quantity = 5", "accounts.0.symbols.0.symbol: is missing"),
    ("[simulation]\nvenue = 'here'", "simulation.venue = here: not HOST:PORT: write it like 127.0.0.1:7070"),
    ("[simulation]\nstarts_at = 'yesterday'", "simulation.starts_at = yesterday: not an ISO-8601 text; write it like"),
    ("[simulation]\nstarts_at = '2025-03-10T09:20:00'", "simulation.starts_at = 2025-03-10T09:20:00: has no time zone; add"),
    ("[simulation]\nseed = 'x'", "simulation.seed = x: not a whole number"),
    ("[simulation]\nquotes = 5", "simulation.quotes = 5: not a path: put it in quotes"),
    ("[simulation]\nquotes = 'none.csv'", "quotes file none.csv: No such file or directory; name a readable CSV file"),
    ("[simulation]\nvenue_settings = 'none.toml'", "venue settings none.toml: No such file or directory; name a readable JSON or"),
    ("[logs]\ndirectory = 5", "logs.directory = 5: not a path: put it in quotes"),
    ("use_mock_broker = 'maybe'", "use_mock_broker = maybe: neither true nor false; correct it in liveorder.toml"),
    ("[telegram]\nenabled = true", "telegram.enabled is true, but nothing sends to Telegram yet"),
    ("[ibkr]\nport = 0", "ibkr.port = 0: input should be greater than or equal to 1"),
    ("[ibkr]\ntime_zone = 'Mars/Base'", "ibkr.time_zone = Mars/Base: there is no time zone 'Mars/Base'; use one such as"),
    ("[kite]\napi_key = 5", "kite.api_key: not text: put it in quotes"),
    ("[alpaca]\nbase_url = 'alpaca'", "alpaca.base_url"),
    ("[[sources]]\nurl = 'signals'", "sources"),
    ("[[sources]]", "sources.0.url: is missing"),
    ("projections = 'x'", "projections: not a list: write values in brackets, as in"),
    ("[[special_sessions]]\ncalendar = 'XNYS'\nday = 'monday'", "special_sessions.0.day = monday"),
    ("[risk]\nmax_daily_trades = 'x'\nmax_open_orders = 'y'", "2 settings cannot be used: (1) risk.max_daily_trades = x: "),
    ("[risk]\nmax_daily_trades = 'x'\nmax_open_orders = 'y'", "(2) risk.max_open_orders = y: not a whole number"),
]


@pytest.mark.parametrize(("content", "words"), FILES_OF_SETTINGS)
def test_a_settings_file(place: CommandLine, content: str | bytes, words: str) -> None:
    (place.folder / "wrong.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    (place.folder / "liveorder.toml").write_bytes((place.folder / "wrong.toml").read_bytes())
    _said(place, (*VALIDATE, "--store", "sqlite:///liveorder.db") if "store =" not in str(content) else VALIDATE, SETTING, words)


VARIABLES = [
    ("MAX_DAILY_TRADES", "x", "risk.max_daily_trades = x: not a whole number; correct MAX_DAILY_TRADES in {}"),
    ("MAX_DAILY_LOSS", "nan", "risk.max_daily_loss = nan: not a finite number"),
    ("MAX_DAILY_LOSS", "-5", "risk.max_daily_loss = -5: input should be greater than 0; correct MAX_DAILY_LOSS in {}"),
    ("MAX_ORDER_VALUE", "1,000", "risk.max_order_value = 1,000: not a number; correct MAX_ORDER_VALUE in {}"),
    ("max_open_orders", "many", "risk.max_open_orders = many: not a whole number; correct max_open_orders in {}"),
    ("POSITION_SIZE", "inf", "risk.position_size = inf: not a finite number"),
    ("LIVEORDER_RISK__MAX_DAILY_LOSS", "inf", "not a finite number: write one, or"),
    ("LIVEORDER_RISK", "5", "risk: is a table: write its settings in it, each by its name; correct LIVEORDER_RISK in {}"),
    ("LIVEORDER_RISK", '{"max_daily_loss": NaN}', "risk.max_daily_loss = nan: not a finite number"),
    ("LIVEORDER_ACCOUNTS", "[{", "LIVEORDER_ACCOUNTS in {}: begins like JSON but is not"),
    ("LIVEORDER_ACCOUNTS", '[{"currency": "USD"}]', "accounts.0.id: is missing: each of [[accounts]] needs one"),
    (
        "LIVEORDER_ACCOUNTS",
        '[{"id": "a", "curency": "USD"}]',
        "accounts.0.curency: no such setting; did you mean currency? Correct LIVEORDER_ACCOUNTS in {}",
    ),
    ("LIVEORDER_RISK", '{"max_daily_los": 5}', "risk.max_daily_los: no such setting; did you mean risk.max_daily_loss? Correct"),
    ("LIVEORDER_STROE", "x", "LIVEORDER_STROE in {}: no such setting; did you mean LIVEORDER_STORE?"),
    (
        "LIVEORDER_MAX_DAILY_LOSS",
        "5",
        "LIVEORDER_MAX_DAILY_LOSS in {}: no such setting; did you mean LIVEORDER_RISK__MAX_DAILY_LOSS?",
    ),
    (
        "LIVEORDER_RISK__MAX_DAILY_TRADE",
        "5",
        "LIVEORDER_RISK__MAX_DAILY_TRADE in {}: no such setting; did you mean MAX_DAILY_TRADES?",
    ),
    ("LIVEORDER_XYZZY", "5", "LIVEORDER_XYZZY in {}: no such setting; see `liveorder init` for all settings"),
    ("MAX_DAILY_LOS", "5", "MAX_DAILY_LOS in {}: did you mean MAX_DAILY_LOSS? It is not read; rename it, or unset it"),
    ("MAX_DAILYLOSS", "5", "MAX_DAILYLOSS in {}: did you mean MAX_DAILY_LOSS?"),
    ("TRADING_MOD", "LIVE", "TRADING_MOD in {}: did you mean TRADING_MODE?"),
    ("LIVE_ORDER_STORE", "x", "LIVE_ORDER_STORE in {}: did you mean LIVEORDER_…?"),
    ("TRADING_MODE", "real", "trading_mode = REAL: input should be 'SIMULATION', 'PAPER' or 'LIVE'; correct TRADING_MODE in {}"),
    ("ENABLE_AUTO_TRADING", "maybe", "enable_auto_trading = maybe: neither true nor false; correct ENABLE_AUTO_TRADING in {}"),
    ("IBKR_PORT", "seven", "ibkr.port = seven: not a whole number; correct IBKR_PORT in {}"),
    ("LIVEORDER_DEFAULT_CURRENCY", "usd", "default_currency = usd: not a currency code; write one in capitals"),
    ("ORDER_TIMEOUT_SECONDS", "soon", "timeouts.market_order_seconds = soon: not a number; correct ORDER_TIMEOUT_SECONDS in {}"),
]


@pytest.mark.parametrize("where", ["the environment", ".env"])
@pytest.mark.parametrize(("name", "value", "words"), VARIABLES)
def test_a_variable(place: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str, where: str) -> None:
    if where == ".env":
        place.write(".env", f"{name}={value}\n")
    else:
        monkeypatch.setenv(name, value)
    _said(place, VALIDATE, SETTING, words.format(where))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"MAX_DAILY_LOSS: 5", ".env: line 1 is not NAME=value, and is not shown here; write NAME=value"),
        (b"A=1\n\nMAX_DAILY_LOSS\n", ".env: line 3 is not NAME=value"),
        (b'SECRET="open\n', ".env: line 1 is not NAME=value, and is not shown here"),
        (b"A=\xff", ".env: not UTF-8 (byte 2); save it as UTF-8"),
        (BOM + b"MAX_DAILY_TRADES=x", "correct MAX_DAILY_TRADES in .env"),
    ],
)
def test_a_dotenv_file(place: CommandLine, content: bytes, words: str) -> None:
    (place.folder / ".env").write_bytes(content)
    _said(place, VALIDATE, SETTING, words)


def test_a_typo_among_variables_does_not_stand_in_the_way_of_looking_and_stopping(
    place: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_DAILY_LOS", "5")
    assert place.run("status").exit_code == 0
    assert len(place.json("orders")) == len(GOOD)
    killed = place.run("kill", "--detail", "a typo")
    assert killed.exit_code == 0, killed.output
    _said(place, VALIDATE, SETTING, "MAX_DAILY_LOS in the environment: did you mean MAX_DAILY_LOSS?")


# --- arguments -----------------------------------------------------------------------------------------------------------------

ARGUMENTS: list[tuple[str, int, str]] = [
    ("staus", USAGE, "staus"),
    ("run --signal x", USAGE, "--signal"),
    ("orders --newest 0", USAGE, "--newest"),
    ("orders --newest x", USAGE, "--newest"),
    ("orders --status FILED", USAGE, "'FILED' is not one of 'pending', 'submitted', 'partial', 'filled'"),
    ("validate --symbol ETH/USD --side up", USAGE, "up"),
    ("validate --symbol ETH/USD --side buy --type markt", USAGE, "markt"),
    ("validate --symbol ETH/USD --side buy --quantity ten", INPUT, "quantity: 'ten' is not a usable decimal number"),
    ("validate --symbol ETH/USD --side buy --quantity nan", INPUT, "quantity: 'nan' is not a usable decimal number"),
    ("validate --symbol ETH/USD --side buy --quantity -1", INPUT, "quantity: '-1' is not valid; it should be greater than 0"),
    ("validate --side buy", INPUT, "symbol: is missing; add it"),
    ("validate --symbol ETH/USD", INPUT, "side: is missing; add it"),
    ("validate {}", INPUT, "is missing; add it"),
    ("validate []", INPUT, "line: not a JSON object"),
    ("validate x", INPUT, "line: not JSON"),
    ('validate {"symbol":"ETH/USD","side":"BUY","qty":5}', INPUT, "'qty': unknown; did you mean 'quantity'?"),
    ('validate {"symbol":"ETHUSD","side":"BUY","quantity":1}', INPUT, "a pair of currencies or coins is written ETH/USD"),
    ('validate {"symbol":"eth/usd","side":"BUY","quantity":1}', INPUT, "symbols are mostly in capitals: ETH/USD"),
    (
        'validate {"symbol":"NASDAQ:AAPL","side":"BUY","quantity":1}',
        INPUT,
        "write symbol AAPL and exchange NASDAQ, each in its field",
    ),
    ('submit {"symbol":"ETH/USD","side":"BUY"}', INPUT, "add signal_id or timestamp"),
    ('submit {"symbol":"ETH/USD","side":"BUY"} --quantity 5', INPUT, "use either the JSON or the options"),
    ("order nothing", ExitCode.NOT_FOUND, "no order with id nothing"),
    ("cancel nothing", ExitCode.NOT_FOUND, "no order with id nothing"),
    ("order good-1 --at yesterday", INPUT, "--at: 'yesterday' is not a time"),
    ("replace good-1", INPUT, "give --quantity, --limit-price or --stop-price"),
    ("settle good-1 --evidence x", INPUT, "give one of --found BROKER_ORDER_ID and --absent"),
    ("signals --retry x", INPUT, "retry: 'x' is not an id; copy it from `liveorder signals --status dead-letter`"),
    ("close", INPUT, "give either SYMBOL or --all"),
    ("account nobody", INPUT, "nobody is not traded by these settings; name one of SIM"),
    ("run --follow", INPUT, "follow: only a file can be followed; give --signals PATH"),
    ("run --signals none.jsonl --until-idle", INPUT, "signals: no file at none.jsonl"),
    ("run --signals . --until-idle", INPUT, "signals: no file at ."),
    ("run --signals none://x --until-idle", SETTING, "none"),
    ("run --quotes none.csv --until-idle", SETTING, "quotes file none.csv: No such file or directory"),
    ("run --broker alpaca", SETTING, "broker is alpaca, but the mode is SIMULATION"),
    ("status --config none.toml", SETTING, "none.toml: there is no such file; name another, or `liveorder init none.toml` writes"),
    ("status --config .", SETTING, ".: cannot be read (Is a directory); name a file that this user may read"),
    ("status --store none.db", SETTING, "store: this is not a database URL"),
    ("status --store sqlite:///none.db", STORE, "there is no store at none.db; `liveorder run` makes one"),
    ("status --store sqlite:///venue.toml", STORE, "venue.toml is not a liveorder store"),
    ("run --until-idle --store sqlite:///venue.toml/x.db", AWAY, "store: nothing can be made at venue.toml/x.db"),
    ("init liveorder.toml", INPUT, "PATH: liveorder.toml already exists; move it away or name another file"),
    ("init none/x.toml", INPUT, "PATH: none/x.toml cannot be written (No such file or directory); make the folder none, or"),
    ("init venue.toml/x.toml", INPUT, "PATH: venue.toml/x.toml cannot be written (Not a directory)"),
    ("init .", INPUT, "PATH: . already exists"),
    ("backup none/x.db", INPUT, "target: there is no folder none; make it first, or name another file"),
    ("backup liveorder.db", STORE, "liveorder.db already exists; a store is created once, and a backup overwrites nothing"),
    ("backup postgresql://h/d", INPUT, "target: this is PostgreSQL, and the store is in a file; name a target of the same kind"),
    ("venue --port 70000", USAGE, "--port"),
    ("venue --host nowhere.invalid", INPUT, "host: 'nowhere.invalid' is no address of this machine; name one such as 127.0.0.1"),
    ("store default-account nobody --evidence x", INPUT, "nobody is not traded by these settings"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), ARGUMENTS, ids=[row[0] for row in ARGUMENTS])
def test_arguments(place: CommandLine, arguments: str, code: int, words: str) -> None:
    _said(place, tuple(arguments.split(" ")), code, words)


def test_an_address_in_use(place: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _said(
            place, ("venue", "--port", str(port)), INPUT, f"port: 127.0.0.1:{port} is in use by another process; name another one"
        )


def test_what_is_only_judged_needs_no_id(empty: CommandLine) -> None:
    result = empty.run("validate", '{"symbol":"ETH/USD","side":"buy","quantity":0.1}')
    assert (result.exit_code, "would be sent" in result.stdout) == (0, True)


# --- files ---------------------------------------------------------------------------------------------------------------------

HEAD = b"time,symbol,price\n"
FILES: list[tuple[str, bytes | None, str]] = [
    ("quotes.csv", b"", "quotes file quotes.csv: the first line names no column time and symbol and price; its columns are"),
    ("quotes.csv", HEAD, "quotes file quotes.csv: holds no price; its columns are time,symbol,price"),
    ("quotes.csv", b"time,price\n2025-03-10,5\n", "quotes file quotes.csv: the first line names no column symbol"),
    (
        "quotes.csv",
        HEAD + b"2025-03-10T00:00Z,SPY,nan\n",
        "quotes file quotes.csv, line 2: price: 'nan' is not a usable decimal number",
    ),
    ("quotes.csv", HEAD + b"2025-03-10T00:00Z,SPY,inf\n", "quotes.csv, line 2: price: 'inf' is not a usable decimal number"),
    ("quotes.csv", HEAD + b"2025-03-10T00:00Z,SPY,5\n2025-03-11,SPY,x\n", "quotes.csv, line 3: price: 'x' is not a usable decimal"),
    ("quotes.csv", HEAD + b"2025-03-10T00:00Z,SPY\n", "quotes.csv, line 2: price: '' is not a usable decimal number"),
    ("quotes.csv", HEAD + b"monday,SPY,5\n", "quotes.csv, line 2: time: 'monday' is no time; write it like"),
    ("quotes.csv", HEAD + b"0001-01-01T00:00+14:00,SPY,5\n", "quotes.csv, line 2: time: '0001-01-01T00:00+14:00' is no time"),
    ("quotes.csv", HEAD + b"2025-03-10,SP\xff,5\n", "quotes file quotes.csv: not UTF-8; save it as UTF-8"),
    ("quotes.csv", HEAD + b"2025-03-10,SPY," + b"5" * 200_000, "quotes file quotes.csv: not CSV (field larger than field limit"),
    ("quotes.csv", None, "quotes file quotes.csv: Is a directory; name a readable CSV file"),
    ("other.toml", b"[prices", "venue settings other.toml: "),
    ("other.toml", b"a = '\xff'", "venue settings other.toml: "),
    ("other.toml", b"[fils]\nautomatic = false", "venue settings other.toml: fils: "),
    ("other.toml", b"[fills]\nmax_quantity = nan", "venue settings other.toml: fills.max_quantity: "),
    ("other.toml", b"[fills]\nmax_fraction = 2", "venue settings other.toml: fills.max_fraction: "),
    ("other.toml", b"rejection_probability = 2", "venue settings other.toml: rejection_probability: "),
    ("other.toml", None, "venue settings other.toml: Is a directory; name a readable JSON or TOML file"),
    ("other.json", b"{", "venue settings other.json: "),
]


@pytest.mark.parametrize(("name", "content", "words"), FILES)
def test_a_file_of_the_venue(place: CommandLine, name: str, content: bytes | None, words: str) -> None:
    if content is None:
        (place.folder / name).mkdir()
    else:
        (place.folder / name).write_bytes(content)
    setting = "quotes" if name.endswith(".csv") else "venue_settings"
    place.write("liveorder.toml", SETTINGS.replace("venue_settings", setting).replace("venue.toml", name))
    _said(place, VALIDATE, SETTING, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[\n]", "signals.jsonl is one JSON document, not JSON Lines; nothing of it was traded"),
        (BOM + b'[{"symbol":"SPY"}]', "signals.jsonl is one JSON document, not JSON Lines; nothing of it was traded"),
        (b'{"signals":[\n{"symbol":"SPY"}]}', "signals.jsonl is one JSON document, not JSON Lines; nothing of it was traded"),
    ],
)
def test_a_file_of_signals_that_is_no_lines(place: CommandLine, content: bytes, words: str) -> None:
    (place.folder / "signals.jsonl").write_bytes(content)
    _said(place, ("run", "--signals", "signals.jsonl", "--until-idle"), INPUT, words)


# --- signals -------------------------------------------------------------------------------------------------------------------


class Bad(NamedTuple):
    line: bytes
    words: str


def bad(words: str, **fields: Any) -> Bad:
    """With an id of its own, made of what is wrong with it."""
    said = {"signal_id": f"bad-{words[:30]}-{sorted(fields)}", "symbol": "ETH/USD", "side": "BUY", "quantity": 1} | fields
    return Bad(json.dumps({name: value for name, value in said.items() if value is not None}).encode(), words)


SIGNALS = [
    bad("'qty': unknown; did you mean 'quantity'?", quantity=None, qty=5),
    bad("'Qty': unknown; did you mean 'quantity'?", quantity=None, Qty=5),
    bad("'orderQty': unknown; did you mean 'quantity'?", quantity=None, orderQty=5),
    bad("'shares': unknown; did you mean 'quantity'?", quantity=None, shares=5),
    bad("'lots': unknown; did you mean 'quantity'?", quantity=None, lots=5),
    bad("'quantiy': unknown; did you mean 'quantity'?", quantity=None, quantiy=5),
    bad("'size': unknown; did you mean 'quantity' (units) or 'notional' (money)?", quantity=None, size=5),
    bad("'amount': unknown; did you mean 'quantity' (units) or 'notional' (money)?", quantity=None, amount=5),
    bad("'cash': unknown; did you mean 'notional'?", quantity=None, cash=5),
    bad("'zzz': unknown; `liveorder schema` lists the fields; leave it out only if nothing depends on it", zzz=5),
    bad("without a size an order closes all that is held, or is for the account's position_size", quantity=None, zzz=5),
    bad("'tif': unknown; did you mean 'time_in_force'?", tif="DAY"),
    bad("'limit': unknown; did you mean 'limit_price'?", limit=5),
    bad("'sl': unknown; did you mean 'stop_loss'?", sl=5),
    bad("'stop': unknown; did you mean 'stop_price' (when the order becomes active) or 'stop_loss'?", stop=5),
    bad("'target': unknown; did you mean 'take_profit' (a price) or 'target_quantity' (units)?", target=240),
    bad("'transaction_type': unknown; did you mean 'side'?", side=None, transaction_type="BUY"),
    bad("'tradingsymbol': unknown; did you mean 'symbol'?", symbol=None, tradingsymbol="SPY"),
    bad("'reduce_only': unknown; did you mean 'position_effect'?", reduce_only=True),
    bad("action: another name for side, and both are given; keep one of them", action="SELL"),
    bad("direction: another name for side, as is action, and both are given", side=None, action="BUY", direction="SELL"),
    bad("contracts: another name for quantity, and both are given; keep one of them", contracts=2),
    bad("ticker: another name for symbol, and both are given; keep one of them", ticker="SPY"),
    bad("strategy_id: another name for strategy_name, and both are given", strategy_name="a", strategy_id="b"),
    bad("direction: 'LONG' is not valid; it should be 'BUY' or 'SELL'", side=None, direction="LONG"),
    bad("action: 'hold' is not valid; it should be 'BUY' or 'SELL'", side=None, action="hold"),
    bad("side: 'B' is not valid; it should be 'BUY' or 'SELL'", side="B"),
    bad("side: is missing; add it", side=None),
    bad("symbol: is missing; add it", symbol=None),
    bad("symbol: ETHUSD is no instrument that simulated knows; a pair of currencies or coins is written ETH/USD", symbol="ETHUSD"),
    bad("symbol: eth/usd is no instrument that simulated knows; symbols are mostly in capitals: ETH/USD", symbol="eth/usd"),
    bad("symbol: BINANCE:ETHUSD is no instrument that simulated knows; write symbol ETHUSD and exchange", symbol="BINANCE:ETHUSD"),
    bad("symbol: NOPE is no instrument that simulated knows; check the spelling and these fields", symbol="NOPE"),
    bad("symbol: begins or ends with a space; trim it", symbol=" ETH/USD"),
    bad("order_type: 'MKT' is not valid; it should be 'MARKET'", order_type="MKT"),
    bad("time_in_force: 'FOREVER' is not valid", time_in_force="FOREVER"),
    bad("limit_price: a LIMIT order needs one; add limit_price", order_type="limit"),
    bad("limit_price: a MARKET order has none; set order_type to LIMIT, or leave it out", limit_price=5),
    bad("quantity: 0 is not valid; it should be greater than 0", quantity=0),
    bad("quantity: -1 is not valid; it should be greater than 0", quantity=-1),
    bad("contracts: -1 is not valid; it should be greater than 0", quantity=None, contracts=-1),
    bad("quantity: 'ten' is not a usable decimal number; write it like 230.05", quantity="ten"),
    bad("quantity: '1,000' is not a usable decimal number", quantity="1,000"),
    bad("quantity: too long, too large or too small to reckon with exactly", quantity="1E-19"),
    bad("quantity: a truth value is not a number", quantity=True),
    bad("quantity: not a number; write it like 230.05", quantity=[1]),
    bad("notional: given together with quantity; give one of them", notional=5),
    bad("percent: of what?; set position_effect to OPEN", quantity=None, percent=5),
    bad("currency: not a currency code; write one in capitals, such as USD, INR or USDT", currency="usd"),
    bad("timestamp: not an ISO-8601 text; write it like", timestamp="now"),
    bad("timestamp: not an ISO-8601 text; write it like", timestamp=1741579200),
    bad("timestamp: has no time zone; add", timestamp="2025-03-10T09:20:00"),
    bad("account_id", account_id="nobody"),
    bad("signal_id: ", signal_id=5),
    bad("signal_id: contains control or invisible characters", signal_id="a\nb"),
    bad("signal_id: good-1 already became order", signal_id="good-1", quantity=7),
    Bad(
        b'{"symbol":"ETH/USD","side":"BUY","quantity":1}', "timestamp: a signal without signal_id is known by its content and needs"
    ),
    Bad(b'{"signal_id":"twice","symbol":"ETH/USD","symbol":"SPY","side":"BUY"}', "'symbol': given twice; keep one of them"),
    Bad(
        b'{"signal_id":"n","symbol":"ETH/USD","side":"BUY","quantity":NaN}', "number: NaN is not a finite number; give a finite one"
    ),
    Bad(b'{"signal_id":"i","symbol":"ETH/USD","side":"BUY","quantity":Infinity}', "number: Infinity is not a finite number"),
    Bad(b'{"signal_id":"half","symbol":"ETH/U', "line: not JSON (Unterminated string"),
    Bad(b"BUY 1 ETH/USD", "line: not JSON (Expecting value"),
    Bad(b"[]", "line: not a JSON object; write a list as JSON Lines"),
    Bad(b'"BUY"', "line: not a JSON object"),
    Bad(b'{"signal_id":"u","symbol":"\xff"}', "line: not UTF-8 (invalid start byte); encode it as UTF-8"),
    Bad(b'{"signal_id":"z","symbol":"ETH\x00USD"}', "line: not JSON (Invalid control character"),
    Bad(b"\x00\x00\x00", "line: not JSON"),
    Bad(
        b'{"signal_id":"huge","symbol":"' + b"x" * MAX_SIGNAL_BYTES + b'"}',
        f"line: too long; keep it within {MAX_SIGNAL_BYTES} bytes",
    ),
    Bad(b'{"tags":' + b"[" * 20_000, "line: n"),
]
LAST = [
    coin("good-1", side="buy", symbol_name="Ether"),
    coin("good-3", side="buy"),
    {"signal_id": "good-4", "ticker": "ETH/USD", "action": "Sell", "total_quantity": "0.1"},
]
CONTENT = b"\r\n".join(
    [
        *(json.dumps(each).encode() for each in GOOD),
        b"",
        *(each.line for each in SIGNALS),
        *(json.dumps(each).encode() for each in LAST),
    ]
)
FIRST_BAD_LINE = len(GOOD) + 2
"""After the good ones and an empty line. Of the last ones the first is known, in other letters."""


@pytest.fixture(scope="module", params=["file", "stdin"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any], str]:
    """Dead letters and orders after all of these lines came by a file, or by standard input; and what `signals` prints."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        _empty_environment(patch, folder)
        line = CommandLine(folder)
        line.write("liveorder.toml", SETTINGS)
        line.write("venue.toml", VENUE)
        (folder / "signals.jsonl").write_bytes(CONTENT)
        ran = line.trade() if request.param == "file" else _trade_standard_input(line)
        assert ran.exit_code == 0, ran.output
        dead = line.json("signals", "--status", "dead-letter")
        return sorted(dead, key=lambda each: int(each["offset"])), line.json("orders"), line.run("signals").stdout


def _trade_standard_input(line: CommandLine) -> Any:
    usual = os.dup(0)
    try:
        with (line.folder / "signals.jsonl").open("rb") as signals:
            os.dup2(signals.fileno(), 0)
        return line.run("run", "--signals", "-", "--until-idle")
    finally:
        os.dup2(usual, 0)
        os.close(usual)


def test_every_bad_signal_is_a_dead_letter_and_every_good_one_is_traded(found: tuple[list[Any], list[Any], str]) -> None:
    dead, orders, _ = found
    assert len(dead) == len(SIGNALS)
    assert {each["signal_id"]: each["status"] for each in orders} == {f"good-{n}": "FILLED" for n in (1, 2, 3, 4)}


@pytest.mark.parametrize("number", range(len(SIGNALS)), ids=[f"{number} {each.words[:60]}" for number, each in enumerate(SIGNALS)])
def test_a_signal(found: tuple[list[Any], list[Any], str], number: int) -> None:
    """Said by its line, blank ones counted, and the reason in one line."""
    letter = found[0][number]
    assert SIGNALS[number].words in letter["reason"]
    assert letter["place"] == f"line {number + FIRST_BAD_LINE}"
    assert "\n" not in letter["reason"]


def test_a_retry_is_offered_where_it_can_help_and_nowhere_else(found: tuple[list[Any], list[Any], str]) -> None:
    """What cannot be read as a signal, or became an order with other content, is never sent by it."""
    dead, _, printed = found
    text = " ".join(printed.split())
    offered = [each["reason"] for each in dead if f"--retry {each['dead_letter_id']}" in text]
    assert all(reason.startswith(("symbol: ", "account_id")) for reason in offered)
    assert len(offered) == 5
    assert f"line {FIRST_BAD_LINE}: 'qty': unknown" in text


def test_a_followed_file_says_the_same_of_each_line(tmp_path: Path) -> None:
    """Also of what comes after a restart in the middle of it."""
    path, shelf = tmp_path / "signals.jsonl", Shelf()
    half = CONTENT.index(SIGNALS[20].line)
    path.write_bytes(CONTENT[:half])
    places = [*_followed(path, shelf), *_followed(path, shelf, CONTENT[half:] + b"\n")]
    unusable = [place for place, content in places if not _is_signal(content)]
    assert unusable == [f"line {number + FIRST_BAD_LINE}" for number, each in enumerate(SIGNALS) if not _is_signal(each.line)]


def _followed(path: Path, shelf: Shelf, added: bytes = b"") -> list[tuple[str | None, bytes]]:
    """What one process reads, which acknowledges all of it."""
    clock = ScriptedClock([lambda: path.write_bytes(path.read_bytes() + added)])
    source, places = FollowedFile(path, shelf, clock, BEGINNING), list[tuple[str | None, bytes]]()

    async def read() -> None:
        with suppress(EndOfTest):
            async for message in source.messages():
                assert isinstance(message.content, bytes)
                places.append((message.place, message.content))
                await source.acknowledge(message)

    asyncio.run(read())
    return places


def _is_signal(content: bytes) -> bool:
    try:
        Signal.parse(content)
    except UnusableSignal:
        return False
    return True


# --- before the first run ------------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    _empty_environment(monkeypatch, tmp_path)
    return CommandLine(tmp_path)


def test_before_the_first_run_the_doctor_finds_nothing_wrong(empty: CommandLine) -> None:
    result = empty.run("doctor")
    assert result.exit_code == 0, result.stdout
    assert "store: none yet at sqlite:///var/liveorder.db: the first `liveorder run` makes it" in result.stdout
    assert "FAIL" not in result.stdout


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("trading_mode = 'LIVE'", "TRADING_MODE is LIVE and no account is configured; set ALPACA_API_KEY"),
        ("default_account = 'b'", "default_account: no account 'b' among [[accounts]]; did you mean 'SIM'?"),
        ("[simulation]\nquotes = 'none.csv'", "quotes file none.csv: No such file or directory; name a readable CSV file"),
        ("store = 'sqlite:///liveorder.toml/x.db'", "store: nothing can be made at liveorder.toml/x.db"),
    ],
)
def test_before_the_first_run_the_doctor_says_each_problem_once(empty: CommandLine, settings: str, problem: str) -> None:
    empty.write("liveorder.toml", settings)
    result = empty.run("doctor")
    assert result.exit_code == ExitCode.UNHEALTHY
    assert result.stdout.count(problem) == 1
    assert result.stdout.count("FAIL") == 1


def test_a_store_that_is_gone_is_not_one_that_is_not_there_yet(place: CommandLine, tmp_path: Path) -> None:
    away = tmp_path / "away"
    (place.folder / "liveorder.db").rename(away)
    try:
        result = place.run("doctor")
        assert result.exit_code == ExitCode.UNHEALTHY
        assert "there is no store at liveorder.db, and " in result.stdout
        assert "it was moved or deleted; put it back" in result.stdout
    finally:
        away.rename(place.folder / "liveorder.db")


def test_there_are_as_many_rows_as_were_promised() -> None:
    assert len(FILES_OF_SETTINGS) + len(VARIABLES) + len(ARGUMENTS) + len(FILES) + len(SIGNALS) >= 180


def test_the_mode_of_a_store_is_said_with_what_to_do(place: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder, used in a simulation first and for paper trading afterwards."""
    monkeypatch.setenv("TRADING_MODE", "PAPER")
    monkeypatch.setenv("ALPACA_API_KEY", "key")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "secret")
    place.write("liveorder.toml", 'store = "sqlite:///liveorder.db"\n[[accounts]]\nid = "SIM"\nbroker = "alpaca"\n')
    _said(place, ("run", "--until-idle"), STORE, "this store is of mode SIMULATION, but the settings say PAPER", "set store to")
