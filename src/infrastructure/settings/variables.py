"""`${NAME}` in settings for packages: a variable of the environment or of `.env`, whose value is a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.settings.sources import DOTENV, dotenv_variables

VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


def filled_in(value: Any, field: str) -> Any:
    """The value in plain text with all variables replaced, also in tables and lists. Raises `SettingsError` for an unset
    variable.
    """
    match value:
        case SecretStr():
            return filled_in(value.get_secret_value(), field)
        case str():
            return VARIABLE.sub(lambda found: _value_of(found[1], field), value)
        case dict():
            return {name: filled_in(item, f"{field}.{name}") for name, item in value.items()}
        case list() | tuple():
            return [filled_in(item, field) for item in value]
    return value


def variables_in(value: Any) -> Iterator[SecretStr]:
    """The values of the variables that are set."""
    match value:
        case SecretStr():
            yield from variables_in(value.get_secret_value())
        case str():
            yield from (SecretStr(text) for name in VARIABLE.findall(value) if (text := _variable(name)))
        case dict():
            yield from variables_in(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from variables_in(item)


def _value_of(name: str, field: str) -> str:
    text = _variable(name)
    if not text:
        raise SettingsError(f"{field}: ${{{name}}} is not set; set {name} in the environment or in {DOTENV}")
    return text


def _variable(name: str) -> str | None:
    return os.environ.get(name) or dotenv_variables(DOTENV).get(name)
