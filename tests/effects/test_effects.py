"""A field of the settings or of a signal that does nothing is a defect: each has a row that shows what it does.

The paths are made from the models, so that a new field without a row fails here. `make mutations` shows that each row fails where
its field is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.effects.fields import every_field
from tests.effects.rows import ROWS, WAITING
from tests.memory import folder_in_memory


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with folder_in_memory() as made:
        monkeypatch.chdir(made)
        yield made
        monkeypatch.undo()


@pytest.mark.parametrize("path", [path for path in every_field() if path not in WAITING])
def test_a_field_does_what_its_row_says(path: str, folder: Path) -> None:
    assert path in ROWS, f"{path} has no row: what does it do?"
    ROWS[path].check(folder)


def test_there_is_no_row_of_a_field_that_is_gone() -> None:
    assert {*ROWS, *WAITING} == set(every_field())
