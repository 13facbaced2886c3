"""The page of what callbacks are called with, what views hold and what lists are narrowed by: drawn from the classes themselves."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from types import ModuleType, NoneType
from typing import Any, get_args, get_origin
from uuid import UUID

from docs.api_reference import classes_of

from liveorder.application.reporting import views
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.read_model import Filter
from liveorder.domain.order.terms import OrderTerms
from liveorder.interfaces import callbacks

PAGE = """\
# Callbacks and views, field by field

Drawn from the classes by `docs/generate.py`; not written by hand. [Embedding](../embedding.md) tells how they are used.

## Callbacks

Plain functions or coroutine functions, given to `Runner.open` or added by the method of that name while it runs.

| callback | is called with | |
|---|---|---|
{callbacks}

## Lists and their filters

`runner.report(NAME, FILTER=…, newest=…)`; `orders`, `positions` and `account_positions` are methods as well, the last one without
`strategy_name`. Words are taken in any case, days and ids also as text. A filter that a list does not have is `InvalidInput`, and
so is a value of another type.

| list | filter | takes |
|---|---|---|
{filters}

## Views

Frozen. Numbers are exact; text in JSON, with as many digits as they have. Times are in UTC.
{views}"""

VIEW = """
### {name}

{about}

| field | is | |
|---|---|---|
{fields}
"""
_WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Decimal: "exact number",
    datetime: "time",
    date: "day",
    UUID: "UUID",
    Any: "anything",
    NoneType: "None",
}
_MOST_WORDS = 10
"""Of an enumeration that are shown."""


def fields_page() -> str:
    shown = classes_of(views, views.View)
    return PAGE.format(
        callbacks="\n".join(_callback(name) for name in ("OnFill", "OnStatus", "OnError")),
        filters="\n".join(_filter(model.name, each) for model in READ_MODELS for each in model.filters),
        views="".join(_view(each) for each in shown),
    )


def _callback(name: str) -> str:
    called_with, _ = get_args(getattr(callbacks, name))
    method = "on_" + name.removeprefix("On").lower()
    given = ", ".join(" or ".join(f"`{part.__name__}`" for part in get_args(each) or (each,)) for each in called_with)
    return f"| `{method}` | {given.replace('`NoneType`', 'None')} | {docstrings_of(callbacks)[name]} |"


def _filter(model: str, asked: Filter) -> str:
    takes = kind(asked.takes) if isinstance(asked.takes, type) else "text"
    return f"| `{model}` | `{asked.name}` | {takes}: {asked.help} |".replace("True", "true")


def _view(view: type[Any]) -> str:
    about = " ".join(inspect.cleandoc(view.__doc__ or "").split())
    meant = meanings(view)
    rows = [f"| `{name}` | {kind(field.annotation)} | {meant.get(name, '')} |" for name, field in view.model_fields.items()]
    rows += [
        f"| `{name}` | to read only | {' '.join((member.__doc__ or '').split())} |"
        for name, member in vars(view).items()
        if isinstance(member, property)
    ]
    return VIEW.format(name=view.__name__, about=about, fields="\n".join(rows))


def kind(annotation: Any) -> str:
    """A type in words."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    parts = [part for part in get_args(annotation) if part is not Ellipsis]
    match get_origin(annotation):
        case None if isinstance(annotation, type) and issubclass(annotation, StrEnum):
            words = [f"`{word}`" for word in annotation]
            return ", ".join(words) if len(words) <= _MOST_WORDS else f"a word of `{annotation.__name__}`"
        case None:
            return f"`{annotation.__name__}`" if isinstance(annotation, type) else str(annotation)
        case origin if origin is tuple:
            return f"tuple of {kind(parts[0])}"
        case origin if "Mapping" in str(origin) or origin is dict:
            return f"mapping of {kind(parts[0])} to {kind(parts[1])}"
        case origin if "Annotated" in str(origin):
            return kind(parts[0])
    return " or ".join(kind(part) for part in parts)


def meanings(view: type[Any]) -> dict[str, str]:
    """What the sources say beneath the fields of a view, those of its bases and, of an order's, of its terms."""
    found: dict[str, str] = {}
    for each in (OrderTerms, *reversed(view.__mro__)):
        if each.__module__.startswith("liveorder.") and each.__qualname__ != "_Asked":
            found |= docstrings_of(each)
    return found


def docstrings_of(of: type | ModuleType) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    body = tree if isinstance(of, ModuleType) else tree[0].body  # type: ignore[attr-defined]  # a class
    return dict(_documented(body))


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for one, other in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(other, ast.Expr) and isinstance(other.value, ast.Constant):
            yield ast.unparse(one.target), " ".join(str(other.value.value).split())
