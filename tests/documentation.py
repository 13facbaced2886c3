"""The pages that people read, and the snippets in them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCED = re.compile(r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """What stands between two fences. `page` is its path from the root, `number` counts the snippets of a page from 1."""

    page: str
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}-{self.number}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def snippets_of(page: Path) -> list[Snippet]:
    found = _FENCED.finditer(page.read_text(encoding="utf-8"))
    return [
        Snippet(name_of(page), number, each["language"], textwrap.dedent(each["text"]))
        for number, each in enumerate(found, start=1)
    ]


def prose_of(page: Path) -> str:
    """Without the snippets."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


SNIPPETS = {snippet.name: snippet for page in PAGES for snippet in snippets_of(page)}
