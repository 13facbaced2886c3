"""What a disk holds when the power goes, made from a record of everything that was asked of it.

Only what was synced is surely there. Of the rest each sector may be there or not, whatever the order in which it was written, and
so may names that were given or taken away since their folder was synced. A sync that failed leaves it open for good: the kernel
takes such pages for clean, and no later sync writes them again.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

SECTOR = 512
_HEAD = struct.Struct("=4q")
FOLDER = "."


@dataclass(frozen=True, slots=True)
class Call:
    """W: written, T: truncated, S: synced, F: sync failed, C: created, U: unlinked, A: said on standard output."""

    kind: str
    name: str
    offset: int
    data: bytes


def calls(record: Path) -> Iterator[Call]:
    with record.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            kind, name_length, offset, length = _HEAD.unpack(head)
            yield Call(chr(kind), file.read(name_length).decode(), offset, file.read(length))


@dataclass
class Inode:
    """A file's durable bytes, and the sectors (or truncations) that wait for a sync."""

    durable: bytearray = field(default_factory=bytearray)
    waiting: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        for call in self.waiting:
            _apply(self.durable, call)
        self.waiting.clear()

    def lose(self, chance: random.Random) -> None:
        """Whatever waits may be on the disk, or never will."""
        self.durable = self.after_power_cut(chance)
        self.waiting.clear()

    def after_power_cut(self, chance: random.Random) -> bytearray:
        content = bytearray(self.durable)
        likelihood = chance.choice((0.0, 0.5, 0.9, 1.0))
        for call in self.waiting:
            if chance.random() < likelihood:
                _apply(content, call)
        return content


class PowerlessDisk:
    """Follows a record, and can say at any point what would be left of the files."""

    def __init__(self, files: Mapping[str, bytes], chance: random.Random) -> None:
        self._durable = {name: Inode(bytearray(content)) for name, content in files.items()}
        self._current = dict(self._durable)
        self._renamed: list[tuple[str, Inode | None]] = []
        self._chance = chance

    def follow(self, call: Call) -> None:
        if call.kind in "CU":
            inode = Inode() if call.kind == "C" else None
            self._renamed.append((call.name, inode))
            _name(self._current, call.name, inode)
        elif call.name == FOLDER:
            self._sync_folder(is_done=call.kind == "S")
        elif call.kind == "S":
            self._current[call.name].sync()
        elif call.kind == "F":
            self._current[call.name].lose(self._chance)
        elif call.kind in "WT":
            self._current[call.name].waiting += _sectors(call)

    def _sync_folder(self, *, is_done: bool) -> None:
        for name, inode in self._renamed if is_done else self._some_names():
            _name(self._durable, name, inode)
        self._renamed.clear()

    def _some_names(self) -> list[tuple[str, Inode | None]]:
        return self._renamed[: self._chance.randint(0, len(self._renamed))]

    def without_power(self) -> dict[str, bytes]:
        names = dict(self._durable)
        for name, inode in self._some_names():
            _name(names, name, inode)
        return {name: bytes(inode.after_power_cut(self._chance)) for name, inode in names.items()}


def _name(names: dict[str, Inode], name: str, inode: Inode | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


def _sectors(call: Call) -> list[Call]:
    """A write may tear between sectors, and nowhere else."""
    if call.kind == "T":
        return [call]
    end = call.offset + len(call.data)
    edges = [call.offset, *range((call.offset // SECTOR + 1) * SECTOR, end, SECTOR), end]
    return [Call("W", call.name, start, call.data[start - call.offset : stop - call.offset]) for start, stop in pairwise(edges)]


def _apply(content: bytearray, call: Call) -> None:
    if call.kind == "T":
        del content[call.offset :]
        content.extend(bytes(call.offset - len(content)))
        return
    content.extend(bytes(max(0, call.offset - len(content))))
    content[call.offset : call.offset + len(call.data)] = call.data
