"""What the documentation names is there: files, headings, modules, commands, options, make targets."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from liveorder.bootstrap.brokerages import BROKERS
from liveorder.bootstrap.doors import NOTIFIERS, PUBLISHERS, SOURCES
from liveorder.bootstrap.projections import PROJECTIONS
from liveorder.interfaces.cli.main import app
from tests.documentation import PAGES, ROOT, name_of, prose_of

RECORDS = [page for page in PAGES if page.parent.name == "adr" or page.name == "CHANGELOG.md"]
"""Pages that say what was: names in them may be of then."""
TODAY = [page for page in PAGES if page not in RECORDS]
COMMANDS = get_command(app)
ENTRY_POINTS = {registry.group for registry in (BROKERS, SOURCES, PUBLISHERS, NOTIFIERS, PROJECTIONS)}
"""Groups, which are named as modules are."""
_LINK = re.compile(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_DOTTED = re.compile(r"liveorder(\.(?!toml|db)\w+)+")
_PATH = re.compile(r"(src|tests|docs|examples|dev)/[\w./]+")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    """Relative links alone, as a host of repositories resolves them."""
    assert [link for link in links_of(page) if not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("page", TODAY, ids=name_of)
def test_a_module_a_class_or_a_file_that_is_named_is_there(page: Path) -> None:
    code = codes_of(page)
    dotted = {each for each in code if _DOTTED.fullmatch(each)}
    paths = {each for each in code if _PATH.fullmatch(each)}
    missing = [each for each in dotted - ENTRY_POINTS if not is_importable(each)]
    assert sorted([*missing, *(each for each in paths if not is_there(each))]) == []


@pytest.mark.parametrize("page", TODAY, ids=name_of)
def test_a_command_that_is_shown_is_one_with_its_options(page: Path) -> None:
    shown = {each for each in codes_of(page) if each.startswith("liveorder ")}
    assert sorted(each for each in shown if wrong_part(each.split()[1:])) == []


@pytest.mark.parametrize("page", TODAY, ids=name_of)
def test_a_make_target_that_is_shown_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {found[1] for each in codes_of(page) if (found := re.match(r"make ([\w-]+)", each))}
    assert shown - targets == set()


def test_every_page_is_in_the_navigation() -> None:
    listing = [ROOT / "docs" / name for name in ("README.md", "adr/README.md", "reference/README.md")]
    listed = {(page.parent / link).resolve() for page in listing for link in links_of(page)}
    assert [name_of(page) for page in PAGES if page not in listed and page != listing[0]] == []


def test_each_line_of_what_is_not_protected_names_one_test_that_is_there() -> None:
    page = ROOT / "docs" / "what-it-does-not-protect-against.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ") and not line.startswith("| what")]
    named = [re.fullmatch(r"\| .+ \| `(tests/\S+\.py)::(test_\w+)` \|", row) for row in rows]
    assert rows
    assert [row for row, found in zip(rows, named, strict=True) if found is None] == []
    places = [(ROOT / found[1], found[2]) for found in named if found is not None]
    assert [name for path, name in places if not re.search(rf"^(async )?def {name}\(", path.read_text(), re.MULTILINE)] == []
    assert len(set(places)) == len(places)


def links_of(page: Path) -> list[str]:
    return [link for link in _LINK.findall(prose_of(page)) if "://" not in link]


def codes_of(page: Path) -> list[str]:
    """What stands between backticks."""
    return _CODE.findall(prose_of(page))


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.is_file() and (not anchor or anchor in anchors_of(target))


def anchors_of(page: Path) -> set[str]:
    """As hosts of repositories make them: lower case, hyphens for spaces, without punctuation."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in _HEADING.findall(prose_of(page))}


def is_importable(dotted: str) -> bool:
    """A module, or what is reached from one by attributes."""
    for name, rest in splits(dotted):
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        for attribute in rest:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def splits(dotted: str) -> Iterator[tuple[str, list[str]]]:
    """The longest module first."""
    parts = dotted.split(".")
    return ((".".join(parts[:end]), parts[end:]) for end in range(len(parts), 0, -1))


def is_there(path: str) -> bool:
    """`NAME` and `NNNN` stand for any; a module may be named without its suffix."""
    if re.search(r"[A-Z]{4}", path):
        return True
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def wrong_part(words: list[str]) -> str | None:
    """The first word that is no command, or no option of its command."""
    command: Any = COMMANDS
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        found = command.get_command(None, words[0])
        if found is None:
            return words[0]
        command, words = found, words[1:]
    options = {
        option for parameter in [*command.params, *COMMANDS.params] for option in [*parameter.opts, *parameter.secondary_opts]
    }
    return next((word for word in words if word.startswith("--") and word not in {*options, "--help", "--version"}), None)
