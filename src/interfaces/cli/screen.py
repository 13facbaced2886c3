"""Where output goes, and text from data made harmless before it gets there.

Nothing that a signal, a broker or a settings file says is ever read as markup, and no control character of it is printed.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from liveorder.domain.visible_text import visible


def screen(*, errors: bool = False) -> Console:
    """Standard output, or standard error. 80 columns wide where it is no terminal and COLUMNS does not say otherwise."""
    return Console(stderr=errors, markup=False, highlight=False, emoji=False)


def shown(value: object, style: str = "") -> Text:
    """Text as it is: brackets stay brackets, and what does not print becomes its escape."""
    return Text(visible(str(value)), style)


def say(sentence: str, style: str = "") -> None:
    """One line for people, wrapped between words where it must be."""
    screen().print(shown(sentence, style))


def suggest(command: str) -> None:
    """A command on a line of its own, never broken, so that it can be copied."""
    screen().print(shown(f"  {command}", "cyan"), soft_wrap=True)


def print_json(value: Any) -> None:
    """For machines: plain ASCII, so that no terminal obeys anything in it. `value` is JSON-ready."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def print_csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """For spreadsheets: `rows` are JSON-ready; what is no text stands as JSON, and text without control characters."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_in_csv(row[name]) for name in names] for row in rows)
    sys.stdout.flush()


def _in_csv(value: Any) -> str:
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else json.dumps(value)
