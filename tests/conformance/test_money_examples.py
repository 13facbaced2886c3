"""Worked examples of money and sessions, from other engines, exchanges and tax offices, each with its source.

`LIVEORDER_MONEY_EXAMPLES=FILE` runs another file of the same form. What a file holds that is not understood here fails.
"""

import json
import os
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field

from liveorder.domain.position import Position, shown
from liveorder.infrastructure.calendars import ExchangeCalendars

OURS = Path(__file__).parent / "data" / "money_examples.json"
CONTENT = json.loads(Path(os.environ.get("LIVEORDER_MONEY_EXAMPLES", OURS)).read_text(encoding="utf-8"), parse_float=Decimal)
EXAMPLES: list[dict[str, Any]] = CONTENT.get("examples", [])
TRAPS: list[dict[str, str]] = CONTENT.get("binary_float_traps", [])
SESSIONS: dict[str, Any] = CONTENT.get("sessions", {})
SESSION_ROWS = [(name, day, hours) for name, rows in SESSIONS.get("rows", {}).items() for day, hours in rows.items()]
DAY_KEY_CASES: list[dict[str, Any]] = SESSIONS.get("day_key_cases", [])

LIBRARY_NAMES = {"NSE": "XBOM"}
BEYOND_THE_LIBRARY = {
    ("XBOM", "2025-10-21"): ["2025-10-21T08:15:00+00:00", "2025-10-21T09:15:00+00:00"],
    ("CMES", "2025-03-07"): ["2025-03-06T23:00:00+00:00", "2025-03-07T22:00:00+00:00"],
    ("CMES", "2025-03-10"): ["2025-03-09T22:00:00+00:00", "2025-03-10T21:00:00+00:00"],
    ("CMES", "2025-11-03"): ["2025-11-02T23:00:00+00:00", "2025-11-03T22:00:00+00:00"],
}
"""The examples are the library's hours: it does not know the hour of Diwali, nor Globex's hour of maintenance."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fill(Strict):
    qty: Decimal
    px: Decimal
    fee: Decimal


class Check(Strict):
    """What holds after so many fills; money is compared to `dp` decimal places, exactly without."""

    after: int = Field(ge=1)
    qty: Decimal | None = None
    avg: Decimal | None = None
    gross_realized: Decimal | None = None
    net_realized: Decimal | None = None
    mark: Decimal | None = None
    unrealized: Decimal | None = None
    dp: int | None = None


class Example(Strict):
    id: str
    source: str
    method: str
    multiplier: Decimal
    fills: list[Fill] = Field(min_length=1)
    checks: list[Check] = Field(min_length=1)
    note: str = ""


class DayKeyCase(Strict):
    ts: datetime
    market: str
    utc_date: date
    session_day: date
    server_local_NY: date | None = None  # noqa: N815 -- the file's own name
    calendar_library: str = ""


def test_every_part_of_the_file_is_known() -> None:
    assert set(CONTENT) <= {"definitions", "examples", "binary_float_traps", "sessions"}
    assert set(SESSIONS) <= {"source", "rows", "day_key_cases"}
    assert EXAMPLES


@pytest.mark.parametrize("raw", EXAMPLES, ids=lambda raw: raw["id"])
def test_a_position_folds_to_the_figures_of_its_source(raw: dict[str, Any]) -> None:
    example = Example.model_validate(raw)
    if example.method != "AVG":
        pytest.skip(f"positions are kept by average cost, not by {example.method}")
    for check in example.checks:
        assert figures(folded(example, check.after), check) == expected(check)


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap["expr"])
def test_decimals_do_not_fall_where_floats_do(trap: dict[str, str]) -> None:
    results = {"expr": trap["expr"]} | trap_results()[trap["expr"]]
    assert {key: results[key] for key in trap} == trap


@pytest.mark.parametrize(("name", "day", "hours"), SESSION_ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_session_opens_and_closes_at_its_hours(name: str, day: str, hours: list[str] | None) -> None:
    calendars, session = ExchangeCalendars(), date.fromisoformat(day)
    hours = BEYOND_THE_LIBRARY.get((name, day), hours)

    def trades(at: datetime) -> bool:
        return calendars.is_open(name, at) and calendars.session_of(name, at) == session

    if hours is None:
        midnight = datetime(session.year, session.month, session.day, tzinfo=UTC)
        assert not any(trades(midnight + timedelta(hours=hour)) for hour in range(-24, 48))
    else:
        opens, closes = map(datetime.fromisoformat, hours)
        moments = [opens - timedelta(seconds=1), opens, closes - timedelta(seconds=1), closes]
        assert [trades(at) for at in moments] == [False, True, True, False]
        assert calendars.open_seconds_between(name, opens, closes) == (closes - opens).total_seconds()


@pytest.mark.parametrize("raw", DAY_KEY_CASES, ids=lambda raw: f"{raw['ts']} {raw['market']}")
def test_a_moment_counts_to_its_session_day(raw: dict[str, Any]) -> None:
    case = DayKeyCase.model_validate(raw)
    market = case.market.split()[0]
    assert ExchangeCalendars().session_of(LIBRARY_NAMES.get(market, market), case.ts) == case.session_day
    assert case.ts.astimezone(UTC).date() == case.utc_date
    if case.server_local_NY:
        assert case.ts.astimezone(ZoneInfo("America/New_York")).date() == case.server_local_NY


def folded(example: Example, count: int) -> Position:
    assert count <= len(example.fills)
    position = Position.flat("USD", example.multiplier)
    for fill in example.fills[:count]:
        position = position.fill(fill.qty, fill.px, fill.fee, None)
    return position


def figures(position: Position, check: Check) -> dict[str, Fraction | Decimal]:
    """The figures that the check asks for, to its decimal places."""
    every: dict[str, Fraction | Decimal] = {
        "qty": position.quantity,
        "avg": exact_average(position) if check.dp is not None else position.average_price or Decimal(0),
        "gross_realized": position.realized_gross,
        "net_realized": position.realized_net,
    }
    if check.mark is not None:
        every["unrealized"] = position.unrealized(check.mark)
    return {name: to_places(every[name], check.dp) for name in expected(check)}


def expected(check: Check) -> dict[str, Fraction | Decimal]:
    figures = check.model_dump(exclude={"after", "mark", "dp"}, exclude_none=True)
    assert figures, "a check that compares nothing"
    return {name: to_places(value, check.dp) for name, value in figures.items()}


def exact_average(position: Position) -> Fraction:
    units = Fraction(position.quantity * position.multiplier)
    return position.cost / units if units else Fraction(0)


def to_places(value: Fraction | Decimal, places: int | None) -> Fraction | Decimal:
    return value if places is None else round(Fraction(value), places)


def trap_results() -> dict[str, dict[str, str]]:
    """What floats make of an expression, and what we do."""
    half_even = str(shown(Fraction("2.675")))
    half_up = str(Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_UP))
    ten_fills = Position.flat("USD", Decimal(1))
    for _ in range(10):
        ten_fills = ten_fills.fill(Decimal("0.1"), Decimal(1), Decimal(0), None)
    from_float = Decimal(float("1.1")).quantize(Decimal("1e-20"), ROUND_DOWN)
    return {
        "0.1+0.2==0.3": {"float": str(0.1 + 0.2 == 0.3), "decimal": str(Decimal("0.1") + Decimal("0.2") == Decimal("0.3"))},
        "sum of 10 fills of 0.1": {"float": str(running_sum([0.1] * 10)), "decimal": str(ten_fills.quantity)},
        "round(2.675,2)": {"float": str(round(2.675, 2)), "decimal_half_even": half_even, "decimal_half_up": half_up},
        "1.15*100": {"float": str(1.15 * 100), "decimal": str(Decimal("1.15") * 100)},
        "int(0.29*100)": {"float": str(int(0.29 * 100)), "decimal": str(int(Decimal("0.29") * 100))},
        "100.05 % 0.05 (tick test)": {"float": str(100.05 % 0.05), "decimal": str(Decimal("100.05") % Decimal("0.05"))},
        "Decimal(1.1)": {"decimal": str(from_float)},
    }


def running_sum(numbers: list[float]) -> float:
    """Added one by one: from Python 3.12 on, `sum` compensates for what floats lose."""
    total = 0.0
    for number in numbers:
        total += number
    return total
