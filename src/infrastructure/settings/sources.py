"""Reading settings from the environment, a `.env` file and a TOML file. Each yields nested tables with the settings' own names."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.names import (
    ENVIRONMENT_PREFIX,
    ENVIRONMENT_SEPARATOR,
    TRADER_NAMES,
    SettingPath,
    put,
)

CONFIG_VARIABLE = "LIVEORDER_CONFIG"
DEFAULT_CONFIG = Path("liveorder.toml")
DOTENV = Path(".env")
NOT_SETTINGS = frozenset({"config", "traceback", "require_services", "fix_matrices", "money_examples"})
"""Names, after the prefix, of our variables that are not settings. The last three, and those that begin with `test_`, are for
tests.
"""


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


def from_variables(variables: Mapping[str, str | None], origin: str) -> dict[str, Any]:
    """The settings in environment variables. A variable that is neither a trader's name nor begins with LIVEORDER_ is ignored.

    An empty value counts as unset, `none` as None, and a value that begins with a bracket is JSON.
    """
    settings = ((path, name, value) for name, value in variables.items() if value and (path := _path_of(name.lower())) is not None)
    return _tables(((path, name, _decoded(value, f"{origin}: {name}")) for path, name, value in settings), origin)


def from_dotenv(path: Path) -> dict[str, Any]:
    """The settings in a `.env` file. Empty if there is none."""
    return from_variables(dotenv_values(path, interpolate=False), str(path)) if path.is_file() else {}


def from_toml(path: Path, *, is_required: bool) -> dict[str, Any]:
    """The settings in a TOML file, with exact numbers. Raises `SettingsError` if a required file is missing, or if it is not
    TOML.
    """
    if not is_required and not path.exists():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}; `liveorder init` writes a new settings file") from None
    lowered = ((name.lower(), _decoded_nones(value)) for name, value in document.items())
    return _tables(((TRADER_NAMES.get(name, (name,)), name, value) for name, value in lowered), str(path))


def _path_of(variable: str) -> SettingPath | None:
    if variable in TRADER_NAMES:
        return TRADER_NAMES[variable]
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


def _tables(settings: Iterable[tuple[SettingPath, str, Any]], origin: str) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for path, name, value in settings:
        for leaf, setting in _leaves(path, value):
            try:
                put(tables, leaf, setting)
            except KeyError:
                raise SettingsError(
                    f"{origin}: {'.'.join(leaf)} is set twice, also in {name}, to different values; keep one"
                ) from None
    return tables


def _leaves(path: SettingPath, value: Any) -> Iterable[tuple[SettingPath, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name, item in value.items() for leaf in _leaves((*path, name), item)]
    return [(path, value)]
