"""What is wrong with settings, in words: which one, what is wrong, and where to correct it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from liveorder.domain.errors import SettingsError
from liveorder.domain.visible_text import visible
from liveorder.infrastructure.secrecy import is_secret_name
from liveorder.infrastructure.settings.names import TRADER_NAMES, SettingPath, environment_name, nearest_setting, setting_paths
from liveorder.infrastructure.settings.sections import AccountSettings, NotifierUrl, PublisherUrl, SourceUrl, SpecialSession
from liveorder.infrastructure.settings.sources import IN_FILE, Given

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_A_TABLE = "is a table: write its settings in it, each by its name"
_PLAINLY: Mapping[str, str] = {
    "missing": "is missing",
    "finite_number": 'not a finite number: write one, or "none" where there is to be no limit',
    "tuple_type": 'not a list: write values in brackets, as in ["A", "B"]',
    "frozen_set_type": 'not a list: write values in brackets, as in ["SPY", "QQQ"]',
    "model_type": _A_TABLE,
    "dict_type": _A_TABLE,
    "int_parsing": "not a whole number",
    "int_type": "not a whole number",
    "int_from_float": "not a whole number",
    "decimal_parsing": "not a number",
    "decimal_type": "not a number",
    "float_parsing": "not a number",
    "float_type": "not a number",
    "bool_parsing": "neither true nor false",
    "bool_type": "neither true nor false",
    "string_type": "not text: put it in quotes",
    "path_type": "not a path: put it in quotes",
}
"""By pydantic's kind of error, where its own words are for programmers."""
_TABLES: Mapping[str, type[BaseModel]] = {
    "accounts": AccountSettings,
    "sources": SourceUrl,
    "publishers": PublisherUrl,
    "notifiers": NotifierUrl,
    "special_sessions": SpecialSession,
}
_LENGTH_IN_LIST = 3
"""Of a path such as accounts.0.currency."""
_LISTS_OF_TABLES = frozenset({*_TABLES, "strategies", "symbols"})
_MISSING: Mapping[tuple[str, str], str] = {
    ("accounts", "id"): "is missing: each of [[accounts]] needs one, the name by which signals call it",
}


def explained(error: ValidationError, model: type[BaseModel], sources: Sequence[Given]) -> SettingsError:
    """Everything that is wrong, each setting once. `sources`: those that count first are first."""
    by_place = {each["loc"]: each for each in reversed(error.errors(include_url=False))}
    return all_of([_sentence(each, model, sources) for each in reversed(by_place.values())])


def all_of(problems: Sequence[str]) -> SettingsError:
    """One error for one problem or several."""
    if len(problems) == 1:
        return SettingsError(problems[0])
    numbered = (f"({number}) {problem}" for number, problem in enumerate(problems, 1))
    return SettingsError(f"{len(problems)} settings cannot be used: {'; '.join(numbered)}")


def _sentence(error: ErrorDetails, model: type[BaseModel], sources: Sequence[Given]) -> str:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    dotted, place = ".".join(path), next((found for each in sources if (found := each.place_of(path)) is not None), None)
    if error["type"] in _UNKNOWN:
        return _of_unknown(path, place, model)
    is_shown = model.model_fields[path[0]].repr and not is_secret_name(dotted) and _holds_no_secret(error)
    shown = f"{dotted} = {visible(str(error['input']))[:60]}" if is_shown and error["type"] != "missing" else dotted
    is_in_file = place is not None and place.startswith(IN_FILE)
    variable = f" or in {environment_name(path)}" if is_in_file and path in setting_paths(model) else ""
    return f"{shown}: {_problem(error, path)}; correct {place or 'it'}{variable}"


def _of_unknown(path: SettingPath, place: str | None, model: type[BaseModel]) -> str:
    """A variable that is itself unknown is named as it is written, and so is the one that was meant."""
    meant, variable = _meant(path, model), None if place is None or place.startswith(IN_FILE) else place
    is_itself = variable is not None and variable.partition(" in ")[0].lower().endswith(path[-1].lower())
    if meant is not None and is_itself:
        meant = meant.upper() if meant in TRADER_NAMES else environment_name(tuple(meant.split(".")))
    hint = "see `liveorder init` for all settings" if meant is None else f"did you mean {meant}?"
    where = f" Correct {variable}" if variable is not None and not is_itself else ""
    return f"{variable if is_itself else '.'.join(path)}: no such setting; {hint}{where}"


def _meant(path: SettingPath, model: type[BaseModel]) -> str | None:
    """In a table of a list another name of that table, else any setting."""
    names = _TABLES[path[0]].model_fields if len(path) == _LENGTH_IN_LIST and path[0] in _TABLES else {}
    close = difflib.get_close_matches(path[-1].lower(), names, n=1)
    return close[0] if close else nearest_setting(path[-1], model)


def _problem(error: ErrorDetails, path: SettingPath) -> str:
    if error["type"] == "missing" and (path[0], path[-1]) in _MISSING:
        return _MISSING[path[0], path[-1]]
    if error["type"] == "tuple_type" and path[-1] in _LISTS_OF_TABLES:
        return (
            f"not a list of tables: write [[{'.'.join(part for part in path if not part.isdigit())}]], in two brackets, above each"
        )
    problem = _PLAINLY.get(error["type"], error["msg"].removeprefix("Value error, "))
    return problem[:1].lower() + problem[1:]


def _holds_no_secret(error: ErrorDetails) -> bool:
    """False for a table, which may contain anything, for a value in place of a table, and for anything like an address."""
    value = error["input"]
    is_single = not isinstance(value, dict | list | tuple) and error["type"] not in ("model_type", "dict_type", "tuple_type")
    return is_single and not re.search("[@=]|://", str(value))
