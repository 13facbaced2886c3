"""Masking secrets: values of secret names, known secrets inside other text, passwords inside URLs."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote

from pydantic import SecretStr

MASK = "**********"

_SECRET_NAME = re.compile(r"token|secret|key|passw|passphrase|passfile|credential|authorization|cookie", re.IGNORECASE)
_SCHEME_END = re.compile(r"://+|:/(?=.*:.*@)", re.DOTALL)
"""A URL that went through a path keeps one slash. `file:/home/bob@desk` is not such a URL."""
_ADDRESS = re.compile(r"://|:.*@", re.DOTALL)
_CREDENTIALS = re.compile(r"(?P<user>[^\s:/?#@]*)(?P<password>:[^\s/?@]*)?")
_PARAMETER = re.compile(r"(?<=[?&])([^\s?&=]{1,64})=[^\s&]*")
_KEYWORD = re.compile(r"(?<![?&\w])(passw\w*|sslpassw\w*|passfile)\s*=.*", re.IGNORECASE | re.DOTALL)
_SHORTEST_SECRET = 4
"""In characters. Masking a shorter secret inside other text would hide half of the text and reveal the secret by its gaps."""


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether a value of this name must be hidden. Hides too much rather than too little."""
    return _SECRET_NAME.search(name) is not None


class Censor:
    """Masks known secrets in text, and credentials inside addresses.

    If an address cannot be parsed, nobody can say where its password ends, so the rest of the text is hidden.
    """

    def __init__(self, secrets: Collection[SecretStr] = ()) -> None:
        known = {form for secret in secrets for form in _forms(secret.get_secret_value())}
        longest_first = sorted((text for text in known if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        known_hidden = text if self._known is None else self._known.sub(MASK, text)
        return _KEYWORD.sub(rf"\1={MASK}", _PARAMETER.sub(_masked_parameter, _without_credentials(known_hidden)))


def _forms(secret: str) -> tuple[str, ...]:
    """As it is, and as `repr`, JSON and URLs write it."""
    return (
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
    )


def no_path(text: str) -> str | None:
    """Why this text is not a path: it may be a URL with a password, which must not be shown. None for a path."""
    if _ADDRESS.search(text) is None and Censor()(text) == text:
        return None
    return "this looks like a URL, not a path, and is not shown here, because it may contain a password; name a file or a folder"


def _without_credentials(text: str) -> str:
    """Hides credentials. If one of several addresses in a text has credentials, all but the last are hidden."""
    mark = _SCHEME_END.search(text)
    if mark is None:
        return text
    scheme, rest = text[: mark.end()], text[mark.end() :]
    at = rest.rfind("@")
    while at >= 0 and rest[at + 1 : at + 2].isspace():  # as in "100 @ 235.15"
        at = rest.rfind("@", 0, at)
    if at < 0:
        return text
    found = _CREDENTIALS.fullmatch(rest, 0, at)
    if found is None:
        return f"{scheme}{MASK}"
    user = f"{found['user']}:" if found["password"] else ""
    return f"{scheme}{user}{MASK}{rest[at:]}"


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={MASK}" if is_secret_name(found[1]) else found[0]
