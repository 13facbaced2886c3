"""Detecting files that are one JSON document over many lines. Some of their lines look like signals, but none may be traded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from liveorder.domain.errors import InvalidInput

_OPENING = re.compile(rb"\[\s*([\[{].*)?|\{.*[\[{]", re.DOTALL)
_MARK = b"\xef\xbb\xbf"


def opens_document(first_line: bytes) -> bool:
    """Whether a file's first non-blank line begins an array, or an object around one. A lone brace is an incomplete line."""
    return _OPENING.fullmatch(first_line.removeprefix(_MARK).strip()) is not None


def goes_on(first_line: bytes) -> bool:
    """Whether the line begins a document that continues on the next line. An array on one line is just one unusable line."""
    return opens_document(first_line) and not _is_whole(first_line)


def refusal(source: Path | str) -> InvalidInput:
    """The error for such a file. `source`: its path or a description."""
    return InvalidInput(
        "signals",
        f"{source} is one JSON document, not JSON Lines; nothing of it was traded",
        "write one object per line, without brackets and commas around them, as `jq -c '.[]' FILE` does of an array",
    )


def _is_whole(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
