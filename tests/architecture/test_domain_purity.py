"""The import contracts name what the domain must not import; this names all that it may."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src" / "domain").rglob("*.py"))

PURE = {
    "__future__",
    "abc",
    "base64",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "eventsourcing.domain",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "liveorder.domain",
    "math",
    "numbers",
    "operator",
    "msgspec",
    "pydantic",
    "pydantic_core",
    "re",
    "statemachine",
    "string",
    "types",
    "typing",
    "unicodedata",
    "uuid",
}
CLOCKS_AND_DICE = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "uuid.uuid1",
    "uuid.uuid4",
}


def module_id(path: Path) -> str:
    return path.relative_to(ROOT / "src").as_posix()


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_the_domain_imports_only_what_is_pure(path: Path) -> None:
    assert [name for name in imported_names(path) if not is_pure(name)] == []


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_the_domain_reads_no_clock_and_throws_no_dice(path: Path) -> None:
    used = {*imported_names(path), *dotted_names(path)}
    assert [name for name in used if ".".join(name.split(".")[-2:]) in CLOCKS_AND_DICE] == []


def is_pure(name: str) -> bool:
    return any(name == pure or name.startswith(f"{pure}.") for pure in PURE)


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
