"""Moments as the tables keep them: texts to be read, and microseconds since 1970 to be reckoned with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_START = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(moment: datetime) -> str:
    """Fixed width and UTC, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def micros_since_1970(moment: datetime) -> int:
    return (moment - _START) // timedelta(microseconds=1)


def moment_after_1970(micros: int) -> datetime:
    return _START + timedelta(microseconds=micros)
