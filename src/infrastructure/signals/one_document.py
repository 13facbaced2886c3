"""Files that are one JSON document over many lines. Some of their lines look like signals, and none of it may be traded."""

from __future__ import annotations

import json
import re
from pathlib import Path

from liveorder.domain.errors import InvalidInput

_OPENING = re.compile(rb"\[\s*([\[{].*)?|\{.*[\[{]", re.DOTALL)
_MARK = b"\xef\xbb\xbf"


def opens_document(first_line: bytes) -> bool:
    """Whether a file's first line that is not blank begins an array, or an object around one. A brace alone is a torn line."""
    return _OPENING.fullmatch(first_line.removeprefix(_MARK).strip()) is not None


def goes_on(first_line: bytes) -> bool:
    """Whether the document that it begins does not end on it. An array of one line is a line that cannot be used, and no more."""
    return opens_document(first_line) and not _is_whole(first_line)


def refusal(source: Path | str) -> InvalidInput:
    """`source`: a file's path, or what else it is."""
    return InvalidInput(
        "signals",
        f"{source} is one JSON document and no JSON Lines; nothing of it was traded",
        "write one object a line, without brackets and commas around them, as `jq -c '.[]' FILE` does of an array",
    )


def _is_whole(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
