"""Chance that can be replayed: what is drawn depends on the seed and on what it is for, never on what was drawn before."""

from __future__ import annotations

from hashlib import blake2b


class Chance:
    """Two venues with one seed draw the same for the same purpose, also after a restart and in any order of asking."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()

    def fraction(self, *purpose: object) -> float:
        """Evenly spread over 0 (included) to 1 (excluded)."""
        text = ":".join(str(part) for part in purpose)
        digest = blake2b(text.encode(), digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest) >> 11) / (1 << 53)

    def strikes(self, probability: float, *purpose: object) -> bool:
        return probability > 0 and self.fraction(*purpose) < probability
