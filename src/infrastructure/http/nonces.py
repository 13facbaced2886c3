"""Nonces of signed requests: each belongs to one body until it can no longer be used, over restarts and changes of owner too.

They are stored in bookmarks of the store, `NONCES_IN_A_ROW` in each, so that they need no table and a former owner can add none.
A row whose nonces have all expired is used again. All rows are read before the first nonce is taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import json
from dataclasses import dataclass, field

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks

NONCES_IN_A_ROW = 64
_ROW = "http_nonces:{number}"


class NonceReused(Exception):
    """The nonce belongs to another body."""


@dataclass(slots=True)
class _Nonce:
    name: str
    digest: str
    until: float
    """Seconds since the epoch."""
    is_stored: bool = False


@dataclass(slots=True)
class _Row:
    number: int
    nonces: list[_Nonce] = field(default_factory=list)


class Nonces:
    """`clock`: the machine's. Times in seconds since the epoch."""

    def __init__(self, bookmarks: Bookmarks, clock: Clock) -> None:
        self._bookmarks, self._clock = bookmarks, clock
        self._kept: dict[str, _Nonce] = {}
        self._expiring: list[tuple[float, str]] = []
        self._reusable: list[tuple[float, int]] = []
        """Full rows, each with the time when its last nonce expires."""
        self._rows = 0
        self._row: _Row | None = None
        self._unsaved: list[_Nonce] = []
        self._writing = asyncio.Lock()
        self._is_loaded = False

    async def take(self, name: str, body: bytes, until: float) -> None:
        """Returns once it is stored that the nonce belongs to this body. Raises `NonceReused`, and the errors of `Bookmarks`."""
        if not self._is_loaded:
            async with self._writing:
                await self._load()
        self._forget_expired()
        digest = hashlib.sha256(body).hexdigest()
        nonce = self._kept.get(name)
        if nonce is not None and nonce.digest != digest:
            raise NonceReused
        if nonce is None or nonce.until < until:
            nonce = self._keep(_Nonce(name, digest, until))
            self._unsaved.append(nonce)
        if not nonce.is_stored:
            await self._save(nonce)

    def _keep(self, nonce: _Nonce) -> _Nonce:
        self._kept[nonce.name] = nonce
        heapq.heappush(self._expiring, (nonce.until, nonce.name))
        return nonce

    def _forget_expired(self) -> None:
        now = self._clock.now().timestamp()
        while self._expiring and self._expiring[0][0] < now:
            until, name = heapq.heappop(self._expiring)
            if self._kept[name].until == until:  # it may have come again with a later time
                del self._kept[name]

    async def _save(self, nonce: _Nonce) -> None:
        """What came meanwhile is stored together."""
        async with self._writing:
            if nonce.is_stored:
                return
            if self._row is None or len(self._row.nonces) >= NONCES_IN_A_ROW:
                self._row = self._free_row()
            row = self._row
            added = self._unsaved[: NONCES_IN_A_ROW - len(row.nonces)]
            if nonce not in added:
                added[-1:] = [nonce]
            await self._bookmarks.save_checkpoint(_ROW.format(number=row.number), _written([*row.nonces, *added]))
            row.nonces += added
            for each in added:
                each.is_stored = True
            self._unsaved = [each for each in self._unsaved if not each.is_stored]
            if len(row.nonces) >= NONCES_IN_A_ROW:
                heapq.heappush(self._reusable, (max(each.until for each in row.nonces), row.number))

    def _free_row(self) -> _Row:
        if self._reusable and self._reusable[0][0] < self._clock.now().timestamp():
            return _Row(heapq.heappop(self._reusable)[1])
        self._rows += 1
        return _Row(self._rows - 1)

    async def _load(self) -> None:
        if self._is_loaded:
            return
        self._kept, self._expiring, self._reusable, self._rows = {}, [], [], 0
        while (text := await self._bookmarks.checkpoint(_ROW.format(number=self._rows))) is not None:
            nonces = [_Nonce(name, digest, until, is_stored=True) for name, digest, until in json.loads(text)]
            for each in nonces:
                if each.name not in self._kept or self._kept[each.name].until < each.until:
                    self._keep(each)
            self._reusable.append((max(each.until for each in nonces), self._rows))
            self._rows += 1
        heapq.heapify(self._reusable)
        self._is_loaded = True


def _written(nonces: list[_Nonce]) -> str:
    return json.dumps([[each.name, each.digest, each.until] for each in nonces])
