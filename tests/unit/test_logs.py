import asyncio
import io
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
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
from liveorder.infrastructure.daily_file import DailyFile
from liveorder.infrastructure.logs import StructuredLog
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
        self.log = StructuredLog(self.clock, self.console, directory, **options)

    def lines(self) -> list[str]:
        return self.console.getvalue().splitlines()

    def records(self, day: str = "20241124") -> list[dict[str, Any]]:
        assert self.directory is not None
        return [json.loads(line) for line in (self.directory / f"orders_{day}.log").read_bytes().split(b"\n") if line]


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
    assert [(record["event_type"], record["level"]) for record in book.records()] == [("dead_letter", "info"), ("error", "error")]


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
    log = StructuredLog(StillClock(), directory=Path("nowhere"))
    log._file = Recorder(written)
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
    file, day = DailyFile(tmp_path, "orders", ".log"), datetime(2024, 11, 24, tzinfo=UTC).date()
    file.append(day, b"one\n")
    whole = file._file

    class Half:
        def write(self, line: bytes) -> int:
            assert whole is not None
            return whole.write(line[:2])

    monkeypatch.setattr(file, "_file", Half())
    with pytest.raises(OSError, match="no room for a whole line"):
        file.append(day, b"two\n")
    monkeypatch.setattr(file, "_file", whole)
    file.append(day, b"three\n")
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
