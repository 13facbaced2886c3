"""What must not be shown: values of secret names, known secrets inside other text, passwords inside URLs."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from pydantic import SecretStr

MASK = "**********"

_SECRET_NAME = re.compile(r"token|secret|key|passw|passphrase|credential|authorization|cookie", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)|([?&](?:password|sslpassword)=)[^\s&]+")
_SHORTEST_SECRET = 4
"""Characters. Masking a shorter one inside other text would hide half of the text and tell the secret by its gaps."""


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether what goes by this name is not to be shown. Errs on the side of hiding."""
    return _SECRET_NAME.search(name) is not None


class Censor:
    """Blots known secrets out of text."""

    def __init__(self, secrets: Collection[SecretStr] = ()) -> None:
        known = {secret.get_secret_value() for secret in secrets}
        longest_first = sorted((text for text in known if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        without = _URL_PASSWORD.sub(rf"\1\2{MASK}", text) if "://" in text else text
        return without if self._known is None else self._known.sub(MASK, without)
