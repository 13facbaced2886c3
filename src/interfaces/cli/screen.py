"""Terminal output. External text is escaped before it is printed.

Text from a signal, a broker or a settings file is never interpreted as markup, and none of its control characters is printed.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from liveorder.domain.visible_text import visible

_BEGINS_A_FORMULA = {"=", "+", "-", "@"}
_NUMBER = re.compile(r"[+-]?[0-9.]+")


def screen(*, errors: bool = False) -> Console:
    """The console for standard output or standard error. 80 columns wide if it is no terminal and COLUMNS is not set."""
    return Console(stderr=errors, markup=False, highlight=False, emoji=False)


def shown(value: object, style: str = "") -> Text:
    """Literal text: brackets stay brackets, and unprintable characters are escaped."""
    return Text(visible(str(value)), style)


def say(sentence: str, style: str = "") -> None:
    """Print one line for people, wrapped between words."""
    screen().print(shown(sentence, style))


def suggest(command: str) -> None:
    """Print a command on its own line, unwrapped, so that it can be copied."""
    screen().print(shown(f"  {command}", "cyan"), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON for machines, as plain ASCII, so that no terminal interprets any of it. `value` is JSON-ready."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


def print_csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """For spreadsheets: `rows` are JSON-ready; what is no text stands as JSON, and text without control characters."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_in_csv(row[name]) for name in names] for row in rows)
    sys.stdout.flush()


def _in_csv(value: Any) -> str:
    """Text that a spreadsheet would take for a formula gets an apostrophe, which makes it text there; a number is none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value)
    text = visible(value)
    return f"'{text}" if text[:1] in _BEGINS_A_FORMULA and _NUMBER.fullmatch(text) is None else text
