import asyncio
import fcntl
import io
import json
import math
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from liveorder.application.ports.activity_log import REPEATED, ActivityLog
from liveorder.infrastructure.daily_file import MEGABYTE, CurrentFile, DailyFile, LineFile, delete_old
from liveorder.infrastructure.logs import LogFiles, StructuredLog
from liveorder.infrastructure.secrecy import MASK, Censor


class StillClock:
    def __init__(self) -> None:
        self.time = datetime(2024, 11, 24, 10, 30, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Book:
    """A log and what it wrote."""

    def __init__(self, directory: Path | None = None, **options: Any) -> None:
        self.clock, self.console, self.directory = StillClock(), io.StringIO(), directory
        files = None if directory is None else LogFiles(directory, Path("execution_service.log"), Path("signal_processing.log"))
        self.log = StructuredLog(self.clock, self.console, files, **options)

    def lines(self) -> list[str]:
        return self.console.getvalue().splitlines()

    def records(self, day: str = "20241124") -> list[dict[str, Any]]:
        assert self.directory is not None
        return [json.loads(line) for line in (self.directory / f"orders_{day}.log").read_bytes().split(b"\n") if line]

    def written(self, name: str) -> list[str]:
        assert self.directory is not None
        return (self.directory / name).read_text().splitlines()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path / "logs", secrets=[SecretStr("hunter2"), SecretStr("")])
    yield book
    book.log.close()


def test_a_console_line_reads_time_category_sentence(book: Book) -> None:
    book.log.write("EXECUTION", "Order filled: 100 @ 235.15")
    assert book.lines() == ["2024-11-24 10:30:12 | [EXECUTION] | Order filled: 100 @ 235.15"]


def test_a_console_line_ends_with_the_ids(book: Book) -> None:
    book.log.write("EXECUTION", "Order filled: 100 @ 235.15", signal_id="sig_1", order_id="0193", price=Decimal("235.15"))
    assert book.lines() == ["2024-11-24 10:30:12 | [EXECUTION] | Order filled: 100 @ 235.15 | signal_id=sig_1 order_id=0193"]


def test_what_only_repeats_a_line_is_for_the_file_alone(book: Book) -> None:
    book.log.write("WARNING", "Trading halted", event_type=REPEATED, notice_id="halt:1")
    assert (book.lines(), [record["notice_id"] for record in book.records()]) == ([], ["halt:1"])


def test_a_json_line_has_type_and_exact_figures(book: Book) -> None:
    at = book.clock.now()
    book.log.write(
        "EXECUTION", "Order filled", event_type="Filled", quantity=Decimal("1E+2"), at=at, waited=[0.5, math.nan], nothing=None
    )
    assert book.records() == [
        {
            "timestamp": "2024-11-24T10:30:12.000+00:00",
            "level": "info",
            "category": "EXECUTION",
            "event_type": "Filled",
            "message": "Order filled",
            "quantity": "100",
            "at": "2024-11-24T10:30:12+00:00",
            "waited": [0.5, "nan"],
        }
    ]


def test_the_event_type_defaults_to_the_category(book: Book) -> None:
    book.log.write("DEAD LETTER", "unusable")
    book.log.write("ERROR", "broken")
    assert [(record["event_type"], record["level"]) for record in book.records()] == [("dead_letter", "info"), ("ERROR", "error")]


def test_each_utc_day_has_its_file(book: Book) -> None:
    book.log.write("A", "before midnight")
    book.clock.time = datetime(2024, 11, 25, 0, 0, tzinfo=UTC)
    book.log.write("A", "after midnight")
    assert [record["message"] for record in book.records("20241124")] == ["before midnight"]
    assert [record["message"] for record in book.records("20241125")] == ["after midnight"]


async def test_one_journey_can_be_followed_by_its_id(book: Book) -> None:
    async def journey(signal_id: str) -> None:
        with book.log.about(signal_id=signal_id):
            book.log.write("SIGNAL", "taken")
            await asyncio.sleep(0)
            book.log.write("RISK", "approved", order_id=f"order of {signal_id}")

    await asyncio.gather(journey("a"), journey("b"))
    book.log.write("SIGNAL", "none")
    assert [record["message"] for record in book.records() if record.get("signal_id") == "a"] == ["taken", "approved"]
    assert "signal_id" not in book.records()[-1]


def test_a_field_cannot_pass_for_what_the_line_says_of_itself(book: Book) -> None:
    book.log.write("RISK", "refused", message="approved", level="error", timestamp="1999", event="x", fields={"a": 1})
    (record,) = book.records()
    assert (record["message"], record["level"], record["timestamp"][:4]) == ("refused", "info", "2024")


# --- files ---------------------------------------------------------------------------------------------------------------------

SERVICE, SIGNALS = "execution_service.log", "signal_processing.log"


def test_the_files_of_lines_have_what_the_console_has_and_one_of_them_only_signals(book: Book) -> None:
    book.log.write("LEASE", "Standing by")
    book.log.write("EXECUTION", "Received order: sig_1", signal_id="sig_1")
    book.log.write("WARNING", "Received order: sig_1", event_type=REPEATED, signal_id="sig_1")
    assert book.written(SERVICE) == book.lines()
    assert book.written(SIGNALS) == ["2024-11-24 10:30:12 | [EXECUTION] | Received order: sig_1 | signal_id=sig_1"]


def test_the_files_of_lines_are_private_and_hold_no_secret(book: Book) -> None:
    book.log.write("ERROR", "hunter2 was refused", signal_id="s")
    assert book.directory is not None
    assert {path.stat().st_mode & 0o777 for path in book.directory.iterdir()} == {0o600}
    assert [path.name for path in book.directory.iterdir() if "hunter2" in path.read_text()] == []


def test_a_day_that_is_over_is_put_away_under_its_date(book: Book) -> None:
    book.log.write("A", "before midnight")
    book.clock.time = datetime(2024, 11, 25, 0, 0, tzinfo=UTC)
    book.log.write("A", "after midnight")
    assert book.written("execution_service_20241124.log") == ["2024-11-24 10:30:12 | [A] | before midnight"]
    assert book.written(SERVICE) == ["2024-11-25 00:00:00 | [A] | after midnight"]


def test_a_start_puts_away_what_an_earlier_day_left(book: Book) -> None:
    assert book.directory is not None
    book.directory.mkdir()
    (book.directory / SERVICE).write_text("2024-11-20 09:00:00 | [A] | of long ago\n")
    (book.directory / "execution_service_20241120.log").write_text("of another run\n")
    book.log.write("A", "now")
    assert book.written("execution_service_20241120-2.log") == ["2024-11-20 09:00:00 | [A] | of long ago"]
    assert book.written("execution_service_20241120.log") == ["of another run"]
    assert book.written(SERVICE) == ["2024-11-24 10:30:12 | [A] | now"]


def test_two_processes_that_meet_at_midnight_lose_no_line(tmp_path: Path) -> None:
    files = [CurrentFile(tmp_path / SERVICE) for _ in range(2)]
    for day in ("2024-11-24", "2024-11-25", "2024-11-26"):
        for number, file in enumerate(files):
            file.append(date.fromisoformat(day), f"{day} of {number}\n".encode())
    for file in files:
        file.close()
    assert {path.name: path.read_text().split("\n")[:-1] for path in tmp_path.iterdir()} == {
        "execution_service_20241124.log": ["2024-11-24 of 0", "2024-11-24 of 1"],
        "execution_service_20241125.log": ["2024-11-25 of 0", "2024-11-25 of 1"],
        SERVICE: ["2024-11-26 of 0", "2024-11-26 of 1"],
    }


def test_who_cannot_put_away_now_writes_on_and_does_it_later(tmp_path: Path) -> None:
    """Another process is at it, and perhaps stopped: nobody waits for that."""
    file = CurrentFile(tmp_path / SERVICE)
    file.append(date(2024, 11, 24), b"2024-11-24 one\n")
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    file.append(date(2024, 11, 25), b"2024-11-25 two\n")
    os.close(holder)
    file.append(date(2024, 11, 25), b"2024-11-25 three\n")
    file.close()
    assert (tmp_path / "execution_service_20241124.log").read_bytes() == b"2024-11-24 one\n2024-11-25 two\n"
    assert (tmp_path / SERVICE).read_bytes() == b"2024-11-25 three\n"


@pytest.mark.parametrize("name", ["orders_20241124.log", SERVICE, SIGNALS])
def test_a_file_that_was_moved_away_is_written_anew(book: Book, name: str) -> None:
    """As logrotate does, without a word to us."""
    book.log.write("A", "one", signal_id="s")
    assert book.directory is not None
    (book.directory / name).rename(book.directory / "elsewhere")
    book.log.write("A", "two", signal_id="s")
    assert ["one" in line for line in book.written("elsewhere")] == [True]
    assert ["two" in line for line in book.written(name)] == [True]


@pytest.mark.parametrize("name", ["orders_20241124.log", SERVICE, SIGNALS])
def test_a_file_that_cannot_be_written_keeps_no_line_from_the_others(
    book: Book, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A symbolic link, through which nothing is written, and a full disk."""
    assert book.directory is not None
    book.directory.mkdir()
    (book.directory / name).symlink_to("/dev/full")
    book.log.write("A", "one", signal_id="s")
    others = {"orders_20241124.log", SERVICE, SIGNALS} - {name}
    assert [other for other in others if len(book.written(other)) != 1] == []
    assert "symbolic link" in capsys.readouterr().err


# --- retention -----------------------------------------------------------------------------------------------------------------

NOW = datetime(2024, 11, 24, 10, 30, 12, tzinfo=UTC)
OWN = ("orders", "execution_service", "signal_processing")


def aged(folder: Path, name: str, days: float, size: int = 1) -> Path:
    path = folder / name
    path.write_bytes(b"x" * size)
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_older_than_is_kept_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    kept = {"orders_20241120.log", "execution_service.log", "backup_20200101.log", "orders_20200101.log.gz", "orders_2020.log"}
    for name in kept:
        aged(tmp_path, name, 4 if name == "orders_20241120.log" else 400)
    for name in ("orders_20231010.log", "execution_service_20231010.log", "signal_processing_20231010-2.log"):
        aged(tmp_path, name, 31)
    (tmp_path / "orders_20200102.log").symlink_to(aged(tmp_path, "target", 400))
    delete_old(tmp_path, OWN, NOW, 30, None)
    assert names(tmp_path) == kept | {"target", "orders_20200102.log"}


def test_the_oldest_go_until_there_is_room_but_none_of_today(tmp_path: Path) -> None:
    for days in (0.1, 3, 4, 5):
        aged(tmp_path, f"orders_2024110{round(days)}.log", days, MEGABYTE)
    delete_old(tmp_path, OWN, NOW, None, 2)
    assert names(tmp_path) == {"orders_20241100.log", "orders_20241103.log"}
    aged(tmp_path, "orders_20241100.log", 0.1, 3 * MEGABYTE)
    delete_old(tmp_path, OWN, NOW, None, 2)
    assert names(tmp_path) == {"orders_20241100.log"}


def test_without_limits_everything_is_kept(tmp_path: Path) -> None:
    aged(tmp_path, "orders_19990101.log", 9000)
    delete_old(tmp_path, OWN, NOW, None, None)
    assert names(tmp_path) == {"orders_19990101.log"}


def test_a_log_deletes_when_it_begins_a_day(tmp_path: Path) -> None:
    """By the machine's clock, whatever the day of a simulation is."""
    old = tmp_path / "orders_20200101.log"
    log = StructuredLog(StillClock(), files=LogFiles(tmp_path, keep_days=1))
    log.write("A", "the first line makes the folder")
    old.write_text("old")
    os.utime(old, (0, 0))
    log.write("A", "the same day")
    assert old.exists()
    log.close()
    again = StructuredLog(StillClock(), files=LogFiles(tmp_path, keep_days=1))
    again.write("A", "one")
    again.close()
    assert names(tmp_path) == {"orders_20241124.log"}


# --- forging -------------------------------------------------------------------------------------------------------------------

FORGERIES = st.text(st.characters() | st.sampled_from("\n\r\x1b\x00\x85\u2028\u2029\u202e\u2066\u200b\ud800|[]\\"), max_size=40)
SHOWN = FORGERIES.filter(lambda category: category.lower() != REPEATED)
"""As categories: but for the one that the console leaves out."""


@given(SHOWN, FORGERIES, FORGERIES, st.recursive(FORGERIES, lambda inner: st.lists(inner) | st.dictionaries(FORGERIES, inner)))
def test_no_data_can_forge_a_line(category: str, sentence: str, name: str, value: object) -> None:
    book = Book()
    book.log.write(category, sentence, **{f"{name}_id": value})
    (line, rest) = book.console.getvalue().split("\n")
    assert line.isprintable()
    assert rest == ""


@given(FORGERIES, st.dictionaries(FORGERIES, FORGERIES))
def test_no_data_can_forge_a_record(sentence: str, fields: dict[str, str]) -> None:
    written: list[bytes] = []
    log = StructuredLog(StillClock(), files=LogFiles(Path("nowhere")))
    log._orders = Recorder(written)
    log.write("DATA", sentence, data=fields)
    (line,) = written
    assert line.endswith(b"\n")
    assert line[:-1].decode("ascii").isprintable()
    record = json.loads(line)
    assert all(text.isprintable() for text in (record["message"], *record["data"], *record["data"].values()))


class Recorder(DailyFile):
    def __init__(self, written: list[bytes]) -> None:
        self.append = lambda day, line: written.append(line)  # type: ignore[method-assign]  # a double of one method


# --- secrets -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["api_key", "KITE_API_SECRET", "access_token", "Authorization", "password", "telegram_bot_token"])
def test_what_is_named_like_a_secret_is_hidden(book: Book, name: str) -> None:
    book.log.write("BROKER", "connected", **{name: "swordfish", "nested": {name: "swordfish"}})
    assert "swordfish" not in book.console.getvalue() + json.dumps(book.records())


def test_secret_values_are_hidden_wherever_they_turn_up(book: Book) -> None:
    book.log.write("ERROR", "GET /?t=hunter2 failed", detail=["hunter2"], wrapped=SecretStr("other"), url="postgresql://u:pw@db/x")
    shown = book.console.getvalue() + json.dumps(book.records())
    assert all(secret not in shown for secret in ("hunter2", "other", "pw@"))
    assert f"GET /?t={MASK} failed" in shown


@pytest.mark.parametrize("written", [str, repr, json.dumps, partial(quote, safe=""), lambda secret: repr(KeyError(secret))])
def test_a_secret_is_masked_however_it_is_written(written: Callable[[str], str]) -> None:
    hidden = "pa\\ss'wo\"rd é/1"
    shown = Censor([SecretStr(hidden)])(f"no {written(hidden)} here")
    assert "wo" not in shown
    assert MASK in shown


def test_a_password_in_a_url_is_hidden_and_the_rest_is_not() -> None:
    assert Censor()("postgresql://me:p%40ss@host/db?password=x&a=b") == f"postgresql://me:{MASK}@host/db?password={MASK}&a=b"
    assert Censor()("sqlite:///var/liveorder.db") == "sqlite:///var/liveorder.db"


# --- trading goes on -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_once_and_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(Path("/dev/full/logs"))
    book.log.write("A", "one")
    book.log.write("A", "two")
    assert len(book.lines()) == 2
    assert capsys.readouterr().err.count("log lines are being lost") == 1


def test_a_file_works_again_when_the_disk_does(book: Book) -> None:
    assert book.directory is not None
    book.directory.write_text("a file where the folder should be")
    book.log.write("A", "lost")
    book.directory.unlink()
    book.log.write("A", "kept")
    assert [record["message"] for record in book.records()] == ["kept"]


def test_a_line_that_only_half_fitted_does_not_swallow_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LineFile(tmp_path / "orders_20241124.log")
    file.append(b"one\n")
    whole = file._file

    class Half:
        def write(self, line: bytes) -> int:
            assert whole is not None
            return whole.write(line[:2])

        def fileno(self) -> int:
            assert whole is not None
            return whole.fileno()

    monkeypatch.setattr(file, "_file", Half())
    with pytest.raises(OSError, match="no room for a whole line"):
        file.append(b"two\n")
    monkeypatch.setattr(file, "_file", whole)
    file.append(b"three\n")
    file.close()
    assert (tmp_path / "orders_20241124.log").read_bytes() == b"one\ntw\nthree\n"


def test_a_closed_console_and_a_value_that_cannot_be_shown_stop_nothing(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    class Unshowable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    book.log.write("A", "one", value=Unshowable())
    book.console.close()
    log: ActivityLog = book.log
    log.write("A", "two")
    assert [record["message"] for record in book.records()] == ["two"]
    assert "log lines are being lost (no)" in capsys.readouterr().err


def test_a_console_of_another_encoding_gets_escapes() -> None:
    raw = io.BytesIO()
    StructuredLog(StillClock(), io.TextIOWrapper(raw, encoding="ascii", write_through=True)).write("A", "100 € ₹")
    assert raw.getvalue().endswith(b"100 \\u20ac \\u20b9\n")
