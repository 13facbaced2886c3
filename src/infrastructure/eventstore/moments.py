"""Times as the tables store them: as text to read, and as microseconds since 1970 for arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_START = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(moment: datetime) -> str:
    """The time as text of fixed width in UTC, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def micros_since_1970(moment: datetime) -> int:
    return (moment - _START) // timedelta(microseconds=1)


def moment_after_1970(micros: int) -> datetime:
    return _START + timedelta(microseconds=micros)
