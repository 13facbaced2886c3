import subprocess
import sys
import threading
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest

from liveorder.application.ports.calendar import TradingCalendar
from liveorder.domain.errors import InvalidInput
from liveorder.domain.values import TradingHours
from liveorder.infrastructure import calendars as calendars_module
from liveorder.infrastructure.calendars import ExchangeCalendars, Overrides, calendar_of_exchange, span_of

CALENDARS: TradingCalendar = ExchangeCalendars()
MUHURAT: Overrides = {"XBOM": {date(2026, 11, 8): [span_of("18:00-19:00")]}}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("calendar", "at", "session"),
    [
        ("XNYS", "2025-12-01T15:00", "2025-12-01"),
        ("XNYS", "2025-12-02T00:30", "2025-12-01"),  # after hours in New York
        ("XNYS", "2025-12-02T13:00", "2025-12-02"),  # before the open in New York
        ("XNYS", "2025-12-06T15:00", "2025-12-05"),  # a Saturday
        ("XNYS", "2025-11-27T15:00", "2025-11-26"),  # Thanksgiving
        ("XBOM", "2025-03-10T03:35", "2025-03-10"),  # the auction before the open in India
        ("XBOM", "2025-03-10T18:00", "2025-03-10"),
        ("CMES", "2025-03-09T22:30", "2025-03-10"),  # a Sunday evening in Chicago
        ("CMES", "2025-03-08T15:00", "2025-03-07"),  # a Saturday
        ("XTKS", "2025-03-09T23:30", "2025-03-10"),  # before the open in Tokyo, yesterday in UTC
        ("24/7", "2025-12-06T23:59:59", "2025-12-06"),
        ("24/7", "2025-12-07T00:00", "2025-12-07"),
    ],
)
def test_a_moment_counts_to_one_session_day(calendar: str, at: str, session: str) -> None:
    assert CALENDARS.session_of(calendar, utc(at)) == date.fromisoformat(session)


def test_session_days_never_go_back() -> None:
    moments = [utc("2025-02-24T00:00") + timedelta(hours=hour) for hour in range(24 * 60)]
    for calendar in ("XNYS", "XBOM", "CMES", "XHKG", "24/7"):
        days = [CALENDARS.session_of(calendar, at) for at in moments]
        assert all(earlier <= later for earlier, later in pairwise(days))


def test_the_session_day_does_not_depend_on_the_timezone_of_the_moment() -> None:
    at = datetime.fromisoformat("2025-12-01T19:30:00-05:00")
    assert CALENDARS.session_of("XNYS", at) == CALENDARS.session_of("XNYS", at.astimezone(UTC)) == date(2025, 12, 1)


@pytest.mark.parametrize(
    ("calendar", "at", "is_open"),
    [
        ("XNYS", "2025-11-28T14:29:59", False),
        ("XNYS", "2025-11-28T14:30:00", True),
        ("XNYS", "2025-11-28T17:59:59", True),
        ("XNYS", "2025-11-28T18:00:00", False),  # an early close
        ("XHKG", "2025-03-10T03:59:59", True),
        ("XHKG", "2025-03-10T04:30:00", False),  # lunch
        ("XHKG", "2025-03-10T05:00:00", True),
        ("24/7", "2025-12-25T03:00:00", True),
    ],
)
def test_a_market_is_open_from_its_open_until_before_its_close(calendar: str, at: str, is_open: bool) -> None:
    assert CALENDARS.is_open(calendar, utc(at)) is is_open


@pytest.mark.parametrize(
    ("calendar", "at", "is_open"),
    [
        ("XNYS", "2025-12-01T08:59:59", False),
        ("XNYS", "2025-12-01T09:00:00", True),  # 04:00 in New York
        ("XNYS", "2025-12-01T21:30:00", True),
        ("XNYS", "2025-12-02T00:59:59", True),
        ("XNYS", "2025-12-02T01:00:00", False),  # 20:00 in New York
        ("XNYS", "2025-11-28T21:59:59", True),
        ("XNYS", "2025-11-28T22:00:00", False),  # 17:00 on a short day
        ("XNYS", "2025-07-01T08:00:00", True),  # 04:00 in summer
        ("XNYS", "2025-12-06T15:00:00", False),
        ("XHKG", "2025-03-10T04:30:00", False),  # no others are known
    ],
)
def test_extended_hours_begin_earlier_and_end_later(calendar: str, at: str, is_open: bool) -> None:
    assert CALENDARS.is_open(calendar, utc(at), TradingHours.EXTENDED) is is_open


def test_special_hours_are_extended_too() -> None:
    short: Overrides = {"XNYS": {date(2025, 12, 1): [span_of("09:30-12:00")]}}
    calendars = ExchangeCalendars(short)
    assert calendars.is_open("XNYS", utc("2025-12-01T20:59"), TradingHours.EXTENDED)
    assert not calendars.is_open("XNYS", utc("2025-12-01T21:00"), TradingHours.EXTENDED)


def test_extended_session_time_counts_towards_a_time_out_of_such_an_order() -> None:
    start, end = utc("2025-12-01T20:58"), utc("2025-12-01T21:03")
    assert CALENDARS.open_seconds_between("XNYS", start, end) == 120
    assert CALENDARS.open_seconds_between("XNYS", start, end, TradingHours.EXTENDED) == 300


@pytest.mark.parametrize(
    ("calendar", "start", "end", "seconds"),
    [
        ("XNYS", "2025-12-01T15:00", "2025-12-01T15:05", 300),
        ("XNYS", "2025-12-01T20:58", "2025-12-02T14:33", 300),  # over night
        ("XNYS", "2025-12-05T20:58", "2025-12-08T14:33", 300),  # over a weekend
        ("XNYS", "2025-12-06T10:00", "2025-12-07T10:00", 0),
        ("XHKG", "2025-03-10T03:58", "2025-03-10T05:03", 300),  # over lunch
        ("XNYS", "2025-12-01T15:05", "2025-12-01T15:00", 0),  # backwards
        ("24/7", "2025-12-06T10:00", "2025-12-06T10:05", 300),
    ],
)
def test_only_session_time_counts_towards_a_time_out(calendar: str, start: str, end: str, seconds: float) -> None:
    assert CALENDARS.open_seconds_between(calendar, utc(start), utc(end)) == seconds


def test_a_special_session_from_the_settings_is_a_session() -> None:
    calendars, at = ExchangeCalendars(MUHURAT), utc("2026-11-08T13:00")
    assert (calendars.is_open("XBOM", at), CALENDARS.is_open("XBOM", at)) == (True, False)
    assert calendars.session_of("XBOM", at) == date(2026, 11, 8)
    assert calendars.open_seconds_between("XBOM", utc("2026-11-06T12:00"), utc("2026-11-09T00:00")) == 3600


def test_a_special_session_may_have_a_break() -> None:
    calendars = ExchangeCalendars({"XBOM": {date(2026, 11, 8): [span_of("09:15-10:00"), span_of("11:30-12:30")]}})
    hours = ["03:44", "03:45", "04:29", "04:30", "05:59", "06:00", "06:59", "07:00"]
    assert [calendars.is_open("XBOM", utc(f"2026-11-08T{hour}")) for hour in hours] == [False, True, True, False] * 2


def test_a_closure_from_the_settings_is_no_session() -> None:
    calendars = ExchangeCalendars({"XNYS": {date(2025, 12, 1): []}})
    assert not calendars.is_open("XNYS", utc("2025-12-01T15:00"))
    assert calendars.session_of("XNYS", utc("2025-12-01T15:00")) == date(2025, 11, 28)


@pytest.mark.parametrize(("day", "opens"), [("2026-02-01", "03:45"), ("2025-02-01", "03:45"), ("2025-10-21", "08:15")])
def test_sessions_that_the_library_does_not_know_are_shipped(day: str, opens: str) -> None:
    """A Budget on a Sunday, one on a Saturday, and the hour of Diwali."""
    assert CALENDARS.is_open("XBOM", utc(f"{day}T{opens}"))
    assert CALENDARS.session_of("XBOM", utc(f"{day}T{opens}")) == date.fromisoformat(day)


def test_what_the_settings_say_of_a_shipped_day_wins() -> None:
    calendars = ExchangeCalendars({"XBOM": {date(2026, 2, 1): []}})
    assert not calendars.is_open("XBOM", utc("2026-02-01T05:30"))


def test_a_special_session_beyond_the_calendar_opens_no_unknown_days() -> None:
    calendars = ExchangeCalendars({"XBOM": {date(2031, 11, 8): [span_of("18:00-19:00")]}})
    with pytest.raises(InvalidInput, match="upgrade exchange_calendars"):
        calendars.is_open("XBOM", utc("2031-11-07T05:30"))


@pytest.mark.parametrize(
    ("calendar", "at", "is_open"),
    [
        ("CMES", "2026-11-24T21:59:59", True),
        ("CMES", "2026-11-24T22:00", False),  # 16:00 in Chicago
        ("CMES", "2026-11-24T22:30", False),
        ("CMES", "2026-11-24T23:00", True),
        ("CMES", "2026-07-14T20:59:59", True),
        ("CMES", "2026-07-14T21:00", False),  # the same hour, in summer
        ("us_futures", "2026-11-24T22:30", False),  # 17:30 in New York
    ],
)
def test_globex_is_closed_for_maintenance_every_day(calendar: str, at: str, is_open: bool) -> None:
    assert CALENDARS.is_open(calendar, utc(at)) == is_open


def test_a_day_of_futures_ends_at_the_maintenance_and_begins_after_it() -> None:
    assert CALENDARS.session_of("CMES", utc("2026-11-24T22:30")) == date(2026, 11, 24)
    assert CALENDARS.session_of("CMES", utc("2026-11-24T23:00")) == date(2026, 11, 25)


@pytest.mark.parametrize("text", ["15:30-09:15", "09:15", "9-10", "09:15-25:00", ""])
def test_a_span_begins_before_it_ends(text: str) -> None:
    with pytest.raises(ValueError, match=r"ends before it begins|Invalid isoformat|hour must be"):
        span_of(text)


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(InvalidInput, match="NOWHERE is unknown"):
        CALENDARS.is_open("NOWHERE", utc("2025-12-01T15:00"))


def test_a_moment_without_a_timezone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no timezone"):
        CALENDARS.session_of("24/7", datetime(2025, 12, 1))  # noqa: DTZ001 -- the mistake itself


@pytest.mark.parametrize("at", ["1999-12-01T15:00", "2099-12-01T15:00"])
def test_a_market_is_not_closed_only_because_its_calendar_ran_out(at: str) -> None:
    for ask in (CALENDARS.is_open, CALENDARS.session_of):
        with pytest.raises(InvalidInput, match="upgrade exchange_calendars"):
            ask("XNYS", utc(at))


def test_the_evening_of_the_last_known_session_still_counts_to_it() -> None:
    calendars = ExchangeCalendars()
    last = calendars.last_session("XNYS")
    assert last is not None
    evening = datetime.combine(last, time(22), UTC)
    assert calendars.session_of("XNYS", evening) == last


def test_a_process_that_trades_around_the_clock_never_imports_pandas() -> None:
    code = """
import sys
from datetime import UTC, datetime
from liveorder.infrastructure.calendars import ExchangeCalendars
ExchangeCalendars().is_open("24/7", datetime(2025, 12, 1, tzinfo=UTC))
sys.exit("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("exchange", "calendar"), [("NSE", "XBOM"), ("NYSE", "XNYS"), ("XLON", "XLON"), ("SMART", None)])
def test_an_exchange_is_known_by_its_name_where_that_says_where_it_trades(exchange: str, calendar: str | None) -> None:
    assert calendar_of_exchange(exchange) == calendar


async def test_a_calendar_is_prepared_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def noticed(*asked: Any) -> Any:
        threads.append(threading.current_thread())
        return load(*asked)

    load = calendars_module._load
    monkeypatch.setattr(calendars_module, "_load", noticed)
    calendars = ExchangeCalendars(in_threads=True)
    await calendars.prepare(("XNYS", "24/7", "XBOM", "no such"))
    assert len(threads) == 4
    assert threading.main_thread() not in threads
    await calendars.prepare(("XNYS", "XBOM"))
    for hours in TradingHours:
        assert calendars.is_open("XNYS", utc("2025-03-10T15:00"), hours)
    assert len(threads) == 4
    with pytest.raises(InvalidInput, match="no such is unknown"):
        calendars.is_open("no such", utc("2025-03-10T15:00"))


def test_calendars_are_built_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library and pandas set aside warnings of their own for the whole process meanwhile, and put back what they found."""
    built = list[bool]()

    def build(*_: Any) -> Any:
        built.append(calendars_module._LOADING.locked())
        raise InvalidInput("calendar", "is built by nobody here", "leave it")

    monkeypatch.setattr(calendars_module, "_load", build)
    with pytest.raises(InvalidInput):
        ExchangeCalendars().is_open("XNYS", utc("2025-12-01T15:00"))
    assert (built, calendars_module._LOADING.locked()) == ([True], False)


def test_a_market_that_never_closes_has_no_last_session() -> None:
    assert ExchangeCalendars().last_session("24/7") is None
