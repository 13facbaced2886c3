"""Repeatable randomness: a draw depends on the seed and its purpose, never on earlier draws."""

from __future__ import annotations

from hashlib import blake2b


class Chance:
    """Two venues with the same seed draw the same for the same purpose, also after a restart and in any order."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()

    def fraction(self, *purpose: object) -> float:
        """A number evenly distributed from 0 (included) to 1 (excluded)."""
        text = ":".join(str(part) for part in purpose)
        digest = blake2b(text.encode(), digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest) >> 11) / (1 << 53)

    def strikes(self, probability: float, *purpose: object) -> bool:
        return probability > 0 and self.fraction(*purpose) < probability
