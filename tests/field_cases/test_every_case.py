"""The folder holds what it says: each case once, told by the test that shows it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.field_cases.cases import CASES

FOLDER = Path(__file__).parent
_TEST = re.compile(r"^(?:async )?def test_", re.MULTILINE)
_CLAIM = re.compile(r"Case (\d+) \(([^)]+)\): \S")


def told_cases() -> list[tuple[int, str]]:
    """Number and source of every case that a test's docstring claims, in no order."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("test_*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    docstrings = [ast.get_docstring(function) or "" for function in functions if function.name.startswith("test_")]
    return [(int(claim[1]), claim[2]) for docstring in docstrings if (claim := _CLAIM.match(docstring))]


def test_all_thirty_five_cases_are_there_exactly_once() -> None:
    assert sorted(told_cases()) == [(case.number, case.source) for case in CASES]
    assert [case.number for case in CASES] == list(range(1, 36))


def test_every_test_that_tells_a_story_says_which_case_it_is() -> None:
    stories = [path.read_text(encoding="utf-8") for path in FOLDER.glob("test_*.py") if path.name != Path(__file__).name]
    assert sum(len(_TEST.findall(story)) for story in stories) == len(told_cases())
