"""Reading settings from the environment, a `.env` file and a TOML file. Each yields nested tables with the settings' own names."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.names import (
    ENVIRONMENT_NAMES,
    ENVIRONMENT_PREFIX,
    ENVIRONMENT_SEPARATOR,
    TRADER_NAMES,
    SettingPath,
    put,
    variable_meant,
)

CONFIG_VARIABLE = "LIVEORDER_CONFIG"
DEFAULT_CONFIG = Path("liveorder.toml")
DOTENV = Path(".env")
NOT_SETTINGS = frozenset({"config", "traceback", "require_services", "fix_matrices", "money_examples"})
"""Names, after the prefix, of our variables that are not settings. The last three, and those that begin with `test_`, are for
tests.
"""


IN_FILE = "it in "
"""How the place of a setting in a file begins; that of a variable begins with its name."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one source gives."""

    tables: dict[str, Any]
    places: Mapping[SettingPath, str]
    """What is to be corrected for each setting, for people: `MAX_DAILY_TRADES in the environment`, `it in liveorder.toml`."""

    def place_of(self, path: SettingPath) -> str | None:
        """Of a setting, of the table or list that it is in, or of the first that is in it."""
        parts = (path[:length] for length in range(len(path), 0, -1))
        around = next((self.places[part] for part in parts if part in self.places), None)
        return around or next((place for known, place in self.places.items() if known[: len(path)] == path), None)


class SettingsTables(PydanticBaseSettingsSource):
    """A pydantic source for tables that were read beforehand."""

    def __init__(self, settings_class: type[BaseSettings], tables: dict[str, Any]) -> None:
        super().__init__(settings_class)
        self._tables = tables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Required by the base class. `__call__` returns all fields at once."""
        return self._tables.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._tables


def from_variables(variables: Mapping[str, str | None], origin: str) -> Given:
    """The settings in environment variables. A variable that has none of our names is ignored: see `near_variables`.

    An empty value counts as unset, `none` as None, and a value that begins with a bracket is JSON. `origin`: for messages.
    """
    settings = ((path, name, value) for name, value in variables.items() if value and (path := _path_of(name.lower())) is not None)
    decoded = ((path, f"{name} in {origin}", _decoded(value, f"{name} in {origin}")) for path, name, value in settings)
    return _given(decoded, origin)


def near_variables(variables: Mapping[str, str | None], origin: str) -> list[str]:
    """Variables whose names are nearly ours, each with the name that was probably meant."""
    others = (name for name, value in variables.items() if value and not _is_ours(name.lower()))
    return [f"{name} in {origin}: did you mean {meant}?" for name in others if (meant := variable_meant(name)) is not None]


def dotenv_variables(path: Path) -> dict[str, str | None]:
    """The variables in a `.env` file. Empty if there is none. Raises `SettingsError`, which shows nothing of it, for a line that is
    none.
    """
    if not path.is_file():
        return {}
    variables: dict[str, str | None] = {}
    for each in parse_stream(StringIO(_text_of(path, "correct it"))):
        if each.error or (each.key is not None and each.value is None and _path_of(each.key.lower()) is not None):
            blank = each.original.string[: -len(each.original.string.lstrip()) or None]
            line = each.original.line + blank.count("\n")
            raise SettingsError(f"{path}: line {line} is not NAME=value, and is not shown here; write NAME=value")
        if each.key is not None:
            variables[each.key] = each.value
    return variables


def from_toml(path: Path, *, is_required: bool) -> Given:
    """The settings in a TOML file, with exact numbers. Raises `SettingsError` if a required file is missing, or if it is not
    TOML.
    """
    if not is_required and not path.exists():
        return Given({}, {})
    try:
        document = tomllib.loads(_text_of(path, f"`liveorder init {path}` writes one"), parse_float=Decimal)
    except ValueError as error:
        raise SettingsError(f"{path}: not TOML ({error}); correct it there: `liveorder init FILE` writes an example") from None
    lowered = ((name.lower(), _decoded_nones(value)) for name, value in document.items())
    return _given(((TRADER_NAMES.get(name, (name,)), f"{IN_FILE}{path}", value) for name, value in lowered), str(path))


def _text_of(path: Path, remedy_for_none: str) -> str:
    """A byte order mark is passed over. Raises `SettingsError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; name another, or {remedy_for_none}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name a file that this user may read") from None
    except UnicodeError as error:
        raise SettingsError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None  # type: ignore[attr-defined]  # it decodes


def _is_ours(variable: str) -> bool:
    return variable in ENVIRONMENT_NAMES or variable.startswith(ENVIRONMENT_PREFIX)


def _path_of(variable: str) -> SettingPath | None:
    if variable in ENVIRONMENT_NAMES:
        return ENVIRONMENT_NAMES[variable]
    if not variable.startswith(ENVIRONMENT_PREFIX):
        return None
    name = variable.removeprefix(ENVIRONMENT_PREFIX)
    return None if name in NOT_SETTINGS or name.startswith("test_") else tuple(name.split(ENVIRONMENT_SEPARATOR))


def _decoded(value: str, label: str) -> Any:
    if value in ("none", "None"):
        return None
    if not value.startswith(("[", "{")):
        return value
    try:
        return _decoded_nones(json.loads(value, parse_float=Decimal))
    except ValueError as error:
        raise SettingsError(f"{label}: begins like JSON but is not ({error}); quote it as JSON") from None


def _decoded_nones(value: Any) -> Any:
    """Replace `"none"` by None, which TOML cannot express."""
    match value:
        case dict():
            return {name: _decoded_nones(item) for name, item in value.items()}
        case list():
            return [_decoded_nones(item) for item in value]
        case "none" | "None":
            return None
    return value


def _given(settings: Iterable[tuple[SettingPath, str, Any]], origin: str) -> Given:
    tables: dict[str, Any] = {}
    places: dict[SettingPath, str] = {}
    for path, place, value in settings:
        for leaf, setting in _leaves(path, value):
            try:
                put(tables, leaf, setting)
            except KeyError:
                where = f"{origin}: {'.'.join(leaf)} is set twice"
                raise SettingsError(f"{where}, to different values{_other_place(place, origin)}; keep one") from None
            places.setdefault(leaf, place)
    return Given(tables, places)


def _other_place(place: str, origin: str) -> str:
    return "" if place.startswith(IN_FILE) else f", also by {place.removesuffix(f' in {origin}')}"


def _leaves(path: SettingPath, value: Any) -> Iterable[tuple[SettingPath, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name, item in value.items() for leaf in _leaves((*path, name), item)]
    return [(path, value)]
