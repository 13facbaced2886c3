"""Options that many commands share, and the settings made of them."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import typer

from liveorder.bootstrap import Settings, load_settings, no_path, without_secrets
from liveorder.domain.errors import InvalidInput
from liveorder.domain.strict_json import exact_number

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:|stdin:|\$\{")


def a_path(text: str | Path) -> Path:
    """Parse the path of an option or argument. Raises `typer.BadParameter`, without quoting the text if it may contain a
    password.
    """
    if (problem := no_path(str(text))) is not None:
        raise typer.BadParameter(problem)
    return Path(text)


def folder_remedy(path: Path) -> str:
    """What to do where a file cannot be made."""
    return (
        "name a file that this user may write" if path.parent.is_dir() else f"make the folder {path.parent}, or name another file"
    )


def a_place_of_signals(text: str) -> str:
    """Parse a path, - or a URL. Raises `typer.BadParameter`, without quoting the text if it may contain a password."""
    if _URL.match(text) is None:
        return str(a_path(text))
    if without_secrets(text) != text:
        raise typer.BadParameter("this URL may contain a password and is not shown; write ${NAME} in its place, in quotes")
    return text


def is_url(place: str) -> bool:
    return _URL.match(place) is not None


Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "--profile",
        "-c",
        parser=a_path,
        metavar="PATH",
        help="Settings file; without it ./liveorder.toml if there is one.",
    ),
]
Store: TypeAlias = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="Where the orders are; default: from settings.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="JSON: decimals as strings, times ISO-8601 UTC.")]
AsCsv: TypeAlias = Annotated[bool, typer.Option("--csv", help="CSV: a line of names, then a line for each row.")]
AccountName: TypeAlias = Annotated[str | None, typer.Option("--account", help="Only this account.")]
Newest: TypeAlias = Annotated[int | None, typer.Option("--newest", min=1, help="Only so many, the newest.")]
AnyId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="Order, client, broker or signal id.")]
Evidence: TypeAlias = Annotated[str, typer.Option("--evidence", help="How you know; kept for ever.")]
Detail: TypeAlias = Annotated[str, typer.Option("--detail", help="Why; kept for ever.")]
Patience: TypeAlias = Annotated[
    float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="How long to wait for the service's answer.")
]


def settings_for(config: Path | None, store: str | None, **more: Any) -> Settings:
    """Raises `SettingsError`."""
    return load_settings(config, store=store, **more)


def quiet_settings_for(config: Path | None, store: str | None) -> Settings:
    """Settings without console logs, for a command that may own the store briefly: a person wants to read its answer, not the
    log.
    """
    return settings_for(config, store, logs={"console": False})


def person() -> str:
    """The actor name under which a person's command is recorded."""
    return f"person:{getpass.getuser()}"


def a_day(text: str | None, option: str = "--day") -> date | None:
    """Raises `InvalidInput`."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(option, f"{text!r} is not a date", "write it like 2025-03-10") from None


def a_moment(text: str | None) -> datetime | None:
    """Parse a time, in UTC if it names no zone. Raises `InvalidInput`."""
    try:
        at = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("--at", f"{text!r} is not a time", "write it like 2025-03-10T09:20:00Z") from None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def an_id(option: str, text: str) -> UUID:
    """Raises `InvalidInput`."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(option, f"{text!r} is not an id", "copy it from `liveorder signals --status dead-letter`") from None


def a_number(option: str, text: str | None) -> Decimal | None:
    """Parse an exact number. Raises `InvalidInput`."""
    try:
        return None if text is None else exact_number(text)
    except InvalidInput as error:
        raise InvalidInput(option, error.problem, error.remedy) from None
