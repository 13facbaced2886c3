"""What code of somebody else's imports is a place that stays: the examples import nothing else."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest
from docs.api_reference import SHOWN

from liveorder import plugins
from tests.documentation import ROOT

PLACES = ("liveorder", "liveorder.plugins", "liveorder.plugins.http")
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_imports_public_places_alone(path: Path) -> None:
    imported = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.partition(".")[0] == "liveorder"
        for alias in node.names
    }
    inner = {(module, name) for module, name in imported if not is_public(module, name)}
    assert inner == set()


def is_public(module: str, name: str) -> bool:
    """`liveorder.testing` is public as a whole: it is there for tests of one's own."""
    if module.startswith("liveorder.testing."):
        return True
    return module in PLACES and name in import_module(module).__all__


def test_every_port_of_the_reference_is_exported_in_one_place() -> None:
    missing = {documented.__name__ for documented in SHOWN["docs/reference/ports"]} - {*plugins.__all__}
    assert missing == set()


def test_a_name_is_exported_once_and_leads_to_something() -> None:
    assert len(set(plugins.__all__)) == len(plugins.__all__)
    assert [name for name in plugins.__all__ if not hasattr(plugins, name)] == []
