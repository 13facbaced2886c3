"""What a program asks the lists for: right and wrong filters of every read model, all of them made from the models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveorder import ThreadedRunner
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.read_model import Filter
from liveorder.application.reporting.read_models import Query
from liveorder.domain.errors import InvalidInput
from tests.interfaces.test_runner import settings

VALUES: dict[str, object] = {
    "a text": "x",
    "an empty text": "",
    "an integer": 3,
    "a float": 2.5,
    "a decimal": Decimal(1),
    "a truth value": True,
    "a day": date(2025, 3, 10),
    "a time": datetime(2025, 3, 10, tzinfo=UTC),
    "an id": UUID(int=1),
    "bytes": b"x",
    "a list": ["x"],
    "a mapping": {"x": 1},
    "a class": object,
}
RIGHT: dict[object, set[str]] = {
    str: {"a text", "an empty text"},
    date: {"a day"},
    bool: {"a truth value"},
    UUID: {"an id"},
}
"""By what a filter takes; of the others (words, functions of a text) none of the values above is right."""
LISTS: dict[str, tuple[Filter, ...]] = {model.name: model.filters for model in READ_MODELS}
CASES = [(name, asked, kind) for name, filters in LISTS.items() for asked in filters for kind in VALUES]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedRunner]:
    with ThreadedRunner(**settings(tmp_path_factory.mktemp("queries"))) as opened:
        opened.wait_closed(opened.buy("BTC/USD", "0.01", signal_id="a").order_id, 30)
        yield opened


@pytest.mark.parametrize(("name", "asked", "kind"), CASES, ids=[f"{name}-{asked.name}-{kind}" for name, asked, kind in CASES])
def test_a_filter_takes_what_it_is_for_and_names_itself_otherwise(
    runner: ThreadedRunner, name: str, asked: Filter, kind: str
) -> None:
    for ask in _ways(runner, name, asked.name):
        if kind in RIGHT.get(asked.takes, ()):
            assert isinstance(ask(**{asked.name: VALUES[kind]}), Sequence)
            continue
        with pytest.raises(InvalidInput) as refused:
            ask(**{asked.name: VALUES[kind]})
        assert refused.value.field == asked.name
        assert refused.value.remedy


def _ways(runner: ThreadedRunner, name: str, asked: str) -> list[Callable[..., Sequence[Any]]]:
    """By its name, and by the methods that list the same."""
    own: dict[str, list[Callable[..., Sequence[Any]]]] = {
        "orders": [runner.orders],
        "positions": [runner.positions, *([] if asked == "strategy_name" else [runner.account_positions])],
    }
    return [partial(runner.report, name), *own.get(name, [])]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("newest", ["x", "5", 0, -1, 2.5, True, Decimal(2), [1], 2**70])
def test_how_many_are_wanted_is_a_whole_number_above_zero(runner: ThreadedRunner, name: str, newest: Any) -> None:
    for ask in _ways(runner, name, "newest"):
        with pytest.raises(InvalidInput, match=r"newest: .* is not a number of rows; give a whole number above 0"):
            ask(newest=newest)


@pytest.mark.parametrize("name", LISTS)
def test_every_filter_misspelt_is_refused_with_the_one_that_was_meant(runner: ThreadedRunner, name: str) -> None:
    for ask in _ways(runner, name, ""):
        for asked in LISTS[name]:
            for value in ("x", None):  # None asks for nothing, and is no excuse for a wrong name
                with pytest.raises(InvalidInput, match=f"^{asked.name}x: .*; did you mean '{asked.name}'"):
                    ask(**{f"{asked.name}x": value})
        for other in ("others", "filters", "zzz"):
            with pytest.raises(InvalidInput, match=f"^{other}: {name} cannot be searched by it; use one of "):
                ask(**{other: "x"})


@pytest.mark.parametrize("name", LISTS)
def test_a_filter_of_other_lists_is_refused_with_those_that_this_one_has(runner: ThreadedRunner, name: str) -> None:
    known = {asked.name for asked in LISTS[name]}
    for other in {each.name for each in fields(Query)} - known - {"newest", "others"}:
        with pytest.raises(InvalidInput, match=f"^{other}: {name} cannot be searched by it; "):
            runner.report(name, **{other: "x"})


@pytest.mark.parametrize(
    ("name", "asked"), [(name, asked) for name, filters in LISTS.items() for asked in filters if isinstance(asked.takes, type)]
)
def test_a_word_is_taken_in_any_case_and_a_day_or_an_id_as_text(runner: ThreadedRunner, name: str, asked: Filter) -> None:
    if issubclass(asked.takes, StrEnum):  # type: ignore[arg-type]  # a type, by the parameters above
        for word in asked.takes:  # type: ignore[union-attr]  # an enum
            as_member = runner.report(name, **{asked.name: word})
            assert runner.report(name, **{asked.name: word.lower()}) == runner.report(name, **{asked.name: str(word)}) == as_member
        with pytest.raises(InvalidInput, match=f"^{asked.name}: .*; did you mean"):
            runner.report(name, **{asked.name: f"{next(iter(asked.takes))}X"})  # type: ignore[call-overload]  # an enum
    elif asked.takes is date:
        (row,) = runner.report(name)
        assert runner.report(name, **{asked.name: row.session_date.isoformat()}) == [row]
    elif asked.takes is UUID:
        (order,) = runner.orders()
        rows = runner.report(name, **{asked.name: order.order_id})
        assert rows == runner.report(name, **{asked.name: str(order.order_id).upper()}) == runner.report(name)


@pytest.mark.parametrize("name", ["fils", "", 5, None, "Fills ", ["fills"]])
def test_a_list_that_there_is_none_of_is_refused(runner: ThreadedRunner, name: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^report: there is no .*; (did you mean 'fills'|use one of orders, )"):
        runner.report(name)


def test_what_a_method_says_it_filters_by_is_what_it_filters_by(runner: ThreadedRunner, tmp_path: Path) -> None:
    (order,) = runner.orders(symbol="BTC/USD", status="FILLED", newest=1)
    assert runner.orders(symbol="ETH/USD") == runner.orders(status="CANCELLED") == []
    assert [held.symbol for held in runner.account_positions(is_open=True)] == ["BTC/USD"]
    assert runner.account_positions(is_open=False) == runner.account_positions(status="closed") == []
    assert [fill.order_id for fill in runner.report("fills", newest=1)] == [order.order_id]
