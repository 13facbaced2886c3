"""The command of each read model: lists its rows, with its filters, as a table, JSON or CSV."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from liveorder.application.reporting.projections.read_model import Filter, ReadModel, V
from liveorder.application.reporting.read_models import Query
from liveorder.bootstrap import Settings, StoreReader, open_reader
from liveorder.domain.errors import InvalidInput
from liveorder.interfaces.cli.listings import print_list
from liveorder.interfaces.cli.options import AsCsv, AsJson, Config, Newest, Store, a_day, settings_for
from liveorder.interfaces.cli.screen import print_csv, print_json

T = TypeVar("T")
Command = Callable[..., None]


def list_command(model: ReadModel[Any, V], show: Callable[[Sequence[V]], None] | None = None) -> Command:
    """Make the command. `show` prints the rows if people see more than their table."""

    def command(config: Config, store: Store, as_json: bool, as_csv: bool, newest: int | None, **options: Any) -> None:
        check_form(as_json=as_json, as_csv=as_csv)
        wanted = query_of(model, newest, options)
        rows = read(settings_for(config, store), lambda reader: reader.listed(model, wanted))
        print_rows(model.view, rows, show or partial(print_list, model), as_json=as_json, as_csv=as_csv)

    described = {"config": (Config, None), "store": (Store, None), "as_json": (AsJson, False), "as_csv": (AsCsv, False)}
    described |= {each.name: _option(each) for each in model.filters} | {"newest": (Newest, None)}
    return described_by(command, described, model.about)


def check_form(*, as_json: bool, as_csv: bool) -> None:
    """Raises `InvalidInput` where both are asked for."""
    if as_json and as_csv:
        raise InvalidInput("csv", "cannot be combined with json", "leave one of them out")


def query_of(model: ReadModel[Any, Any], newest: int | None, options: Mapping[str, Any]) -> Query:
    """What the options ask for. Raises `InvalidInput`."""
    given = [(each, options[each.name]) for each in model.filters]
    chosen = {each.name: _value(each, value) for each, value in given if value is not None and value is not False}
    return Query.of(newest=newest, **chosen)


def print_rows(view: type[V], rows: Sequence[V], show: Callable[[Sequence[V]], None], *, as_json: bool, as_csv: bool) -> None:
    """`show` prints them for people."""
    if as_json:
        print_json([row.to_dict() for row in rows])
    elif as_csv:
        print_csv(list(view.model_fields), [row.to_dict() for row in rows])
    else:
        show(rows)


def described_by(command: Command, parameters: dict[str, tuple[Any, Any]], about: str) -> Command:
    """The same function with a signature for Typer: each parameter with its type and default."""
    command.__doc__ = about
    command.__annotations__ = {name: kind for name, (kind, _) in parameters.items()}
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = [inspect.Parameter(name, keyword, default=default, annotation=kind) for name, (kind, default) in parameters.items()]
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]  # read by `inspect`, unknown to the types
    return command


def read(settings: Settings, question: Callable[[StoreReader], Awaitable[T]]) -> T:
    """Ask the store, after bringing its read models level with the log."""

    async def ask() -> T:
        async with open_reader(settings) as reader:
            return await question(reader)

    return asyncio.run(ask())


def _option(asked: Filter) -> tuple[Any, Any]:
    """The option's type for Typer, and its default."""
    if asked.takes is bool:
        return Annotated[bool, typer.Option(asked.option, help=asked.help)], False
    if isinstance(asked.takes, type) and issubclass(asked.takes, StrEnum):
        return Annotated[asked.takes | None, typer.Option(asked.option, case_sensitive=False, help=asked.help)], None
    kind = int if asked.takes is int else str
    metavar = "YYYY-MM-DD" if asked.takes is date else None
    return Annotated[kind | None, typer.Option(asked.option, metavar=metavar, help=asked.help)], None


def _value(asked: Filter, given: Any) -> object:
    """The option's value. Raises `InvalidInput`."""
    if not isinstance(given, str) or isinstance(given, StrEnum):
        return given
    if asked.takes is date:
        return a_day(given, asked.option)
    try:
        return asked.takes(given)
    except ValueError as error:
        raise InvalidInput(asked.option, f"{given!r} cannot be read: {error}", "see --help") from None
