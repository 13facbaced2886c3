"""The folder holds what it says: each case, told by the tests that show it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.field_cases.cases import CASES

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
FIRST = 35
"""So many were shown by one test each before the others came."""
_TEST = re.compile(r"^(?:async )?def test_", re.MULTILINE)
_CLAIM = re.compile(r"Case (\d+) \(([^)]+)\): \S")


def told_cases() -> list[tuple[int, str]]:
    """Number and source of every case that a test's docstring claims, in no order."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("test_*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    docstrings = [ast.get_docstring(function) or "" for function in functions if function.name.startswith("test_")]
    return [(int(claim[1]), claim[2]) for docstring in docstrings if (claim := _CLAIM.match(docstring))]


def test_each_of_the_first_cases_is_there_exactly_once() -> None:
    first = [(case.number, case.source) for case in CASES if case.number <= FIRST]
    assert sorted(told for told in told_cases() if told[0] <= FIRST) == first
    assert [case.number for case in CASES] == list(range(1, len(CASES) + 1))


def test_each_later_case_is_there_unless_it_is_shown_elsewhere() -> None:
    here = {(case.number, case.source) for case in CASES if case.number > FIRST and case.elsewhere is None}
    assert {told for told in told_cases() if told[0] > FIRST} == here


@pytest.mark.parametrize("elsewhere", [case.elsewhere for case in CASES if case.elsewhere is not None])
def test_what_is_shown_elsewhere_is_there(elsewhere: str) -> None:
    file, _, name = elsewhere.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_every_test_that_tells_a_story_says_which_case_it_is() -> None:
    stories = [path.read_text(encoding="utf-8") for path in FOLDER.glob("test_*.py") if path.name != Path(__file__).name]
    assert sum(len(_TEST.findall(story)) for story in stories) == len(told_cases())
